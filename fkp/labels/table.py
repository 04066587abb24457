"""What every reader of a foreign format returns, and the reading of cells that they share."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError
from fkp.keypoints import SCHEMES, Scheme

FARTHEST = 1e6
"""Coordinates beyond this are no pixels of any picture."""


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


@dataclass(frozen=True, slots=True, eq=False)
class LabelTable:
    """N labelled faces of one source.

    points: (N, K, 2) float64 pixels of the source's pictures, NaN = not labelled;
        with `fraction`, fractions of their width and height.
    rows: (N,) int, the line of each face in its file.
    images: N paths of pictures as the source spells them, or None with `pixels`.
    pixels: (N, H, W) uint8 gray pictures, or None with `images`.
    persons: N names, or None where the source does not say who is in the picture.
    folders: where relative paths may start, tried in this order.
    other: further columns of the table, N cells of text each.
    """

    source: str
    scheme: Scheme
    points: npt.NDArray[np.float64]
    rows: npt.NDArray[np.int64]
    images: list[str] | None = None
    pixels: npt.NDArray[np.uint8] | None = None
    persons: list[str] | None = None
    fraction: bool = False
    folders: tuple[Path, ...] = ()
    rejected: list[Rejected] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    other: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.rows)
        if self.points.shape != (n, len(self.scheme), 2):
            raise ValueError(f"points: expected {(n, len(self.scheme), 2)}: {self.points.shape}")
        for name in ("images", "pixels", "persons"):
            value = getattr(self, name)
            if value is not None and len(value) != n:
                raise ValueError(f"{name}: expected {n}, got {len(value)}")
        if (self.images is None) == (self.pixels is None):
            raise ValueError("a label table has either images or pixels")


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user may say about a source where looking at it is not enough."""

    scheme: Scheme | None = None  # for columns without names
    flip_pairs: tuple[tuple[str, str], ...] | None = None
    origin: int = 0  # 1: the first pixel's centre is at 1
    units: str = "auto"  # pixels | fraction | auto
    limits: tuple[tuple[str, float], ...] = ()  # rows above such a column's value are left out
    images: Path | None = None  # a folder of pictures, or an array of them


@dataclass(frozen=True, slots=True)
class PointColumns:
    """Which columns of a table hold which points: column indices (K, 2)."""

    names: tuple[str, ...]
    columns: tuple[tuple[int, int], ...]
    numbered: bool  # the columns have no names of their own

    def scheme(self, options: ReadOptions) -> tuple[Scheme, "PointColumns"]:
        """The scheme of these columns, and the columns in the scheme's order."""
        wanted = options.scheme
        if self.numbered and wanted is not None:
            if len(wanted) != len(self.names):
                raise LabelError(
                    f"scheme {wanted.name} has {len(wanted)} points, the table {len(self.names)}"
                )
            return wanted, PointColumns(wanted.names, self.columns, False)
        for scheme in SCHEMES.values():
            if set(scheme.names) == set(self.names) and options.flip_pairs is None:
                order = [self.names.index(name) for name in scheme.names]
                return scheme, PointColumns(
                    scheme.names, tuple(self.columns[i] for i in order), False
                )
        return Scheme.from_names(self.names, options.flip_pairs), self


