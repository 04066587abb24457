"""Rows of results as text, a line or more for each input, and back again."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.errors import parse_json
from fkp.keypoints import Faces, FloatArray, Scheme
from fkp.vision.head import Camera
from fkp.vision.measures import MEASURES, measure

_COLUMNS = (
    "image", "frame", "timestamp", "face", "status", "score", "box_x", "box_y", "box_w", "box_h",
)  # fmt: skip

SCORE, BOX, POINT, TIME = 4, 2, 3, 6
"""Decimals written."""

FOUND = ("ok", "filled")
"""What the row of a face may have for a status."""

Record = tuple[str, Result]

_Row = TypeVar("_Row")


class Rows(Protocol):
    """A form of rows."""

    suffix: str

    def header(self) -> str:
        """What comes before the first row."""
        ...

    def of(self, image: str, result: Result) -> str:
        """The rows of one input: one a face, or one that says why there is none."""
        ...


class Table(Rows, Protocol):
    """Rows that tell all, and can be read again.

    each: with a confidence for each point; measured: with the measures of each face, as this camera
    shows it.
    """

    each: bool
    measured: Camera | None

    def read(self, path: Path) -> Iterator[Record]:
        """The inputs of a file of these rows, in order."""
        ...


class CsvRows:
    """A table that is itself a valid training table: `<name>_x,<name>_y` for each point.

    Behind the points stand the confidence of each (with `each`), their mean, the size of the
    picture, what is measured (with `measured`), and what there is to say: why an input is
    unreadable.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme, each: bool = False, measured: Camera | None = None) -> None:
        self.scheme, self.each, self.measured = scheme, each, measured
        confidence = [f"{name}_confidence" for name in scheme.names] if each else []
        self._last = ("image_width", "image_height", *_measures(measured), "reason")
        self.columns = [*_COLUMNS, *scheme.columns, *confidence, "confidence", *self._last]

    def header(self) -> str:
        """The names of the columns."""
        return csv_line(self.columns)

    def of(self, image: str, result: Result) -> str:
        """Lines with empty cells where nothing is known."""
        empty = [""] * (len(self.columns) - len(self._last) - 5)
        none = [""] * (len(self._last) - 3)
        first = [image, *moment_cells(result)]
        if isinstance(result, Failure):
            return csv_line([*first, "", result.status, *empty, "", "", *none, result.reason])
        size = [str(result.width), str(result.height)]
        if len(result.faces) == 0:
            return csv_line([*first, "", result.status, *empty, *size, *none, result.note])
        lines = []
        measured = [cells(values, POINT) for values in _measured(result, self.measured)]
        for i in range(len(result.faces)):
            who = [str(result.number(i)), result.status_of(i)]
            more = measured[i]
            face = self._face(result.faces, i)
            lines.append(csv_line([*first, *who, *face, *size, *more, result.note]))
        return "".join(lines)

    def _face(self, faces: Faces, i: int) -> list[str]:
        score = cell(faces.scores[i], SCORE)
        confidence = cells(faces.confidence[i], POINT) if self.each else []
        mean = cell(faces.confidence[i].mean(), POINT)
        points = cells(faces.points[i].reshape(-1), POINT)
        return [score, *cells(faces.boxes[i], BOX), *points, *confidence, mean]

    def read(self, path: Path) -> Iterator[Record]:
        """The inputs of a file of these rows, in order."""
        with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
            reader = csv.reader(file)
            next(reader)
            first = (row for row in reader if row)
            for rows in _by_input(first, lambda row: row[3], lambda row: row[1]):
                yield rows[0][0], self._result(rows)

    def _result(self, rows: list[list[str]]) -> Result:
        status, last = rows[0][4], rows[0][-len(self._last) :]
        moment = Moment(int(rows[0][1]), float(rows[0][2])) if rows[0][1] else None
        if status == "unreadable":
            return Failure(last[-1], moment)
        faces = Faces.empty(self.scheme)
        if status in FOUND:
            k = len(self.scheme)
            own = [row[5 : -len(self._last)] for row in rows]
            numbers = np.array([[float(v or "nan") for v in row] for row in own], np.float32)
            sure = numbers[:, 5 + 2 * k : -1] if self.each else np.repeat(numbers[:, -1:], k, 1)
            points = numbers[:, 5 : 5 + 2 * k].reshape(-1, k, 2)
            faces = Faces(self.scheme, numbers[:, 1:5], numbers[:, 0], points, sure)
        size = int(last[0]), int(last[1])
        if moment is None or len(faces) == 0:
            return Annotated(faces, *size, last[-1], moment)
        who = tuple(int(row[3]) for row in rows)
        filled = tuple(row[4] == "filled" for row in rows)
        return Annotated(faces, *size, last[-1], moment, who, filled)


