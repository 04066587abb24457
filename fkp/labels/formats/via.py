"""VGG Image Annotator (VIA 2): CSV, JSON annotations, and projects."""

import csv
import io
from collections.abc import Iterator

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import FARTHEST
from fkp.labels.formats.base import FaceList, Format, NoLabelsError, Point, numbered_names
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

_NAMES = ("name", "label", "keypoint", "landmark", "point", "part", "type", "class", "id")
"""Attributes of a region that may name its point, the most likely first."""

_GROUPS = ("face", "person", "group", "group_id", "instance", "object", "subject")
"""Attributes that may distinguish the faces of a picture."""

_COLUMNS = {"filename", "region_shape_attributes", "region_attributes"}

Region = tuple[JsonValue, JsonValue]
"""Shape attributes and region attributes."""


def _recognise(source: Source) -> bool:
    if source.is_folder:
        return False
    value = source.json_or_none
    if value is not None:
        return _metadata(value) is not None or _is_third(value)
    first = source.first_lines[0] if source.first_lines else ""
    return {name.strip().strip('"#') for name in first.split(",")} >= _COLUMNS


def _is_third(value: JsonValue) -> bool:
    return value.has("project", "metadata", "view", "file")


def _metadata(value: JsonValue) -> dict[str, JsonValue] | None:
    """The files of a project or of exported annotations, None if it is neither."""
    if value.has("_via_img_metadata"):
        return value["_via_img_metadata"].members()
    if not isinstance(value.data, dict) or not value.data:
        return None
    members = value.members()
    first = next(iter(members.values()))
    return members if first.has("filename", "regions") else None


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read the points of each file, named by an attribute, or numbered without one.

    An attribute such as `face` or `person` distinguishes the faces of a picture. Rows are the first
    line of each file in CSV, and count the files from 1 in JSON.
    """
    faces = FaceList(source, options)
    names: dict[str, None] = {}
    for row, image, regions in _files(source):
        try:
            own = _faces(list(regions))
            for face in own:
                faces.add(row, image, face)
                names |= dict.fromkeys(face)
            if not own:
                raise NoLabelsError("no points")
        except (JsonError, LabelError) as error:
            faces.reject(row, error)
    ordered, numbered = numbered_names(names)
    return faces.table(VIA.title, ordered, numbered=numbered)


def _files(source: Source) -> Iterator[tuple[int, str, list[Region]]]:
    """The row, the name and the regions of each file."""
    value = source.json_or_none
    if value is None:
        yield from _files_of_csv(source)
        return
    found = _metadata(value)
    if found is None:
        raise LabelError(f"{source}: projects of VIA 3 are not supported, only those of VIA 2")
    for row, file in enumerate(found.values(), start=1):
        try:
            regions = file["regions"]
            inside = regions.items() if regions.is_list() else regions.members().values()
            pairs = [(r["shape_attributes"], r["region_attributes"]) for r in inside]
            yield row, file["filename"].text(), pairs
        except JsonError as error:
            raise LabelError(f"{source}: {error}") from error


def _files_of_csv(source: Source) -> Iterator[tuple[int, str, list[Region]]]:
    reader = csv.DictReader(io.StringIO(source.text))
    reader.fieldnames = [name.strip("# ") for name in reader.fieldnames or ()]
    files: dict[str, tuple[int, list[Region]]] = {}
    try:
        for number, line in enumerate(reader, start=2):
            _, regions = files.setdefault(str(line["filename"]), (number, []))
            shape, about = (
                JsonValue(JsonValue.parse(line[name] or "{}").data, f"row {number} {name}")
                for name in ("region_shape_attributes", "region_attributes")
            )
            if shape.data:
                regions.append((shape, about))
    except (csv.Error, JsonError, KeyError) as error:
        raise LabelError(f"{source}: not a valid CSV of VIA: {error}") from error
    for name, (number, regions) in files.items():
        yield number, name, regions


def _faces(regions: list[Region]) -> list[dict[str, Point]]:
    """The faces of one file."""
    points = [(shape, about) for shape, about in regions if shape["name"].text() == "point"]
    attributes = [_texts(about) for _, about in points]
    group = next((key for key in _GROUPS if all(key in a for a in attributes)), None)
    named = _naming(attributes, group)
    faces: dict[str, dict[str, Point]] = {}
    for (shape, _), about in zip(points, attributes, strict=True):
        face = faces.setdefault(about[group] if group else "", {})
        name = about.get(named, "") if named else str(len(face))
        if name in face:
            raise LabelError(
                f"the point {name} occurs twice; an attribute such as face must tell faces apart"
            )
        face[name] = (
            shape["cx"].number(-FARTHEST, FARTHEST),
            shape["cy"].number(-FARTHEST, FARTHEST),
        )
    for shape, _ in regions:
        if shape["name"].text() in ("polyline", "polygon") and not points:
            xs, ys = (shape[f"all_points_{a}"].numbers(-FARTHEST, FARTHEST) for a in "xy")
            places = zip(xs.tolist(), ys.tolist(), strict=False)
            faces[str(len(faces))] = {str(i): place for i, place in enumerate(places)}
    return list(faces.values())


def _texts(about: JsonValue) -> dict[str, str]:
    """The attributes of a region as text; of checkboxes, the only one that is set."""
    texts = {}
    for name, value in about.members().items():
        if isinstance(value.data, dict):
            chosen = [key for key, on in value.data.items() if on]
            texts[name] = chosen[0] if len(chosen) == 1 else ""
        elif isinstance(value.data, str | int):
            texts[name] = value.name()
    return {name: text for name, text in texts.items() if text}


def _naming(attributes: list[dict[str, str]], group: str | None) -> str | None:
    """The attribute, common to all points, that names them; None if there is none."""
    common = [
        key for key in (attributes[0] if attributes else {})
        if key != group and all(key in a for a in attributes)
    ]  # fmt: skip
    likely = sorted(common, key=lambda k: _NAMES.index(k.lower()) if k.lower() in _NAMES else 99)
    different = [key for key in likely if len({a[key] for a in attributes}) > 1]
    return next(iter(different or likely), None)


VIA = Format("via", "VGG Image Annotator's .csv or .json", _recognise, _read)
