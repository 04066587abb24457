"""Rows as lines of text, CSV or JSON, and back again."""

import csv
import io
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fkp.annotate.outcome import Moment, Result
from fkp.annotate.output.rows import (
    BOX,
    POINT,
    SCORE,
    TIME,
    Columns,
    Record,
    Row,
    known,
    result_of,
    rows_of,
)
from fkp.errors import parse_json
from fkp.keypoints import Face, FloatArray, Scheme
from fkp.vision.head import Camera
from fkp.vision.iris import IRIS
from fkp.vision.measures import MEASURES
from fkp.vision.quality import QUALITY, SEEN


class Rows(Protocol):
    """A layout of rows."""

    suffix: str

    def header(self) -> str:
        """The lines before the first row."""
        ...

    def of(self, image: str, result: Result) -> str:
        """The lines of one input: one per face, or one that says why there is none."""
        ...


class FullRows(ABC):
    """Rows of the main table, see `Columns`, that hold a complete result and can be read back."""

    suffix: str

    def __init__(
        self,
        scheme: Scheme,
        each: bool = False,
        measured: Camera | None = None,
        quality: bool = False,
        iris: bool = False,
    ) -> None:
        self.columns = Columns(scheme, each, measured, quality, iris)

    @abstractmethod
    def header(self) -> str:
        """The lines before the first row."""

    def of(self, image: str, result: Result) -> str:
        """The lines of one input: one per face, or one that says why there is none."""
        rows = rows_of(image, result, self.columns.measured, self.columns.quality)
        return "".join(self.line(row) for row in rows)

    @abstractmethod
    def line(self, row: Row) -> str:
        """One row as a line."""

    @abstractmethod
    def read(self, path: Path) -> Iterator[Record]:
        """Read the inputs in a file of such rows, in order."""


class CsvRows(FullRows):
    """A table that is itself a valid training table: `<name>_x,<name>_y` for each point.

    The points are followed by the confidence of each (with `each`), the rotation of the face, the
    mean confidence, the size of the picture, the measures (with `measured`), the quality (with
    `quality`), the irises (with `iris`), and the reason why an input is unreadable, or a note.
    """

    suffix = "csv"

    def header(self) -> str:
        """The names of the columns."""
        return csv_line([column.name for column in self.columns.all()])

    def line(self, row: Row) -> str:
        """A line with empty cells for unknown values."""
        pairs = zip(self._templates, self.columns.cells(row), strict=True)
        return csv_line(["" if cell is None else template % cell for template, cell in pairs])

    @cached_property
    def _templates(self) -> list[str]:
        return [column.template for column in self.columns.all()]

    def read(self, path: Path) -> Iterator[Record]:
        """Read the inputs in a file of such rows, in order."""
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.reader(file)
            next(reader)
            rows = (self.columns.read(cells) for cells in reader if cells)
            yield from _records(rows, self.columns.scheme)


