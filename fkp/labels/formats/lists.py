"""Lists without a header, with a picture path and numbers in each line.

Examples are MTFL (TCDCN, ECCV 2014), `path x1..x5 y1..y5` and perhaps four attributes, and lists
with a box followed by points as x1 y1 x2 y2 ...
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting, UndecidedError
from fkp.keypoints import IBUG68, MTFL5, WFLW98
from fkp.labels.cells import shortened
from fkp.labels.check import misfit
from fkp.labels.columns import find_points
from fkp.labels.formats.base import COLUMNS, FaceList, Format, Point, floats
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_PATH = r"[^\s,;][^,;\t]*?\.[A-Za-z]\w{1,4}"
_LINE = re.compile(
    rf'\s*"?(?P<path>{_PATH})"?(?P<rest>(?:[\s,;]+[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)+)[\s,;]*'
)

_EXTRA = 8
"""Limit for the numbers of a line that are not points: a box, a count, attributes."""

_BOX, _ATTRIBUTES = 4, 4

_PROOF = 20
"""Number of lines of which most must be lines of a list."""

_LOOK = 200
"""Number of lines that decide how a list is read."""

_CLEAR = 0.7
"""A reading is chosen if its misfit, or its faces' size, is this much below the next best."""

_NO_FACE = 0.5
"""Points with a larger misfit are not faces."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers of a line form points: `skip` other numbers, `count` points with x and y
    alternating (turn) or all x first, and `rest` other numbers.
    """

    count: int
    skip: int = 0
    rest: int = 0
    turn: bool = True

    def points(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Convert (N, C) numbers to (N, K, 2) points."""
        own = numbers[:, self.skip : self.skip + 2 * self.count]
        if self.turn:
            return own.reshape(len(own), self.count, 2)
        return np.stack([own[:, : self.count], own[:, self.count :]], -1)

    def __str__(self) -> str:
        k = self.count
        order = f"x1 y1 x2 y2 ... y{k}" if self.turn else f"x1 ... x{k} y1 ... y{k}"
        before = "" if not self.skip else " box" if self.skip == _BOX else f" ({self.skip} others)"
        return f"path{before} {order}{f' ({self.rest} others)' if self.rest else ''}"


def _split(line: str) -> tuple[str, list[str]] | None:
    """The path and the numbers of a line, None if it is not a line of a list."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    return match["path"].strip().strip('"'), re.split(r"[\s,;]+", match["rest"].strip(" \t,;"))


def _recognise(source: Source) -> bool:
    lines = source.first_lines[:_PROOF]
    fitting = [(s := _split(line)) is not None and len(s[1]) >= 4 for line in lines]
    return bool(fitting) and fitting[0] and sum(fitting) > len(lines) / 2


def _recognise_mtfl(source: Source) -> bool:
    if not _recognise(source):
        return False
    numbers = _numbers(source.first_lines)
    return _chosen(numbers, ReadOptions()) in (
        Layout(5, turn=False), Layout(5, rest=_ATTRIBUTES, turn=False),
    )  # fmt: skip


def _numbers(lines: Sequence[str]) -> npt.NDArray[np.float64]:
    """(N, C) the numbers of the lines with the most common count."""
    split = [s for line in lines[:_LOOK] if (s := _split(line)) is not None]
    count = Counter(len(words) for _, words in split).most_common(1)[0][0]
    return np.array([floats(words) for _, words in split if len(words) == count])


def _chosen(numbers: npt.NDArray[np.float64], options: ReadOptions) -> Layout | None:
    """The reading in which the numbers form faces, None if there is none or several."""
    count = numbers.shape[1]
    schemes = [options.scheme] if options.scheme else [MTFL5, IBUG68, WFLW98]
    layouts = [
        (Layout(len(scheme), skip, count - skip - 2 * len(scheme), turn), scheme)
        for scheme in schemes
        for skip in range(min(_EXTRA, count - 2 * len(scheme)) + 1)
        for turn in (True, False)
        if count - 2 * len(scheme) <= _EXTRA
    ]
    if not layouts:
        return _smallest(numbers)
    misfits = [float(np.median(misfit(own.points(numbers), scheme))) for own, scheme in layouts]
    order = np.argsort(misfits)
    best = misfits[order[0]]
    clear = len(order) == 1 or best < _CLEAR * misfits[order[1]]
    return layouts[int(order[0])][0] if clear and best < _NO_FACE else None


def _smallest(numbers: npt.NDArray[np.float64]) -> Layout | None:
    """The reading of unknown points with clearly the smallest faces, None if there is none.

    If x and y are confused, points spread over the whole picture. Four leading numbers are a box if
    it contains the points.
    """
    count = numbers.shape[1]
    if count % 2:
        return None
    layouts = [Layout((count - _BOX) // 2, _BOX, turn=turn) for turn in (True, False)]
    layouts = [own for own in layouts if own.count > 1 and _in_box(numbers, own.points(numbers))]
    layouts = layouts or [Layout(count // 2, turn=turn) for turn in (True, False)]
    sizes = [float(np.median(np.ptp(own.points(numbers), axis=1).max(-1))) for own in layouts]
    order = np.argsort(sizes)
    if len(order) > 1 and sizes[order[0]] > _CLEAR * sizes[order[1]]:
        return None
    return layouts[int(order[0])]


def _in_box(numbers: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> bool:
    """Whether the first four numbers are a box that contains the points (N, K, 2) in most rows,
    given as corner and size, as two corners, or as left, right, top, bottom.
    """
    a, b, c, d = numbers[:, :4].T
    for left, top, right, bottom in ((a, b, a + c, b + d), (a, b, c, d), (a, c, b, d)):
        low, high = np.stack([left, top], -1)[:, None], np.stack([right, bottom], -1)[:, None]
        margin = 0.1 * (high - low)
        inside = ((points >= low - margin) & (points <= high + margin)).all(-1)
        if (inside.mean(1) > 0.9).mean() > 0.8:
            return True
    return False


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read points in the order in which they form faces, or as `columns` says."""
    if options.columns:
        return _read_columns(source, options)
    numbers = _numbers(source.first_lines)
    layout = _chosen(numbers, options)
    if layout is None:
        first = shortened(source.first_lines[0], 80)
        raise UndecidedError(
            f"{source}: a list without a header and with {numbers.shape[1]} numbers per line "
            f"({first}); it is not clear which of them are points",
            Setting("columns", "image,NAME_x,NAME_y,...", "names of all columns; -*4 skips four"),
        )
    return _read_layout(source, options, LIST.title, layout)


def _read_mtfl(source: Source, options: ReadOptions) -> LabelTable:
    """Read five points per line: the eyes, nose tip and mouth corners, from left to right.

    The four attributes of the original files are skipped.
    """
    if options.columns:
        return _read_columns(source, options)
    return _read_layout(source, options, MTFL.title, Layout(5, turn=False))


def _read_layout(source: Source, options: ReadOptions, format: str, layout: Layout) -> LabelTable:
    counts = {layout.skip + 2 * layout.count + layout.rest}
    if format == MTFL.title:
        counts.add(2 * layout.count + _ATTRIBUTES)

    def points(words: Sequence[str]) -> list[Point]:
        if len(words) not in counts:
            raise LabelError(
                f"expected a path and {' or '.join(map(str, sorted(counts)))} numbers, "
                f"got {len(words) + 1} words"
            )
        own = layout.points(np.array([floats(words)]))[0]
        return [(float(x), float(y)) for x, y in own]

    faces = _read_lines(source, options, points)
    known = (MTFL5, IBUG68, WFLW98) if options.scheme is None else (options.scheme,)
    scheme = next((s for s in known if len(s) == layout.count), None)
    notes = [f"each line is {layout}"] if format == LIST.title else []
    return faces.table(format, scheme=scheme, numbered=True, notes=notes)


def _read_lines(
    source: Source, options: ReadOptions, points: Callable[[Sequence[str]], list[Point]]
) -> FaceList:
    faces = FaceList(source, options)
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not line.strip():
            continue
        split = _split(line) or _loosely(line)
        try:
            faces.add(number, split[0], points(split[1]))
        except LabelError as error:
            faces.reject(number, error)
    return faces


def _loosely(line: str) -> tuple[str, list[str]]:
    first, *rest = re.split(r"[\s,;]+", line.strip())
    return first, rest


def _read_columns(source: Source, options: ReadOptions) -> LabelTable:
    """Read the columns that the user named; `-`, and columns after the last name, are skipped."""
    names = _expanded(options.columns)
    places = [i for i, name in enumerate(names) if name in ("image", "path", "file", "filename")]
    found = find_points(names)
    if len(places) != 1 or found is None:
        raise LabelError(
            f"{source}: expected columns with one image and points <name>_x, <name>_y, "
            f"got {','.join(options.columns)}"
        )
    faces = FaceList(source, options)
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not line.strip():
            continue
        words = [word for word in re.split(r"[\s,;]+", line.strip()) if word]
        try:
            if len(words) < len(names):
                raise LabelError(f"expected {len(names)} words, got {len(words)}")
            own = [(floats([words[x]])[0], floats([words[y]])[0]) for x, y in found.columns]
            faces.add(number, words[places[0]], dict(zip(found.names, own, strict=True)))
        except LabelError as error:
            faces.reject(number, error)
    return faces.table(LIST.title, found.names, numbered=found.numbered)


def _expanded(columns: Sequence[str]) -> list[str]:
    """Expand `-*4` to four skipped columns."""
    names: list[str] = []
    for column in columns:
        match = re.fullmatch(r"-\*(\d{1,4})", column)
        names += ["-"] * int(match[1]) if match else [column]
    return names


MTFL = Format(
    "mtfl",
    "MTFL's training.txt (path x1 ... x5 y1 ... y5)",
    _recognise_mtfl,
    _read_mtfl,
    settings=COLUMNS,
)
LIST = Format(
    "list",
    "list without a header (path and numbers)",
    _recognise,
    _read,
    settings=COLUMNS,
)
