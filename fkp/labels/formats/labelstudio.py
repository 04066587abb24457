"""Label Studio's JSON and JSON-MIN, with points in percent of the picture."""

import re
from collections.abc import Iterator

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import FARTHEST
from fkp.labels.formats.base import FaceList, Format, NoLabelsError, Point
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_KIND = "keypointlabels"
_BOX = "rectanglelabels"
_PICTURE = re.compile(r".+\.[A-Za-z]\w{2,4}(\?.*)?$")

Face = dict[str, Point]


def _recognise(source: Source) -> bool:
    value = source.json_or_none
    if value is None or not value.is_list() or not value.data:
        return False
    first = next(value.items())
    if first.has("data") and (first.has("annotations") or first.has("completions")):
        return True
    return isinstance(first.data, dict) and any(
        region.has(_KIND) for name in first.data for region in _regions_of(first[name])
    )


def _regions_of(value: JsonValue) -> list[JsonValue]:
    return list(value.items()) if value.is_list() else []


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read the points of each task by label; rows count the tasks from 1.

    Points with the same parent region, or in the same box, form a face. Of several annotations of
    a task, the first that was not cancelled is used.
    """
    faces = FaceList(source, options)
    several = 0
    for row, task in enumerate(source.json.items(), start=1):
        try:
            image = _picture(task)
            results = list(_annotations(task))
            if not results:
                raise NoLabelsError("no annotation")
            several += len(results) > 1
            own = _faces(results[0])
            for face, size in own:
                faces.add(row, image, face, size_wh=size)
            if not own:
                raise NoLabelsError("no key points")
        except (JsonError, LabelError) as error:
            faces.reject(row, error)
    notes = [f"{several} tasks have several annotations; the first was used"] if several else []
    return faces.table(LABELSTUDIO.title, notes=notes, units="pixels")


def _picture(task: JsonValue) -> str:
    """The picture of a task: the first string in its data that looks like a path."""
    data = task["data"] if task.has("data") else task
    for name, value in data.members().items():
        if isinstance(value.data, str) and _PICTURE.fullmatch(value.data) and name != "file_upload":
            return value.text()
    raise LabelError("its data names no picture")


def _annotations(task: JsonValue) -> Iterator[list[JsonValue]]:
    """The regions of each annotation that was not cancelled."""
    if not task.has("data"):  # JSON-MIN
        lists = [_regions_of(value) for value in task.members().values()]
        yield [region for regions in lists for region in regions if isinstance(region.data, dict)]
        return
    for annotation in task["annotations" if task.has("annotations") else "completions"].items():
        cancelled = annotation.get("was_cancelled")
        if cancelled is None or cancelled.data is not True:
            yield list(annotation["result"].items())


def _faces(regions: list[JsonValue]) -> list[tuple[Face, Point]]:
    """The faces formed by regions, and the size of their picture."""
    boxes: dict[str, tuple[float, float, float, float]] = {}
    points: list[tuple[str, str, Point, Point]] = []
    for region in regions:
        value = region.get("value") or region
        if value.has(_BOX):
            key = region.get("id")
            x, y, w, h = (value[n].number() for n in ("x", "y", "width", "height"))
            boxes[key.name() if key else str(len(boxes))] = (x, y, x + w, y + h)
        if value.has(_KIND):
            parent = region.get("parentID")
            points.append((parent.name() if parent else "", *_point(region, value)))
    names = [name for _, name, _, _ in points]
    apart = len(set(names)) < len(names) and not any(parent for parent, *_ in points)
    groups: dict[str, tuple[Face, Point]] = {}
    for parent_id, name, place, size in points:
        group = _box_around(place, size, boxes) if apart else parent_id
        face, _ = groups.setdefault(group, ({}, size))
        if name in face:
            raise LabelError(
                f"the point {name} occurs twice; several faces need a box or a parent region each"
            )
        face[name] = place
    return list(groups.values())


def _point(region: JsonValue, value: JsonValue) -> tuple[str, Point, Point]:
    """The name of a point, its position in pixels, and the size of the picture."""
    rotation = region.get("image_rotation")
    if rotation is not None and rotation.number() != 0:
        raise LabelError("pictures rotated in Label Studio are not supported")
    width = (region.get("original_width") or value["original_width"]).number(1, FARTHEST)
    height = (region.get("original_height") or value["original_height"]).number(1, FARTHEST)
    labels = [label.name() for label in value[_KIND].items()]
    if len(labels) != 1:
        raise LabelError(f"expected one label for each point, got {len(labels)}")
    x, y = (value[axis].number(-FARTHEST, FARTHEST) for axis in "xy")
    return labels[0], (x * width / 100, y * height / 100), (width, height)


def _box_around(
    place: Point, size: Point, boxes: dict[str, tuple[float, float, float, float]]
) -> str:
    """The box that contains a point, "" if there are none or several."""
    x, y = (100 * v / side for v, side in zip(place, size, strict=True))
    found = [k for k, (a, b, c, d) in boxes.items() if a <= x <= c and b <= y <= d]
    return found[0] if len(found) == 1 else ""


LABELSTUDIO = Format("labelstudio", "Label Studio's JSON or JSON-MIN", _recognise, _read)