class JsonRows(FullRows):
    """A JSON object per line: `points` maps names to [x, y], `confidence` is their mean.

    With `each`, `confidences` maps names to the confidence of each point; with `measured`,
    `measures` maps names to values, and so do `quality` and `iris` with these. Unknown values are
    null.
    """

    suffix = "jsonl"

    def header(self) -> str:
        """Empty, since each line names its values."""
        return ""

    def line(self, row: Row) -> str:
        """A line of JSON."""
        return json.dumps(self._object(row)) + "\n"

    def _object(self, row: Row) -> dict[str, object]:
        moment, face = row.moment, row.face
        values: dict[str, object] = {
            "image": row.image,
            "frame": moment and moment.frame,
            "timestamp": moment and _rounded(np.float64(moment.timestamp), TIME),
            "time": moment and round(moment.time, TIME),
            "face": face and face.number,
            "status": row.status,
        }
        if face is not None:
            values |= self._face(face)
        if row.measures is not None:
            values["measures"] = _named(MEASURES, row.measures)
        if row.quality is not None:
            values["quality"] = _named(QUALITY, row.quality)
        if face is not None and face.iris is not None:
            values["iris"] = _named(IRIS, face.iris.reshape(-1))
        if row.size is not None:
            values["size"] = list(row.size)
        if row.reason or row.size is None:
            values["reason"] = row.reason
        return values

    def _face(self, face: Face) -> dict[str, object]:
        names = self.columns.scheme.names
        points = zip(names, face.points, strict=True)
        values: dict[str, object] = {
            "score": _rounded(np.float32(face.score), SCORE),
            "box": [_rounded(v, BOX) for v in face.box],
            "points": {name: [_rounded(v, POINT) for v in point] for name, point in points},
            "rotation": _rounded(np.float32(face.rotation), 0),
            "confidence": _rounded(face.confidence.mean(), POINT),
        }
        if self.columns.each:
            values["confidences"] = _named(names, face.confidence)
        return values

    def read(self, path: Path) -> Iterator[Record]:
        """Read the inputs in a file of such rows, in order."""
        with path.open(encoding="utf-8") as file:
            rows = (self._row(parse_json(line)) for line in file)
            yield from _records(rows, self.columns.scheme)

    def _row(self, values: dict[str, Any]) -> Row:
        moment = None
        if values["frame"] is not None:
            stamp = values["timestamp"]
            own = math.nan if stamp is None else float(stamp)
            moment = Moment(int(values["frame"]), float(values["time"]), own)
        size, face = values.get("size"), None
        if values["face"] is not None:
            each = [values["confidence"]] * len(self.columns.scheme)
            if self.columns.each:
                each = list(values["confidences"].values())
            arrays = (values["box"], list(values["points"].values()), each)
            box, points, confidence = (np.array(v, np.float32) for v in arrays)
            score = float(np.array(values["score"], np.float32))
            seen = irises = None
            if self.columns.quality:
                seen = np.array([values["quality"][name] for name in QUALITY[:SEEN]], np.float32)
            if self.columns.iris:
                irises = np.array([values["iris"][name] for name in IRIS], np.float32).reshape(2, 3)
            face = Face(
                self.columns.scheme, box, score, points, confidence, int(values["face"]), seen,
                irises,
            )  # fmt: skip
        wide = None if size is None else (int(size[0]), int(size[1]))
        reason = str(values.get("reason", ""))
        return Row(str(values["image"]), str(values["status"]), moment, face, wide, None, reason)


TABLES: dict[str, type[FullRows]] = {
    "csv": CsvRows,
    "jsonl": JsonRows,
}
"""The formats of the main table to which rows can be appended."""


def _records(rows: Iterator[Row], scheme: Scheme) -> Iterator[Record]:
    """Group rows by their inputs.

    In a clip, the rows of one frame belong together; for pictures, a face with a number greater
    than 0 belongs to the row before it, since a picture may be given twice.
    """
    count, last = 0, None

    def number_of_input(row: Row) -> int:
        nonlocal count, last
        before, last = last, row.moment
        if last is None:
            count += row.face is None or not row.face.number
        else:
            count += before is None or last.frame != before.frame
        return count

    for _, group in groupby(rows, number_of_input):
        together = list(group)
        yield together[0].image, result_of(together, scheme)


def csv_line(cells: Sequence[str]) -> str:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def number_cells(values: FloatArray, decimals: int) -> list[str]:
    """Numbers (N,) as cells, empty where unknown."""
    template = f"%.{decimals}f"
    return ["" if value is None else template % value for value in known(values)]


def _rounded(value: np.floating, decimals: int) -> float | None:
    """A rounded number, None if unknown."""
    return round(float(value), decimals) if np.isfinite(value) else None


def _named(names: Sequence[str], values: FloatArray) -> dict[str, float | None]:
    return {name: _rounded(v, POINT) for name, v in zip(names, values, strict=True)}
