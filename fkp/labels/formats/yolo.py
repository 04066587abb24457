"""Pose data sets of Ultralytics YOLO (`images/`, `labels/` and a .yaml), also written by fkp.

There is a line per face: class, box, and x, y and perhaps visibility of each point, as fractions
of the picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.keypoints.scheme import MOST_POINTS
from fkp.labels.formats.base import (
    CATEGORY,
    MISSING,
    FaceList,
    Format,
    NoLabelsError,
    Point,
    floats,
)
from fkp.labels.source import Source, decode_text
from fkp.labels.table import LabelTable, ReadOptions

_BOX = 5
"""Number of values before the points: class and box."""

_LISTS = ("classes.txt", "labels.txt", "train.txt", "val.txt", "test.txt")
"""Text files of a data set that are not labels."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """The content of the .yaml. count: of points, 0 = unknown; each: numbers per point."""

    count: int = 0
    each: int = 0
    names: tuple[str, ...] = ()
    flip: tuple[int, ...] = ()
    classes: Mapping[str, str] = field(default_factory=dict)
    origin: float = 0.0


def _recognise(source: Source) -> bool:
    if source.is_folder:
        return bool(_labels(source.path)) and (
            _yaml(source.path) is not None or (source.path / "labels").is_dir()
        )
    return "kpt_shape:" in "".join(source.first_lines)


def _yaml(folder: Path) -> Path | None:
    """The .yaml of a data set, in its folder or the parent folder."""
    for place in (folder, folder.parent):
        for path in sorted([*place.glob("*.yaml"), *place.glob("*.yml")]):
            if b"kpt_shape" in path.read_bytes()[: 1 << 16]:
                return path
    return None


def _labels(folder: Path) -> list[Path]:
    """The label files of a data set, in `labels` folders if there are any."""
    inside = [folder / "labels"] if (folder / "labels").is_dir() else []
    inside = inside or [path for path in sorted(folder.glob("*/labels")) if path.is_dir()]
    found = [path for place in inside or [folder] for path in Source(place).files(".txt")]
    return [path for path in found if path.name.lower() not in _LISTS]


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read all label files of a data set, sorted; rows count the faces from 1.

    category: the only class to read.
    """
    root = source.folder
    about = _yaml(root) if source.is_folder else source.path
    files = _labels(root)
    lines = [
        (path, line)
        for path in files
        for line in decode_text(path.read_bytes(), str(path)).splitlines()
        if line.strip()
    ]
    facts = _facts(about) if about else _Facts()
    facts = _completed(source, facts, [line.split() for _, line in lines])
    faces = FaceList(source, options)
    for row, (path, line) in enumerate(lines, start=1):
        kind, *words = line.split()
        try:
            if options.category not in (None, kind, facts.classes.get(kind)):
                raise NoLabelsError(f"class {kind}")
            faces.add(row, _picture(path, root), _points(floats(words), facts))
        except NoLabelsError as error:
            faces.reject(row, error)
        except LabelError as error:
            faces.reject(row, f"{path.relative_to(root)}: {error}")
    table = faces.table(
        YOLO.title, facts.names, numbered=not facts.names, units="fraction", origin=facts.origin,
        folder=root,
    )  # fmt: skip
    scheme = table.scheme
    if scheme.flip_order is None and len(facts.flip) == len(scheme):
        scheme = replace(scheme, flip_order=facts.flip)
    return replace(table, scheme=scheme, files=tuple(files))


def _facts(path: Path) -> _Facts:
    """Read the .yaml of a data set."""
    try:
        data = JsonValue(yaml.safe_load(path.read_bytes()))
        count, each = (int(v) for v in data["kpt_shape"].numbers(2, 2 * MOST_POINTS))
        flip = data.get("flip_idx")
        origin = data.get("pixel_origin")
        return _Facts(
            count,
            each,
            tuple(_point_names(data.get("kpt_names") or data.get("node_names"))),
            tuple(int(v) for v in flip.numbers(0, MOST_POINTS)) if flip else (),
            _classes(data.get("names")),
            origin.number(0, 1) if origin else 0.0,
        )
    except (yaml.YAMLError, RecursionError, ValueError, JsonError) as error:
        first = " ".join(str(error).split())[:120]
        raise LabelError(f"{path}: expected kpt_shape: [points, 2 or 3]: {first}") from error


def _point_names(value: JsonValue | None) -> list[str]:
    """Point names: a list, or the first of several lists by class."""
    if value is None:
        return []
    if isinstance(value.data, dict):
        value = next((JsonValue(v, value.place) for v in value.data.values()), JsonValue([]))
    return [item.name() for item in value.items()]


def _classes(value: JsonValue | None) -> dict[str, str]:
    """Class names by number."""
    if value is None:
        return {}
    if value.is_list():
        return {str(i): item.name() for i, item in enumerate(value.items())}
    if not isinstance(value.data, dict):
        return {}
    return {str(key): str(name) for key, name in value.data.items()}


def _completed(source: Source, facts: _Facts, lines: Sequence[Sequence[str]]) -> _Facts:
    """Infer from the label lines what the .yaml does not say."""
    if not lines:
        raise LabelError(f"{source}: the label files have no lines")
    if facts.each not in (0, 2, 3) or (facts.names and len(facts.names) != facts.count):
        raise LabelError(f"{source}: expected 2 or 3 numbers and a name for each point")
    if facts.count:
        return facts
    numbers = [line[_BOX:] for line in lines]
    count = len(numbers[0])
    if count == 0:
        raise LabelError(f"{source}: the labels are boxes without points")
    flags = {flag for line in numbers for flag in line[2::3]}
    if count % 3 == 0 and flags <= {"0", "1", "2", "0.0", "1.0", "2.0"}:
        return replace(facts, count=count // 3, each=3)
    if count % 2 == 0:
        return replace(facts, count=count // 2, each=2)
    raise LabelError(f"{source}: expected points after the box, got {count} numbers")


def _points(numbers: list[float], facts: _Facts) -> list[Point]:
    """The points of a face; those with visibility 0, or at 0, 0, are missing."""
    own = numbers[_BOX - 1 :]
    if len(own) != facts.count * facts.each:
        raise LabelError(f"expected {facts.count * facts.each} numbers, got {len(own)}")
    if not own:
        raise NoLabelsError("a box without points")
    rows = [own[i : i + facts.each] for i in range(0, len(own), facts.each)]
    return [
        MISSING if (row[2:] == [0] or (row[0] == 0 and row[1] == 0)) else (row[0], row[1])
        for row in rows
    ]


def _picture(path: Path, root: Path) -> str:
    """The picture of a label file, without suffix, relative to the data set.

    It is in `images` if the label file is in `labels`; if there is no such folder, its path
    relative to `labels` is returned.
    """
    parts = path.relative_to(root).with_suffix("").parts
    if "labels" in parts[:-1]:
        at = parts.index("labels")
        inside = (*parts[:at], "images")
    elif root.name == "labels":
        at, inside = -1, ("..", "images")
    else:
        return "/".join(parts)
    below = parts[at + 1 :]
    return "/".join((*inside, *below) if root.joinpath(*inside).is_dir() else below)


YOLO = Format(
    "yolo",
    "YOLO pose folder (and fkp's yolo/)",
    _recognise,
    _read,
    settings=CATEGORY,
)
