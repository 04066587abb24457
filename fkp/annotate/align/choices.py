"""`choices.csv`: which faces are aligned, automatically or as a person wants it."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fkp.annotate.align.candidates import Candidate
from fkp.annotate.output.text import csv_line
from fkp.errors import LabelError
from fkp.files import replace_text

CHOICES = "choices.csv"

COLUMNS = ("image", "face", "use", "status", "file", "date", "rank", "x", "y", "size", "reason")

YES, NO = ("yes", "y", "1", "true", "x"), ("no", "n", "0", "false")

NEAR = 0.5
"""Sizes of a face that its middle may be from where it was, to be the same in another run."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person wrote of a face: at x, y, of this size, pixels. use: whether it is aligned."""

    image: str
    face: int
    use: bool
    x: float
    y: float
    size: float


def read_wishes(path: Path) -> list[Wish]:
    """The rows in which `use` is filled in; none where there is no such file.

    Raises LabelError with file, row and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        return []
    first = next(iter(text.splitlines()), "")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    missing = {"image", "face", "use", "x", "y", "size"} - set(reader.fieldnames or ())
    if missing:
        raise LabelError(f"{path}: has no column {', '.join(sorted(missing))}, got {first!r}")
    wishes = []
    for row, cells in enumerate(reader, start=2):
        use = (cells["use"] or "").strip().lower()
        if not use:
            continue
        if use not in YES + NO:
            raise LabelError(
                f"{path} row {row}, column use: expected yes, no or nothing, got {use}"
            )
        try:
            x, y, size = (float(cells[name].replace(",", ".")) for name in ("x", "y", "size"))
            wish = Wish(cells["image"], int(cells["face"]), use in YES, x, y, size)
        except (TypeError, ValueError, AttributeError) as error:
            raise LabelError(
                f"{path} row {row}: expected numbers in face, x, y and size: {error}"
            ) from error
        wishes.append(wish)
    return wishes


def wished(candidates: Sequence[Candidate], wishes: Sequence[Wish]) -> list[Candidate]:
    """The candidates with what a person wants of each: of the same picture, the nearest face that
    is no farther than NEAR of its size from where the wish was made.
    """
    of_image: dict[str, list[int]] = {}
    for i, candidate in enumerate(candidates):
        of_image.setdefault(candidate.image, []).append(i)
    result = list(candidates)
    for wish in wishes:
        faces = [i for i in of_image.get(wish.image, []) if candidates[i].face is not None]
        near = [
            (abs(complex(candidates[i].x - wish.x, candidates[i].y - wish.y)), i) for i in faces
        ]
        if candidates and faces and candidates[faces[0]].is_clip:
            near = [(0.0, i) for i in faces if candidates[i].face == wish.face]
        away, i = min(near, default=(float("inf"), -1))
        if away <= NEAR * max(wish.size, 1):
            result[i] = replace(candidates[i], use=wish.use)
    return result


def write_choices(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write a row per face, and one for each input without, in the order of the inputs."""
    text = csv_line(COLUMNS)
    for one in candidates:
        use = "" if one.use is None else "yes" if one.use else "no"
        face = "" if one.face is None else str(one.face)
        date = "" if one.date is None else one.date.strftime("%Y-%m-%dT%H:%M:%S")
        numbers = [
            "" if value != value else f"{value:.{decimals}f}"
            for value, decimals in ((one.rank, 3), (one.x, 1), (one.y, 1), (one.size, 1))
        ]
        cells = [one.image, face, use, one.status, one.file, date, *numbers, one.reason]
        text += csv_line(cells)
    with_bytes = text.encode("utf-8", "surrogateescape")
    if with_bytes != text.encode("utf-8", "replace"):
        text = with_bytes.decode("utf-8", "backslashreplace")
    replace_text(path, text)
