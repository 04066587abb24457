"""Faces as rows, flattened once for CSV, JSON lines, Parquet and DataFrames."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.keypoints import Face, Faces, FloatArray, Scheme
from fkp.vision.head import Camera
from fkp.vision.iris import IRIS
from fkp.vision.measures import MEASURES, measure
from fkp.vision.quality import QUALITY, SEEN, quality

SCORE, BOX, POINT, TIME = 4, 2, 3, 6
"""Decimals of pixels in text."""

Record = tuple[str, Result]
"""The path of an input, and its result."""

Cell = str | int | float | None

Kind = Literal["text", "whole", "number"]


@dataclass(frozen=True, slots=True)
class Row:
    """One face of an input, or an input without one.

    moment: of a frame of a clip. face: None for an input without a face. size: width and height of
    the picture in pixels, None if it could not be read. measures: (M,), see `MEASURES`, and
    quality: (Q,), see `QUALITY`; None if not measured. reason: why it is unreadable, or a note.
    """

    image: str
    status: str
    moment: Moment | None = None
    face: Face | None = None
    size: tuple[int, int] | None = None
    measures: FloatArray | None = None
    reason: str = ""
    quality: FloatArray | None = None


def rows_of(
    image: str, result: Result, measured: Camera | None = None, rated: bool = False
) -> list[Row]:
    """A row per face of an input, or one that says why there is none.

    measured: the camera, where each has measures; rated: whether each has its quality.
    """
    if isinstance(result, Failure):
        return [Row(image, result.status, result.moment, reason=result.reason)]
    size, faces = (result.width, result.height), result.faces
    if len(faces) == 0:
        return [Row(image, result.status, result.moment, size=size, reason=result.note)]
    none = [None] * len(faces)
    values = none if measured is None else measure(faces.points, *size, measured)
    arrays = faces.boxes, faces.points, faces.confidence, faces.quality
    ratings = quality(*arrays, size, measured) if rated else none
    numbered = faces.numbered([result.number(i) for i in range(len(faces))])
    cells = zip(numbered, values, ratings, strict=True)
    return [
        Row(image, result.status_of(i), result.moment, face, size, own, result.note, seen)
        for i, (face, own, seen) in enumerate(cells)
    ]


def result_of(rows: Sequence[Row], scheme: Scheme) -> Result:
    """The result of these rows: the inverse of `rows_of`."""
    first, found = rows[0], [row.face for row in rows if row.face is not None]
    if first.size is None:
        return Failure(first.reason, first.moment)
    if not found:
        return Annotated(Faces.empty(scheme), *first.size, first.reason, first.moment)
    faces = Faces(
        scheme,
        np.array([face.box for face in found], np.float32),
        np.array([face.score for face in found], np.float32),
        np.array([face.points for face in found], np.float32),
        np.array([face.confidence for face in found], np.float32),
    )
    seen = [face.quality for face in found if face.quality is not None]
    if seen:
        faces = replace(faces, quality=np.array(seen, np.float32))
    irises = [face.iris for face in found if face.iris is not None]
    if irises:
        faces = replace(faces, iris=np.array(irises, np.float32))
    if first.moment is None:
        return Annotated(faces, *first.size, first.reason)
    numbers = tuple(face.number or 0 for face in found)
    filled = tuple(row.status == "filled" for row in rows)
    return Annotated(faces, *first.size, first.reason, first.moment, numbers, filled)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the main table. decimals: of a number in text. wide: stored in 64 bits."""

    name: str
    kind: Kind
    decimals: int = 0
    wide: bool = False

    @property
    def template(self) -> str:
        """The `%` format of its cells in text."""
        return f"%.{self.decimals}f" if self.kind == "number" else "%s"


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of the main table.

    each: with a confidence for each point; measured: with the measures of each face, as
    this camera shows it; quality: with the quality of its picture; iris: with its irises.
    """

    scheme: Scheme
    each: bool = False
    measured: Camera | None = None
    quality: bool = False
    iris: bool = False

    @property
    def extra(self) -> tuple[str, ...]:
        """The names of measures and quality, as far as they are wanted."""
        measures = () if self.measured is None else MEASURES
        return (*measures, *(QUALITY if self.quality else ()))

    @property
    def of_irises(self) -> tuple[str, ...]:
        """The names of the irises' columns, where they are wanted."""
        return IRIS if self.iris else ()

    def all(self) -> list[Column]:
        """The columns in order."""
        whole = ("image_width", "image_height")
        return [
            Column("image", "text"),
            Column("frame", "whole", wide=True),
            Column("timestamp", "number", TIME, wide=True),
            Column("time", "number", TIME, wide=True),
            Column("face", "whole"),
            Column("status", "text"),
            *self.of_face(),
            *(Column(name, "whole") for name in whole),
            *(Column(name, "number", POINT) for name in (*self.extra, *self.of_irises)),
            Column("reason", "text"),
        ]

    def of_face(self) -> list[Column]:
        """The columns that describe a face."""
        own = [f"{name}_confidence" for name in self.scheme.names] if self.each else []
        return [
            Column("score", "number", SCORE),
            *(Column(f"box_{side}", "number", BOX) for side in "xywh"),
            *(Column(name, "number", POINT) for name in (*self.scheme.columns, *own)),
            Column("rotation", "number"),
            Column("confidence", "number", POINT),
        ]

    def cells(self, row: Row) -> list[Cell]:
        """The cells of a row in the order of the columns; None if unknown."""
        moment, face, size = row.moment, row.face, row.size
        empty = len(self.scheme) * (3 if self.each else 2) + 7
        extra: list[float | None] = [None] * len(self.extra)
        if extra and face is not None:
            extra = [v for part in (row.measures, row.quality) if part is not None
                     for v in known(part)]  # fmt: skip
        irises: list[float | None] = [None] * len(self.of_irises)
        if irises and face is not None and face.iris is not None:
            irises = known(face.iris.reshape(-1))
        return [
            row.image,
            None if moment is None else moment.frame,
            None if moment is None or moment.timestamp != moment.timestamp else moment.timestamp,
            None if moment is None else moment.time,
            None if face is None else face.number,
            row.status,
            *([None] * empty if face is None else self.face_cells(face)),
            *((None, None) if size is None else size),
            *extra,
            *irises,
            row.reason or None,
        ]

    def face_cells(self, face: Face) -> list[float | None]:
        """The cells of the columns that describe a face."""
        parts = [[face.score], face.box, face.points.reshape(-1)]
        if self.each:
            parts.append(face.confidence)
        parts.append([face.rotation, face.confidence.mean()])
        return known(np.concatenate([np.asarray(part, np.float64) for part in parts]))

    def read(self, cells: Sequence[str]) -> Row:
        """The row from its cells in a text table."""
        after = 3 + len(self.extra) + len(self.of_irises)
        image, frame, timestamp, time, number, status = cells[:6]
        last = cells[-after:]
        moment = None
        if frame:
            moment = Moment(int(frame), float(time), float(timestamp or "nan"))
        size = (int(last[0]), int(last[1])) if last[0] else None
        face = self._face(cells[6:-after], int(number)) if number else None
        if face is not None and self.quality:
            seen = last[self.extra.index(QUALITY[0]) + 2 :][:SEEN]
            face = replace(face, quality=_numbers(seen))
        if face is not None and self.iris:
            irises = last[-1 - len(IRIS) : -1]
            face = replace(face, iris=_numbers(irises).reshape(2, 3))
        return Row(image, status, moment, face, size, None, last[-1])

    def _face(self, cells: Sequence[str], number: int) -> Face:
        k = len(self.scheme)
        values = _numbers(cells)
        points = values[5 : 5 + 2 * k].reshape(k, 2)
        confidence = values[5 + 2 * k : -2] if self.each else np.repeat(values[-1:], k)
        return Face(self.scheme, values[1:5], float(values[0]), points, confidence, number)


def _numbers(cells: Sequence[str]) -> npt.NDArray[np.float32]:
    """The numbers in cells, NaN for empty ones."""
    return np.array([float(cell or "nan") for cell in cells], np.float32)


def known(values: FloatArray) -> list[float | None]:
    """Numbers (N,), None where unknown."""
    return [None if value != value else value for value in values.tolist()]
