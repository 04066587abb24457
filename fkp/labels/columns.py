"""Which columns of a table hold which points."""

import re
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from fkp.errors import LabelError
from fkp.keypoints import IBUG68, SCHEMES, WFLW98, Scheme
from fkp.keypoints.scheme import MOST_POINTS
from fkp.labels.cells import listed
from fkp.labels.table import ReadOptions

_BY_COUNT = {len(scheme): scheme for scheme in (IBUG68, WFLW98)}
"""The schemes that numbered points are assumed to follow, by their count."""

_NO_POINTS = frozenset(
    {"box", "bbox", "boundingbox", "bounding", "rect", "facerect", "rectangle", "roi", "crop"}
    | {"gaze", "pose", "headpose", "rotation", "translation", "angle", "scale", "size", "offset"}
    | {"shift", "velocity", "resolution"}
)
"""Words in names of things that have an x and a y but are not keypoints."""

_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

_NAMED = (
    re.compile(r"(?P<name>.+)[_. -](?P<axis>[xXyY])"),
    re.compile(r"(?P<name>.+?) ?[\[(](?P<axis>[xXyY])(?: ?\w+)?[\])]"),
    re.compile(r"(?P<name>.*[a-z0-9])(?P<axis>[XY])"),
    re.compile(r"(?P<axis>[xXyY])[_. -](?P<name>[^\W\d].*)"),
)
_NUMBERED = re.compile(r"(?P<prefix>.*?)(?P<axis>[xXyY])[_. -]?(?P<number>\d{1,9})")
_COUNTED = re.compile(r"(.*?)(\d{1,9})")


@dataclass(frozen=True, slots=True)
class PointColumns:
    """Which columns of a table hold which points: column indices (K, 2).

    numbered: the points are named by numbers. others: pairs of columns that were ignored.
    """

    names: tuple[str, ...]
    columns: tuple[tuple[int, int], ...]
    numbered: bool
    others: tuple[str, ...] = ()

    def scheme(self, options: ReadOptions, source: str) -> tuple[Scheme, "PointColumns"]:
        """The scheme of these columns of a source, and the columns in the scheme's order."""
        scheme, order = find_scheme(self.names, options, self.numbered, source)
        columns = tuple(self.columns[i] for i in order)
        return scheme, PointColumns(scheme.names, columns, False, self.others)

    def note(self, header: Sequence[str]) -> str:
        """Which other coordinate columns were ignored, "" if there are none."""
        if not self.others:
            return ""
        (first, _), (_, last) = self.columns[0], self.columns[-1]
        return (
            f"points were taken from {len(self.columns)} pairs of columns, {header[first]} to "
            f"{header[last]}; ignored: {listed(self.others, 3)}"
        )


def find_scheme(
    names: Sequence[str], options: ReadOptions, numbered: bool, source: str
) -> tuple[Scheme, list[int]]:
    """The scheme for points with these names, and the index of each of its points among them.

    Raises LabelError if the names are not different, or too many.
    """
    names = [" ".join(name.split()) for name in names]  # they become column names
    if numbered and all(name.isdigit() for name in names):
        names = [f"p{i}" for i in range(len(names))]
    if len(names) > MOST_POINTS:
        raise LabelError(f"{source}: {len(names)} points, expected at most {MOST_POINTS}")
    twice = [name for name, count in Counter(names).items() if count > 1 or not name]
    if twice:
        raise LabelError(f'{source}: expected points with different names, got "{twice[0]}" twice')
    if numbered and options.scheme is not None:
        if len(options.scheme) != len(names):
            raise LabelError(
                f"{source}: scheme {options.scheme.name} has {len(options.scheme)} points, "
                f"the table {len(names)}"
            )
        return options.scheme, list(range(len(names)))
    if options.flip_pairs is None:
        for scheme in SCHEMES.values():
            if set(scheme.names) == set(names):
                return scheme, [names.index(name) for name in scheme.names]
        if numbered and len(names) in _BY_COUNT:
            return _BY_COUNT[len(names)], list(range(len(names)))
    return Scheme.from_names(names, options.flip_pairs), list(range(len(names)))


