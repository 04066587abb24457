"""Corrections of a first run: a table of boxes and faces to hide or to leave clear."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.annotate.inputs import Inputs
from fkp.errors import DataError
from fkp.json_values import JsonError, JsonValue

COLUMNS = ("image", "action", "face", "first", "last", "box_x", "box_y", "box_w", "box_h")
ACTIONS = ("hide", "clear")
BOX = COLUMNS[5:]


@dataclass(frozen=True, slots=True)
class Correction:
    """One row.

    action: `hide` or `clear`. face: its number in `hidden_faces.csv`; box: (x, y, width, height) in
    pixels; exactly one of the two. first, last: frames of a clip; None for its first or last one.
    """

    action: str
    face: int | None = None
    first: int | None = None
    last: int | None = None
    box: tuple[float, float, float, float] | None = None

    def at(self, frame: int) -> bool:
        """Whether it applies to a frame; a photo is frame 0."""
        return (self.first is None or self.first <= frame) and (
            self.last is None or frame <= self.last
        )

    @property
    def box_xywh(self) -> npt.NDArray[np.float64]:
        """(4,): the box."""
        return np.array(self.box, np.float64)

    def means(self, face: int, box_xywh: npt.NDArray[np.float64]) -> bool:
        """Whether it applies to a face with this number and box."""
        if self.box is None:
            return face == self.face
        x, y, width, height = self.box
        u, v = box_xywh[:2] + box_xywh[2:] / 2
        return bool(x <= u <= x + width and y <= v <= y + height)


@dataclass(frozen=True, slots=True)
class Corrections:
    """All rows, by the path of their input. data: the file's bytes, b"" without a file."""

    rows: Mapping[str, Sequence[Correction]]
    data: bytes = b""

    @classmethod
    def none(cls) -> "Corrections":
        """No corrections."""
        return cls({})

    @classmethod
    def read(cls, path: Path, inputs: Inputs) -> "Corrections":
        """Read a CSV or JSON file; raises DataError with file, row and column.

        Inputs are named as in `hidden.csv`, or by their paths relative to the common folder.
        """
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: cannot be read: {error}") from error
        names = {name: name for name in inputs.paths}
        for name in inputs.paths:
            names.setdefault(inputs.relative(name), name)
        lines = _json(path, text) if path.suffix.lower() == ".json" else _csv(path, text)
        rows: dict[str, list[Correction]] = {}
        for where, cells in lines:
            given = cells.get("image", "")
            if given not in names:
                raise DataError(
                    f"{where}, column image: expected one of the inputs of this run, such as "
                    f'"{inputs.paths[0]}", got "{given}"'
                )
            rows.setdefault(names[given], []).append(_correction(where, cells))
        return cls(rows, data)

    def of(self, path: str) -> Sequence[Correction]:
        """The rows of an input."""
        return self.rows.get(path, ())


def _csv(path: Path, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a CSV file, each with its position."""
    reader = csv.DictReader(io.StringIO(text, newline=""))
    columns = [name.strip() for name in reader.fieldnames or ()]
    unknown = [name for name in columns if name not in COLUMNS]
    if "image" not in columns or "action" not in columns or unknown:
        raise DataError(
            f"{path}: expected the columns image and action, and any of "
            f"{', '.join(COLUMNS[2:])}; got {', '.join(columns) or 'none'}"
        )
    reader.fieldnames = columns
    for row in reader:
        where = f"{path} row {reader.line_num}"
        if None in row:
            raise DataError(f"{where}: more cells than columns")
        yield where, {name: (value or "").strip() for name, value in row.items()}


def _json(path: Path, text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The objects of a JSON list, each with its position."""
    try:
        for i, item in enumerate(JsonValue.parse(text).items()):
            where = f"{path} item {i + 1}"
            cells = {}
            for name, value in item.members().items():
                if name not in COLUMNS:
                    known = ", ".join(COLUMNS)
                    raise DataError(f"{where}: expected members of {known}, got {name}")
                if value.data is not None:
                    text_wanted = name in ("image", "action")
                    cells[name] = value.text() if text_wanted else repr(value.number())
            yield where, cells
    except JsonError as error:
        raise DataError(f"{path}: {error}") from error


def _correction(where: str, cells: Mapping[str, str]) -> Correction:
    action = cells.get("action", "")
    if action not in ACTIONS:
        raise DataError(f'{where}, column action: expected hide or clear, got "{action}"')
    face, first, last = (_whole(where, name, cells) for name in ("face", "first", "last"))
    box = [_number(where, name, cells) for name in BOX]
    known = [value for value in box if value is not None]
    if known and len(known) < len(box):
        raise DataError(f"{where}: a box needs all of {', '.join(BOX)}")
    if (face is None) == (not known):
        raise DataError(f"{where}: expected either a face or a box ({', '.join(BOX)})")
    if first is not None and last is not None and first > last:
        raise DataError(f"{where}: the first frame, {first}, is after the last one, {last}")
    if known and min(known[2:]) <= 0:
        raise DataError(f"{where}: expected box_w and box_h over 0")
    whole = (known[0], known[1], known[2], known[3]) if known else None
    return Correction(action, face, first, last, whole)


def _number(where: str, name: str, cells: Mapping[str, str]) -> float | None:
    text = cells.get(name, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise DataError(f'{where}, column {name}: expected a number, got "{text}"')
    return value


def _whole(where: str, name: str, cells: Mapping[str, str]) -> int | None:
    value = _number(where, name, cells)
    if value is None:
        return None
    if value < 0 or value != int(value):
        raise DataError(
            f'{where}, column {name}: expected a whole number from 0, got "{cells[name]}"'
        )
    return int(value)
