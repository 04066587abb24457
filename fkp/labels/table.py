"""What every reader returns, and what a user may specify about a source."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray, Scheme

UNITS = ("pixels", "fraction", "percent", "signed")
"""Units of labels: pixels, or relative to width and height: 0 to 1, 0 to 100, -1 to 1."""

SIDES = ("subject", "viewer")
"""Whose left and right the point names refer to."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A row that was left out, and why."""

    source: str
    row: int  # line in the file, the header being line 1
    column: str
    reason: str
    malformed: bool = True  # False: a sound row with nothing to learn from

    def __str__(self) -> str:
        column = f", column {self.column}" if self.column else ""
        return f"{self.source} row {self.row}{column}: {self.reason}"


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user may specify about a source if it cannot be told from the files.

    scheme: the scheme of numbered points. flip_pairs: pairs of points that a mirror swaps.
    origin: coordinate of the first pixel's centre, None for 0 or what the source says.
    y_up: y counts upwards from the bottom row. units: one of UNITS, None to infer them.
    sides: one of SIDES, None to infer them. columns: patterns of the columns that hold points or,
    for a list without a header, the names of all columns. category: which kind of object, if there
    are several. limits: (column, value) pairs; rows above the value are left out. images: a folder
    of pictures, an array of pictures, or the clip whose frames are labelled.
    """

    scheme: Scheme | None = None
    flip_pairs: tuple[tuple[str, str], ...] | None = None
    origin: float | None = None
    y_up: bool | None = None
    units: str | None = None
    sides: str | None = None
    columns: tuple[str, ...] = ()
    category: str | None = None
    limits: tuple[tuple[str, float], ...] = ()
    images: Path | None = None

    def __post_init__(self) -> None:
        for name, value, known in (("units", self.units, UNITS), ("sides", self.sides, SIDES)):
            if value is not None and value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value}")


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """N labelled faces of one source.

    points: (N, K, 2) float64 in `units` of the source's pictures, NaN = not labelled.
    rows: (N,) int, the line of each face in its file.
    images: N picture paths as the source spells them (without a suffix if it gives none), or
        None with `pixels`.
    pixels: (N, H, W) uint8 gray pictures, or None with `images`.
    persons: N names, or None if the source does not say who is in the pictures.
    frames: (N,) int, if some of `images` are clips: the frame, from 0; -1 for a picture.
    encoded: functions that return the bytes of the picture file, if the source embeds it.
    sizes_wh: (N, 2) width and height of the pictures according to the source, NaN = unknown.
    units: one of UNITS, None if still to be inferred.
    origin: coordinate of the first pixel's centre, in pixels.
    y_up: y counts upwards from the bottom row. viewer: left and right are the viewer's.
    folder: where relative paths start by default.
    files: files that were read besides `source`.
    other: further columns of the table, N text cells each.
    format: the title of the format.
    """

    source: str
    scheme: Scheme
    points: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    images: list[str] | None = None
    pixels: npt.NDArray[np.uint8] | None = None
    persons: list[str] | None = None
    frames: npt.NDArray[np.int64] | None = None
    encoded: list[Callable[[], bytes] | None] | None = None
    sizes_wh: npt.NDArray[np.float64] | None = None
    units: str | None = None
    origin: float = 0.0
    y_up: bool = False
    viewer: bool = False
    folder: Path = Path()
    files: tuple[Path, ...] = ()
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    other: dict[str, list[str]] = field(default_factory=dict)
    format: str = ""

    def __post_init__(self) -> None:
        n = len(self.rows)
        if self.points.shape != (n, len(self.scheme), 2):
            raise ValueError(f"points: expected {(n, len(self.scheme), 2)}: {self.points.shape}")
        for name in ("images", "pixels", "persons", "frames", "encoded", "sizes_wh"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise ValueError(f"{name}: expected {n}, got {len(value)}")
        if (self.images is None) == (self.pixels is None):
            raise ValueError("a label table has either images or pixels")

    def take(self, keep: npt.NDArray[np.bool_]) -> "LabelTable":
        """The rows that `keep` (N,) marks."""
        at = np.flatnonzero(keep).tolist()

        def some(values: list[Any] | None) -> list[Any] | None:
            return None if values is None else [values[i] for i in at]

        return replace(
            self,
            points=self.points[keep],
            rows=self.rows[keep],
            images=some(self.images),
            pixels=None if self.pixels is None else self.pixels[keep],
            persons=some(self.persons),
            frames=None if self.frames is None else self.frames[keep],
            encoded=some(self.encoded),
            sizes_wh=None if self.sizes_wh is None else self.sizes_wh[keep],
            other={name: [cells[i] for i in at] for name, cells in self.other.items()},
        )

    def said_size(self, i: int) -> tuple[float, float] | None:
        """Width and height of row i's picture according to the source, None if unknown."""
        if self.sizes_wh is None or not np.isfinite(self.sizes_wh[i]).all():
            return None
        return float(self.sizes_wh[i, 0]), float(self.sizes_wh[i, 1])

    def in_pixels(self, rows: int | slice, size_wh: tuple[float, float]) -> npt.NDArray[np.float64]:
        """Labels in pixels of a picture of this size, the first pixel's centre at 0: (K, 2) of a
        row, (M, K, 2) of a slice.
        """
        points = scaled_to_pixels(self.points[rows], self.units or "pixels", size_wh) - self.origin
        if self.y_up:
            points[..., 1] = size_wh[1] - 1 - points[..., 1]
        return points


def scaled_to_pixels(
    points: FloatArray, units: str, size_wh: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Convert points (..., 2) from one of UNITS to pixels of a picture of this size."""
    side = np.asarray(size_wh, np.float64)
    if units == "fraction":
        return points * side
    if units == "percent":
        return points * side / 100
    if units == "signed":
        return (points + 1) / 2 * side
    return np.array(points, np.float64)