def decode_text(data: bytes, source: str) -> str:
    """UTF-8 text (with or without a byte order mark), or a LabelError that says where not."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise LabelError(
            f"{source} row {row}: expected UTF-8 text, got the byte 0x{data[error.start]:02x}; "
            "save the file as UTF-8"
        ) from error


def check_columns(header: Sequence[str], source: str) -> None:
    """Refuse a header in which a column stands twice."""
    seen: set[str] = set()
    for name in header:
        if name and name in seen:
            raise LabelError(f"{source} row 1: the column {name} stands twice; rename or drop one")
        seen.add(name)


def find_points(header: Sequence[str]) -> PointColumns | None:
    """The point columns of a header: `<name>_x, <name>_y`, `x0, y0`, or bare numbers in pairs."""
    index = {name.strip(): i for i, name in enumerate(header)}
    named = [
        (n[: -len(x)], i, index[n[: -len(x)] + y])
        for n, i in index.items()
        for x, y in (("_x", "_y"), (".x", ".y"), (" x", " y"), ("_X", "_Y"))
        if n.endswith(x) and len(n) > 2 and n[: -len(x)] + y in index
    ]
    named = [item for item in named if item[0] not in ("box", "crop")]
    if named:
        return PointColumns(
            tuple(n for n, _, _ in named), tuple((x, y) for _, x, y in named), False
        )
    numbered = [
        (int(m.group(1)), i, index[f"y{n[1:]}"])
        for n, i in index.items()
        if (m := re.fullmatch(r"x_?(\d+)", n)) and f"y{n[1:]}" in index
    ]
    if numbered:
        numbered.sort()
        pairs = tuple((x, y) for _, x, y in numbered)
        return PointColumns(tuple(f"p{i}" for i in range(len(pairs))), pairs, True)
    bare = sorted((int(n), i) for n, i in index.items() if re.fullmatch(r"\d+", n))
    if len(bare) >= 2 and len(bare) % 2 == 0 and bare[0][0] in (0, 1):
        columns = [i for _, i in bare]
        pairs = tuple(zip(columns[::2], columns[1::2], strict=True))
        return PointColumns(tuple(f"p{i}" for i in range(len(pairs))), pairs, True)
    return None


def parse_numbers(
    cells: pd.DataFrame,
    source: str,
    rows: npt.NDArray[np.int64],
    complain: Callable[[Rejected], None],
) -> npt.NDArray[np.float64]:
    """Cells (N, C), text or numbers, as float64; empty cells are NaN.

    The first bad cell of each row is told to `complain`.
    """
    if all(dtype.kind == "f" for dtype in cells.dtypes):
        return cells.to_numpy(np.float64)
    values = np.full(cells.shape, np.nan)
    told: set[int] = set()
    for j, name in enumerate(cells.columns):
        text = cells.iloc[:, j].str.strip()
        missing = text.isna() | text.str.lower().isin(("", "nan", "na", "null", "none"))
        numbers = pd.to_numeric(text.where(~missing), errors="coerce").to_numpy(np.float64)
        values[:, j] = numbers
        bad = np.flatnonzero(~missing.to_numpy(bool) & ~(np.abs(numbers) <= FARTHEST))
        for i in bad:
            if int(i) not in told:
                told.add(int(i))
                got = str(text.iloc[i])[:40]
                wanted = (
                    "a number" if not np.isfinite(numbers[i]) else f"at most {FARTHEST:.0f} pixels"
                )
                complain(
                    Rejected(source, int(rows[i]), str(name), f'expected {wanted}, got "{got}"')
                )
    return values


def other_columns(
    frame: pd.DataFrame, keep: npt.NDArray[np.bool_], points: PointColumns | None, image: int = -1
) -> dict[str, list[str]]:
    """What a table says of the kept rows beside their points and pictures, as text."""
    used = {image, *(i for pair in points.columns for i in pair)} if points else {image}
    return {
        str(name): frame.iloc[:, i][keep].astype(str).tolist()
        for i, name in enumerate(frame.columns)
        if i not in used and str(name)
    }


def from_origin(
    points: npt.NDArray[np.float64], options: ReadOptions
) -> tuple[npt.NDArray[np.float64], bool, list[str]]:
    """Points with their first pixel at 0, whether they are fractions of the picture, and notes.

    With units `auto`, labels that all lie within 0..1 are taken for fractions.
    """
    notes = []
    finite = points[np.isfinite(points)]
    fraction = options.units == "fraction"
    if options.units == "auto" and finite.size and finite.min() >= 0 and 0 < finite.max() <= 1:
        fraction = True
        notes.append(
            "labels lie within 0..1: taken as fractions of the picture's side (--units pixels)"
        )
    if options.origin:
        points = points - options.origin
        notes.append(f"{options.origin} subtracted from every coordinate (--origin)")
    return points, fraction, notes