class JsonRows:
    """An object a line: `points` maps names to [x, y], `confidence` is their mean.

    With `each`, `confidences` maps names to the confidence of each; with `measured`, `measures`
    names what is measured. What is not known is null.
    """

    suffix = "jsonl"

    def __init__(self, scheme: Scheme, each: bool = False, measured: Camera | None = None) -> None:
        self.scheme, self.each, self.measured = scheme, each, measured

    def header(self) -> str:
        """Nothing."""
        return ""

    def of(self, image: str, result: Result) -> str:
        """Lines of JSON."""
        if isinstance(result, Failure):
            return self._line(image, result, None, {"reason": result.reason})
        about: dict[str, object] = {"size": [result.width, result.height]}
        if result.note:
            about["reason"] = result.note
        if len(result.faces) == 0:
            return self._line(image, result, None, about)
        faces = [self._face(result.faces, i) for i in range(len(result.faces))]
        if self.measured is not None:
            for face, values in zip(faces, _measured(result, self.measured), strict=True):
                named = zip(MEASURES, values, strict=True)
                face["measures"] = {name: number(v, POINT) for name, v in named}
        lines = [self._line(image, result, i, {**face, **about}) for i, face in enumerate(faces)]
        return "".join(lines)

    def _face(self, faces: Faces, i: int) -> dict[str, object]:
        names = self.scheme.names
        rows = zip(names, faces.points[i], strict=True)
        row: dict[str, object] = {
            "score": number(faces.scores[i], SCORE),
            "box": [number(v, BOX) for v in faces.boxes[i]],
            "points": {name: [number(v, POINT) for v in point] for name, point in rows},
            "confidence": number(faces.confidence[i].mean(), POINT),
        }
        if self.each:
            each = zip(names, faces.confidence[i], strict=True)
            row["confidences"] = {name: number(v, POINT) for name, v in each}
        return row

    @staticmethod
    def _line(image: str, result: Result, i: int | None, more: dict[str, object]) -> str:
        moment = result.moment
        row: dict[str, object] = {"image": image}
        row["frame"] = moment and moment.frame
        row["timestamp"] = moment and round(moment.time, TIME)
        if isinstance(result, Annotated) and i is not None:
            row |= {"face": result.number(i), "status": result.status_of(i)}
        else:
            row |= {"face": None, "status": result.status}
        return json.dumps({**row, **more}) + "\n"

    def read(self, path: Path) -> Iterator[Record]:
        """The inputs of a file of these rows, in order."""
        with path.open(encoding="utf-8") as file:
            rows = (parse_json(line) for line in file)
            for group in _by_input(rows, lambda row: row["face"], lambda row: row["frame"]):
                yield group[0]["image"], self._result(group)

    def _result(self, rows: list[dict[str, object]]) -> Result:
        first = rows[0]
        moment = None
        if first["frame"] is not None:
            moment = Moment(int(str(first["frame"])), float(str(first["timestamp"])))
        if first["status"] == "unreadable":
            return Failure(str(first["reason"]), moment)
        width, height = (int(v) for v in np.array(first["size"], int))
        faces = Faces.empty(self.scheme)
        if first["status"] in FOUND:
            k = len(self.scheme)
            sure = [
                list(row["confidences"].values())  # type: ignore[attr-defined]
                if self.each
                else [row["confidence"]] * k
                for row in rows
            ]
            points = [list(row["points"].values()) for row in rows]  # type: ignore[attr-defined]
            score = [row["score"] for row in rows]
            box = [row["box"] for row in rows]
            arrays = (np.array(v, np.float32) for v in (box, score, points, sure))
            faces = Faces(self.scheme, *arrays)
        note = str(first.get("reason", ""))
        if moment is None or len(faces) == 0:
            return Annotated(faces, width, height, note, moment)
        numbers = tuple(int(str(row["face"])) for row in rows)
        filled = tuple(row["status"] == "filled" for row in rows)
        return Annotated(faces, width, height, note, moment, numbers, filled)


TABLES: dict[str, Callable[[Scheme, bool, Camera | None], Table]] = {
    "csv": CsvRows,
    "jsonl": JsonRows,
}
"""The forms of the main table that are written row by row."""


def _measures(camera: Camera | None) -> tuple[str, ...]:
    return () if camera is None else MEASURES


def _measured(result: Annotated, camera: Camera | None) -> FloatArray:
    """(F, M): the measures of each face; none without a camera."""
    if camera is None:
        return np.empty((len(result.faces), 0))
    return measure(result.faces.points, result.width, result.height, camera)


def _by_input(
    rows: Iterator[_Row], face: Callable[[_Row], object], frame: Callable[[_Row], object]
) -> Iterator[list[_Row]]:
    """Rows that belong together: of one frame of a clip; else a face's number greater than 0 goes
    on with the picture before, as the same picture may be given twice.
    """
    count = 0
    last: object = None

    def number_of_input(row: _Row) -> int:
        nonlocal count, last
        before, last = last, frame(row)
        if last in ("", None):
            count += face(row) in ("", None, "0", 0)
        else:
            count += last != before
        return count

    for _, group in groupby(rows, number_of_input):
        yield list(group)


def moment_cells(result: Result) -> list[str]:
    """Frame and timestamp of a frame of a clip; nothing for a picture."""
    moment = result.moment
    return ["", ""] if moment is None else [str(moment.frame), f"{moment.time:.{TIME}f}"]


def csv_line(cells: list[str]) -> str:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def cells(values: FloatArray, decimals: int) -> list[str]:
    """Numbers (N,), or nothing where they are not known."""
    form = f"%.{decimals}f"
    return ["" if value != value else form % value for value in values.tolist()]


def cell(value: np.floating, decimals: int) -> str:
    """A number, or nothing where it is not known."""
    return f"{float(value):.{decimals}f}" if np.isfinite(value) else ""


def number(value: np.floating, decimals: int) -> float | None:
    """A number, or None where it is not known."""
    return round(float(value), decimals) if np.isfinite(value) else None
