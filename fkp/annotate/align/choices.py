"""`choices.csv`: which faces are aligned, chosen automatically or by a person."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fkp.annotate.align.candidates import Candidate
from fkp.annotate.output.text import csv_line
from fkp.errors import LabelError
from fkp.files import replace_text

CHOICES = "choices.csv"

COLUMNS = (
    "image", "face", "use", "status", "file", "date", "rank", "center_x", "center_y", "size",
    "reason",
)  # fmt: skip
PLACE = ("center_x", "center_y", "size")

YES, NO = ("yes", "y", "1", "true", "x"), ("no", "n", "0", "false")

NEAR = 0.5
"""A face is the same in another run if its centre moved by at most this share of its size."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A person's choice about a face. use: whether to align it. center_x, center_y, size: as in
    `Candidate`.
    """

    image: str
    face: int
    use: bool
    center_x: float
    center_y: float
    size: float


def read_choices(path: Path) -> list[Choice]:
    """The rows in which `use` is filled in; none if the file does not exist.

    Raises LabelError with file, row and column.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError:
        return []
    first = next(iter(text.splitlines()), "")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count))
    missing = {"image", "face", "use", *PLACE} - set(reader.fieldnames or ())
    if missing:
        raise LabelError(f"{path}: has no column {', '.join(sorted(missing))}, got {first!r}")
    choices = []
    for row, cells in enumerate(reader, start=2):
        use = (cells["use"] or "").strip().lower()
        if not use:
            continue
        if use not in YES + NO:
            raise LabelError(
                f"{path} row {row}, column use: expected yes, no or an empty cell, got {use}"
            )
        try:
            x, y, size = (float(cells[name].replace(",", ".")) for name in PLACE)
            choice = Choice(cells["image"], int(cells["face"]), use in YES, x, y, size)
        except (TypeError, ValueError, AttributeError) as error:
            raise LabelError(
                f"{path} row {row}: expected numbers in face, {', '.join(PLACE)}: {error}"
            ) from error
        choices.append(choice)
    return choices


def with_choices(candidates: Sequence[Candidate], choices: Sequence[Choice]) -> list[Candidate]:
    """The candidates with a person's choices.

    A choice about a photo applies to the face nearest to its position, if within NEAR; one about a
    clip, to the face with its number.
    """
    of_image: dict[str, list[int]] = {}
    for i, candidate in enumerate(candidates):
        of_image.setdefault(candidate.image, []).append(i)
    result = list(candidates)
    for choice in choices:
        faces = [i for i in of_image.get(choice.image, []) if candidates[i].face is not None]
        if faces and candidates[faces[0]].is_clip:
            near = [(0.0, i) for i in faces if candidates[i].face == choice.face]
        else:
            near = [(_distance(candidates[i], choice), i) for i in faces]
        away, i = min(near, default=(math.inf, -1))
        if away <= NEAR * max(choice.size, 1):
            result[i] = replace(candidates[i], use=choice.use)
    return result


def _distance(candidate: Candidate, choice: Choice) -> float:
    """Pixels between the centre of a candidate and that of a choice."""
    return math.hypot(candidate.center_x - choice.center_x, candidate.center_y - choice.center_y)


def write_choices(path: Path, candidates: Sequence[Candidate]) -> None:
    """Write a row per face, and one for each input without a face, in the order of the inputs."""
    text = csv_line(COLUMNS)
    for one in candidates:
        use = "" if one.use is None else "yes" if one.use else "no"
        face = "" if one.face is None else str(one.face)
        date = "" if one.date is None else one.date.strftime("%Y-%m-%dT%H:%M:%S")
        numbers = [
            "" if value != value else f"{value:.{decimals}f}"
            for value, decimals in (
                (one.rank, 3),
                (one.center_x, 1),
                (one.center_y, 1),
                (one.size, 1),
            )
        ]
        cells = [one.image, face, use, one.status, one.file, date, *numbers, one.reason]
        text += csv_line(cells)
    with_bytes = text.encode("utf-8", "surrogateescape")
    if with_bytes != text.encode("utf-8", "replace"):
        text = with_bytes.decode("utf-8", "backslashreplace")
    replace_text(path, text)
