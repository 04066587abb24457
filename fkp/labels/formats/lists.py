"""Lists without a header, a picture and numbers in a line: MTFL's, and those like it.

Known are MTFL (TCDCN, ECCV 2014), `path x1..x5 y1..y5` and perhaps four attributes, and the lists
in which the points come as x1 y1 x2 y2 ... after a box, before one, or alone.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting, UndecidedError
from fkp.keypoints import IBUG68, MTFL5, WFLW98, Scheme
from fkp.labels.cells import shortened
from fkp.labels.check import misfit
from fkp.labels.columns import find_points
from fkp.labels.formats.base import FaceList, Format, Point, floats
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_PATH = r"[^\s,;][^,;\t]*?\.[A-Za-z]\w{1,4}"
_LINE = re.compile(
    rf'\s*"?(?P<path>{_PATH})"?(?P<rest>(?:[\s,;]+[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)+)[\s,;]*'
)

_EXTRA = 4
"""A box, or MTFL's attributes."""

_LOOK = 200
"""So many lines decide how a list is read."""

_CLEAR = 0.7
"""One reading is taken where its faces are so much better, or smaller, than the next best ones."""

_NO_FACE = 0.5
"""A larger misfit has no face."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers of a line are points. skip: numbers in front; turn: x and y in turn."""

    count: int
    skip: int
    turn: bool

    def points(self, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(N, C) numbers as (N, K, 2) points."""
        own = numbers[:, self.skip : self.skip + 2 * self.count]
        if self.turn:
            return own.reshape(len(own), self.count, 2)
        return np.stack([own[:, : self.count], own[:, self.count :]], -1)

    def __str__(self) -> str:
        k = self.count
        order = f"x1 y1 x2 y2 ... y{k}" if self.turn else f"x1 ... x{k} y1 ... y{k}"
        return f"path{' box' if self.skip else ''} {order}"


def _split(line: str) -> tuple[str, list[str]] | None:
    """The picture and the numbers of a line; None where it is no such line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    return match["path"].strip().strip('"'), re.split(r"[\s,;]+", match["rest"].strip(" \t,;"))


def _recognise(source: Source) -> bool:
    lines = source.first_lines[:3]
    split = [_split(line) for line in lines]
    return bool(split) and all(s is not None and len(s[1]) >= 4 for s in split)


def _recognise_mtfl(source: Source) -> bool:
    if not _recognise(source):
        return False
    numbers = _numbers(source.first_lines)
    if numbers.shape[1] not in (10, 14):
        return False
    layout = _chosen(numbers, _layouts(numbers.shape[1]), MTFL5)
    return layout == Layout(5, 0, turn=False)


def _numbers(lines: Sequence[str]) -> npt.NDArray[np.float64]:
    """The numbers of the lines that have as many as the first one: (N, C)."""
    split = [s for line in lines[:_LOOK] if (s := _split(line)) is not None]
    count = len(split[0][1])
    return np.array([floats(words) for _, words in split if len(words) == count])


def _layouts(count: int) -> list[Layout]:
    """How so many numbers can be points."""
    layouts = []
    for extra in (0, _EXTRA):
        if (count - extra) % 2 == 0 and count - extra >= 4:
            k = (count - extra) // 2
            skips = sorted({0, extra})
            layouts += [Layout(k, skip, turn) for skip in skips for turn in (True, False)]
    return layouts


def _scheme(count: int, options: ReadOptions) -> Scheme | None:
    if options.scheme is not None:
        return options.scheme if len(options.scheme) == count else None
    return {len(s): s for s in (MTFL5, IBUG68, WFLW98)}.get(count)


def _chosen(
    numbers: npt.NDArray[np.float64], layouts: Sequence[Layout], scheme: Scheme | None
) -> Layout | None:
    """The one reading in which the numbers are faces; None where there is not one alone.

    Where the points are known, they have the shape of a face. Otherwise four numbers in front are a
    box if the points lie in it, and the faces are clearly the smallest: x and y mixed up spread
    over the whole picture.
    """
    if scheme is not None:
        ranked = [own for own in layouts if own.count == len(scheme)]
        misfits = [float(np.median(misfit(own.points(numbers), scheme))) for own in ranked]
        order = np.argsort(misfits)
        best = misfits[order[0]]
        clear = len(order) == 1 or best < _CLEAR * misfits[order[1]]
        return ranked[int(order[0])] if clear and best < _NO_FACE else None
    every = max(own.count for own in layouts)
    boxed = [own for own in layouts if own.skip and _in_box(numbers, own.points(numbers))]
    ranked = boxed or [own for own in layouts if own.count == every]
    sizes = [float(np.median(np.ptp(own.points(numbers), axis=1).max(-1))) for own in ranked]
    order = np.argsort(sizes)
    if len(order) > 1 and sizes[order[0]] > _CLEAR * sizes[order[1]]:
        return None
    return ranked[int(order[0])]


def _in_box(numbers: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> bool:
    """Whether the first four numbers are a box around the points (N, K, 2) of most rows: corner
    and size, two corners, or left, right, top, bottom.
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
    """Points of each line, in the one order in which they are faces, or as `columns` says."""
    if options.columns:
        return _read_columns(source, options)
    numbers = _numbers(source.first_lines)
    layouts = _layouts(numbers.shape[1])
    schemes = [s for own in layouts if (s := _scheme(own.count, options)) is not None]
    layout = _chosen(numbers, layouts, schemes[0] if schemes else None)
    if layout is None:
        first = shortened(source.first_lines[0], 80)
        raise UndecidedError(
            f"{source}: a list without a header, {numbers.shape[1]} numbers after each path "
            f"({first}); which of them are points cannot be told",
            Setting(
                "columns", "image,NAME_x,NAME_y,...", "the names of all columns; -*4 skips four"
            ),
        )
    return _read_layout(source, options, LIST.title, layout, _scheme(layout.count, options))


def _read_mtfl(source: Source, options: ReadOptions) -> LabelTable:
    """Five points a line: the eyes, nose tip and mouth corners, left to right as seen.

    The original files have four attributes after the ten coordinates; they are not used.
    """
    return _read_layout(source, options, MTFL.title, Layout(5, 0, turn=False), MTFL5)


def _read_layout(
    source: Source, options: ReadOptions, form: str, layout: Layout, scheme: Scheme | None
) -> LabelTable:
    counts = {layout.skip + 2 * layout.count, 2 * layout.count + _EXTRA}

    def points(words: Sequence[str]) -> list[Point]:
        if len(words) not in counts:
            raise LabelError(
                f"expected a path and {' or '.join(map(str, sorted(counts)))} numbers, "
                f"got {len(words) + 1} words"
            )
        own = layout.points(np.array([floats(words)]))[0]
        return [(float(x), float(y)) for x, y in own]

    faces = _read_lines(source, options, points)
    notes = [f"each line is {layout}"] if form == LIST.title else []
    return faces.table(form, scheme=scheme, numbered=True, notes=notes)


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
    """Columns named by the user; those named `-`, and those after the last name, are skipped."""
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
    """`-*4` as four columns to skip."""
    names: list[str] = []
    for column in columns:
        match = re.fullmatch(r"-\*(\d{1,4})", column)
        names += ["-"] * int(match[1]) if match else [column]
    return names


MTFL = Format("mtfl", "MTFL's training.txt (path x1 ... x5 y1 ... y5)", _recognise_mtfl, _read_mtfl)
LIST = Format("list", "list without a header (path and numbers)", _recognise, _read)
