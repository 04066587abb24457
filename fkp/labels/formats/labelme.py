"""LabelMe's JSON files, one per picture, with points as shapes."""

import base64
import binascii
from collections.abc import Callable
from pathlib import Path

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import FARTHEST
from fkp.labels.formats.base import MISSING, FaceList, Format, Point, point_of
from fkp.labels.source import HEAD, Source
from fkp.labels.table import LabelTable, ReadOptions

Face = dict[str, Point]


def _recognise(source: Source) -> bool:
    return bool(_files(source))


def _files(source: Source) -> list[Path]:
    """The LabelMe files of a source: the file itself, or all in the folder."""
    if not source.is_folder:
        return [source.path] if source.starts_as_json and _has_shapes(source.path) else []
    return [path for path in source.files(".json") if _has_shapes(path)]


def _has_shapes(path: Path) -> bool:
    """Whether a file has LabelMe's members, perhaps after a large `imageData`."""
    with path.open("rb") as file:
        head = file.read(HEAD)
    if b'"shapes"' in head and b'"imagePath"' in head:
        return True
    return b'"imageData"' in head and b'"shapes"' in path.read_bytes()


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read the points of all files by label; those with the same `group_id` form a face.

    Rows count the files from 1. Other shapes are skipped.
    """
    faces = FaceList(source, options)
    for number, path in enumerate(_files(source) or [source.path], start=1):
        name = source.relative(path)
        try:
            value = JsonValue.parse(path.read_bytes())
            image = _beside(name, value["imagePath"].text())
            size = _size(value)
            for face in _faces(value):
                faces.add(number, image, face, size_wh=size, encoded=_embedded(path, value))
        except (JsonError, LabelError) as error:
            faces.reject(number, f"{name}: {error}")
    return faces.table(LABELME.title)


def _beside(name: str, image: str) -> str:
    """The path of a picture, which is relative to its label file, relative to the source."""
    image = image.replace("\\", "/")
    return image if image.startswith("/") else str(Path(name).parent / image)


def _size(value: JsonValue) -> Point:
    width, height = value.get("imageWidth"), value.get("imageHeight")
    if width is None or height is None:
        return MISSING
    return width.number(1, FARTHEST), height.number(1, FARTHEST)


def _faces(value: JsonValue) -> list[Face]:
    """The faces of one file."""
    groups: dict[str, Face] = {}
    for shape in value["shapes"].items():
        kind = shape.get("shape_type")
        if kind is not None and kind.text() != "point":
            continue
        group = shape.get("group_id")
        face = groups.setdefault(group.name() if group else "", {})
        name = shape["label"].text()
        if name in face:
            raise LabelError(f"the point {name} occurs twice; several faces need a group_id each")
        face[name] = point_of(next(shape["points"].items(), shape["points"]))
    if not groups:
        raise LabelError("expected points")
    return list(groups.values())


def _embedded(path: Path, value: JsonValue) -> Callable[[], bytes] | None:
    """A function that returns the embedded picture, None if there is none."""
    if value.get("imageData") is None:
        return None

    def read() -> bytes:
        try:
            return base64.b64decode(JsonValue.parse(path.read_bytes())["imageData"].text())
        except (JsonError, binascii.Error) as error:
            raise LabelError(f"{path}: imageData: {error}") from error

    return read


LABELME = Format("labelme", "LabelMe's .json files (folder or file)", _recognise, _read)