def find_points(header: Sequence[str], wanted: Sequence[str] = ()) -> PointColumns | None:
    """The point columns of a header; of several readings, the one with the most points.

    Recognised are `<name>_x, <name>_y` (also with a dot, a space, brackets, a capital, or the axis
    first), `x0, y0` with or without a prefix, and bare numbers in pairs. Boxes, circles, gaze
    and pose are not points. wanted: patterns of the only columns to consider.
    """
    index = {name.strip(): i for i, name in enumerate(header) if name.strip()}
    if wanted:
        index = {n: i for n, i in index.items() if any(fnmatchcase(n, w) for w in wanted)}
    readings = [*_by_name(index, bool(wanted)), *_by_number(index, bool(wanted)), *_bare(index)]
    if not readings:
        return None
    best = max(readings, key=lambda reading: len(reading.names))
    others = [r.columns[0][0] for r in readings if r is not best]
    return replace(best, others=tuple(header[i].strip() for i in others))


def _by_name(index: dict[str, int], every: bool) -> list[PointColumns]:
    """`<name>_x, <name>_y` and the like; `every` includes boxes, gaze and pose."""
    found: dict[str, dict[str, int]] = {}
    for name, i in index.items():
        match = next(filter(None, (format.fullmatch(name) for format in _NAMED)), None)
        if match:
            axes = found.setdefault(match["name"].strip(), {})
            axes.setdefault(match["axis"].lower(), i)
    pairs = {n: (axes["x"], axes["y"]) for n, axes in found.items() if len(axes) == 2}
    if not every:
        lower = {column.lower() for column in index}
        pairs = {n: pair for n, pair in pairs.items() if not _is_no_point(n, lower)}
    if not pairs:
        return []
    counted = {name: match for name in pairs if (match := _COUNTED.fullmatch(name))}
    numbers = {name: int(match[2]) for name, match in counted.items()}
    alike = len({match[1] for match in counted.values()}) == 1 and len(counted) == len(pairs) > 1
    numbered = alike and _counts(sorted(numbers.values()))
    names = sorted(pairs, key=lambda name: numbers[name]) if numbered else list(pairs)
    return [PointColumns(tuple(names), tuple(pairs[n] for n in names), numbered)]


def _is_no_point(name: str, columns: AbstractSet[str]) -> bool:
    """Whether `<name>_x, <name>_y` is a box, a circle or the like, judging by other columns."""
    return _says_no_point(name) or any(
        {f"{name}{s}{other}".lower() for other in others} <= columns
        for s in ("_", ".", " ", "-", "")
        for others in (("w", "h"), ("width", "height"), ("radius",))
    )


def _says_no_point(name: str) -> bool:
    """Whether a name contains a word for something other than a keypoint."""
    words = [word.lower() for word in _WORDS.findall(name)]
    return bool(_NO_POINTS & {*words, "".join(words)})


def _by_number(index: dict[str, int], every: bool) -> list[PointColumns]:
    """`x0, y0`, also with a prefix: one reading per prefix, lower-case ones first."""
    found: dict[tuple[bool, str], dict[int, dict[str, int]]] = {}
    for name, i in index.items():
        match = _NUMBERED.fullmatch(name)
        if match and (every or not _says_no_point(match["prefix"])):
            numbers = found.setdefault((match["axis"].isupper(), match["prefix"]), {})
            numbers.setdefault(int(match["number"]), {})[match["axis"].lower()] = i
    readings = []
    for (_, prefix), numbers in sorted(found.items()):
        pairs = [numbers[k] for k in sorted(numbers) if len(numbers[k]) == 2]
        # x1, y1, x2, y2 alone are the corners of a box.
        corners = not prefix and len(pairs) == 2 and all(f"x{k}" in index for k in numbers)
        if pairs and (every or not corners):
            readings.append(_numbered([(pair["x"], pair["y"]) for pair in pairs]))
    return readings


def _bare(index: dict[str, int]) -> list[PointColumns]:
    """Columns 0, 1, 2, ... or 1, 2, 3, ...: alternately x and y."""
    bare = sorted((int(n), i) for n, i in index.items() if re.fullmatch(r"\d{1,9}", n))
    if len(bare) < 2 or len(bare) % 2 or not _counts([n for n, _ in bare]):
        return []
    columns = [i for _, i in bare]
    return [_numbered(list(zip(columns[::2], columns[1::2], strict=True)))]


def _numbered(pairs: Sequence[tuple[int, int]]) -> PointColumns:
    return PointColumns(tuple(f"p{i}" for i in range(len(pairs))), tuple(pairs), True)


def _counts(numbers: Sequence[int]) -> bool:
    """Whether sorted numbers count from 0 or 1."""
    first = numbers[0]
    return first in (0, 1) and list(numbers) == list(range(first, first + len(numbers)))
