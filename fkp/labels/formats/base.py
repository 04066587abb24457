"""The definition of a label format, and what the readers of all formats share."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.keypoints import Scheme
from fkp.labels.cells import FARTHEST, shortened
from fkp.labels.columns import find_scheme
from fkp.labels.source import Source
from fkp.labels.store import Samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected

Point = tuple[float, float]
CATEGORY, COLUMNS = frozenset({"category"}), frozenset({"columns"})
"""Settings that only some formats support."""

MISSING: Point = (float("nan"), float("nan"))


@dataclass(frozen=True, slots=True)
class Format:
    """A label format.

    name: its short name. title: what it is, in a few words.
    recognise: whether a file or folder has this format, inspecting as little as possible.
    read: reads all labelled faces; raises LabelError if there are none.
    write: writes a data set to a file or folder; returns the rows that the format cannot hold.
    output: a name for what is written. settings: which of `category` and `columns` it supports.
    """

    name: str
    title: str
    recognise: Callable[[Source], bool]
    read: Callable[[Source, ReadOptions], LabelTable]
    write: Callable[[Samples, Path], list[Rejected]] | None = None
    output: str = ""
    settings: frozenset[str] = frozenset()


@dataclass(slots=True)
class FaceList:
    """Collects the faces of a source while it is read; `table` returns them as a LabelTable."""

    source: Source
    options: ReadOptions
    _faces: list[Mapping[str, Point] | Sequence[Point]] = field(default_factory=list)
    _images: list[str] = field(default_factory=list)
    _rows: list[int] = field(default_factory=list)
    _persons: list[str] = field(default_factory=list)
    _frames: list[int] = field(default_factory=list)
    _sizes: list[Point] = field(default_factory=list)
    _encoded: list[Callable[[], bytes] | None] = field(default_factory=list)
    _others: list[dict[str, str]] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._rows)

    def add(
        self,
        row: int,
        image: str,
        points: Mapping[str, Point] | Sequence[Point],
        *,
        size_wh: Point = MISSING,
        person: str = "",
        frame: int = -1,
        encoded: Callable[[], bytes] | None = None,
        other: dict[str, str] | None = None,
    ) -> None:
        """Add a face with points by name or in order; raises LabelError if they are implausible."""
        values = np.array(list(points.values() if isinstance(points, Mapping) else points))
        if values.size == 0 or not np.isfinite(values).any():
            raise NoLabelsError("no point is labelled")
        if (np.abs(values) > FARTHEST).any():
            raise LabelError(f"expected coordinates of at most {FARTHEST:.0f}")
        if not isinstance(points, Mapping) and self._faces and len(points) != len(self._faces[0]):
            raise LabelError(f"expected {len(self._faces[0])} points as before, got {len(points)}")
        self._faces.append(points)
        self._images.append(image)
        self._rows.append(row)
        self._persons.append(person)
        self._frames.append(frame)
        self._sizes.append(size_wh)
        self._encoded.append(encoded)
        self._others.append(other or {})

    def reject(self, row: int, reason: object, column: str = "") -> None:
        """Report a row that cannot be used; NoLabelsError marks a valid row without labels."""
        sound = isinstance(reason, NoLabelsError)
        self.rejected.append(Rejected(str(self.source), row, column, str(reason), not sound))

    def table(
        self,
        format: str,
        names: Sequence[str] = (),
        *,
        scheme: Scheme | None = None,
        numbered: bool = False,
        notes: Sequence[str] = (),
        units: str | None = None,
        origin: float = 0.0,
        viewer: bool = False,
        folder: Path | None = None,
    ) -> LabelTable:
        """The table of all faces; raises LabelError if there are none.

        names: all points in order; by default, in the order of their first appearance. scheme: the
        points, if the format defines them. numbered: the names are numbers. The other arguments
        are those of LabelTable.
        """
        if not self._rows:
            first = next((r for r in self.rejected if r.malformed), None)
            reason = str(first or next(iter(self.rejected), f"{self.source}: no labelled face"))
            raise LabelError(reason)
        all_names = list(names or dict.fromkeys(n for face in self._faces for n in _names(face)))
        if scheme is None:
            scheme, order = find_scheme(all_names, self.options, numbered, str(self.source))
        else:
            all_names, order = list(scheme.names), list(range(len(scheme)))
        wanted = [all_names[i] for i in order]
        points = np.array([_ordered(face, wanted, order) for face in self._faces], np.float64)
        points[np.isnan(points).any(-1)] = np.nan  # a point with one coordinate is no point
        sizes = np.array(self._sizes, np.float64)
        columns = dict.fromkeys(name for other in self._others for name in other)
        return LabelTable(
            str(self.source), scheme, points, np.array(self._rows, np.int64),
            images=self._images,
            persons=self._persons if all(self._persons) else None,
            frames=np.array(self._frames, np.int64) if max(self._frames) >= 0 else None,
            sizes_wh=sizes if np.isfinite(sizes).any() else None,
            encoded=self._encoded if any(self._encoded) else None,
            units=units, origin=origin, viewer=viewer,
            folder=folder or self.source.folder,
            rejected=self.rejected, notes=list(notes), format=format,
            other={name: [other.get(name, "") for other in self._others] for name in columns},
        )  # fmt: skip


def floats(words: Sequence[str]) -> list[float]:
    """Convert words to numbers; LabelError names the first invalid one."""
    numbers = []
    for word in words:
        try:
            numbers.append(float(word))
        except ValueError as error:
            raise LabelError(f'expected a number, got "{shortened(word)}"') from error
    return numbers


def numbered_names(names: Iterable[str]) -> tuple[list[str], bool]:
    """Point names in order, and whether all of them are numbers."""
    words = list(names)
    if words and all(re.fullmatch(r"\d{1,6}", word) for word in words):
        return sorted(words, key=int), True
    return words, False


def pairs(numbers: Sequence[float]) -> list[Point]:
    """Convert alternating x and y to points."""
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def point_of(value: JsonValue) -> Point:
    """The point of a list [x, y]."""
    numbers = value.numbers(-FARTHEST, FARTHEST)
    if len(numbers) != 2:
        raise JsonError(f"{value.place}: expected x and y, got {len(numbers)} numbers")
    return float(numbers[0]), float(numbers[1])


class NoLabelsError(LabelError):
    """A valid row without labelled points."""


def _names(face: Mapping[str, Point] | Sequence[Point]) -> Sequence[str]:
    return list(face) if isinstance(face, Mapping) else [f"p{i}" for i in range(len(face))]


def _ordered(
    face: Mapping[str, Point] | Sequence[Point], names: Sequence[str], order: Sequence[int]
) -> list[Point]:
    if isinstance(face, Mapping):
        return [face.get(name, MISSING) for name in names]
    return [face[i] for i in order]
