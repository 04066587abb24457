"""The forms that rows of results take: text, a line or more for each input."""

import csv
import io
import json
from collections.abc import Callable
from typing import Protocol

import numpy as np

from fkp.annotate.stages import Failure
from fkp.keypoints import Faces, Scheme

_COLUMNS = (
    "image", "frame", "timestamp", "face", "status", "score", "box_x", "box_y", "box_w", "box_h",
)  # fmt: skip

SCORE, BOX, POINT = 4, 2, 3
"""Decimals written."""


class Rows(Protocol):
    """A form of rows."""

    suffix: str

    def header(self) -> str:
        """What comes before the first row."""
        ...

    def of(self, image: str, result: Faces | Failure) -> str:
        """The rows of one input: one a face, or one that says why there is none."""
        ...


class CsvRows:
    """A table that is itself a valid training table: `<name>_x,<name>_y` for each point.

    Behind the points stand the confidence of each (with `each`), their mean, and why an input is
    unreadable.
    """

    suffix = "csv"

    def __init__(self, scheme: Scheme, each: bool = False) -> None:
        self.each = each
        confidence = [f"{name}_confidence" for name in scheme.names] if each else []
        self.columns = [*_COLUMNS, *scheme.columns, *confidence, "confidence", "reason"]

    def header(self) -> str:
        """The names of the columns."""
        return _csv_line(self.columns)

    def of(self, image: str, result: Faces | Failure) -> str:
        """Lines with empty cells where nothing is known."""
        empty = [""] * (len(self.columns) - 6)
        if isinstance(result, Failure):
            return _csv_line([image, "", "", "", "unreadable", *empty, result.reason])
        if len(result) == 0:
            return _csv_line([image, "", "", "", "no_face", *empty, ""])
        lines = []
        for i in range(len(result)):
            cells = [_cell(result.scores[i], SCORE)]
            cells += [_cell(v, BOX) for v in result.boxes[i]]
            cells += [_cell(v, POINT) for v in result.points[i].reshape(-1)]
            if self.each:
                cells += [_cell(v, POINT) for v in result.confidence[i]]
            cells.append(_cell(result.confidence[i].mean(), POINT))
            lines.append(_csv_line([image, "", "", str(i), "ok", *cells, ""]))
        return "".join(lines)


class JsonRows:
    """An object a line: `points` maps names to [x, y], `confidence` is their mean.

    With `each`, `confidences` maps names to the confidence of each. What is not known is null.
    """

    suffix = "jsonl"

    def __init__(self, scheme: Scheme, each: bool = False) -> None:
        self.scheme, self.each = scheme, each

    def header(self) -> str:
        """Nothing."""
        return ""

    def of(self, image: str, result: Faces | Failure) -> str:
        """Lines of JSON."""
        if isinstance(result, Failure):
            return self._line(image, "unreadable", reason=result.reason)
        if len(result) == 0:
            return self._line(image, "no_face")
        return "".join(self._face(image, result, i) for i in range(len(result)))

    def _face(self, image: str, faces: Faces, i: int) -> str:
        names = self.scheme.names
        rows = zip(names, faces.points[i], strict=True)
        row: dict[str, object] = {
            "score": _number(faces.scores[i], SCORE),
            "box": [_number(v, BOX) for v in faces.boxes[i]],
            "points": {name: [_number(v, POINT) for v in point] for name, point in rows},
            "confidence": _number(faces.confidence[i].mean(), POINT),
        }
        if self.each:
            each = zip(names, faces.confidence[i], strict=True)
            row["confidences"] = {name: _number(v, POINT) for name, v in each}
        return self._line(image, "ok", face=i, **row)

    @staticmethod
    def _line(image: str, status: str, face: int | None = None, **more: object) -> str:
        row = {"image": image, "frame": None, "timestamp": None, "face": face, "status": status}
        return json.dumps({**row, **more}) + "\n"


FORMATS: dict[str, Callable[[Scheme, bool], Rows]] = {"csv": CsvRows, "jsonl": JsonRows}


def _csv_line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _cell(value: np.floating, decimals: int) -> str:
    return f"{float(value):.{decimals}f}" if np.isfinite(value) else ""


def _number(value: np.floating, decimals: int) -> float | None:
    return round(float(value), decimals) if np.isfinite(value) else None
