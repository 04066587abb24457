"""Supervisely projects: `meta.json`, and `ann/` and `img/` of each data set."""

from pathlib import Path

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import FARTHEST
from fkp.labels.formats.base import (
    CATEGORY,
    MISSING,
    FaceList,
    Format,
    NoLabelsError,
    Point,
    point_of,
)
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

Face = dict[str, Point]


def _recognise(source: Source) -> bool:
    if source.is_folder:
        return bool(_annotations(source))
    value = source.json_or_none
    return value is not None and value.has("size", "objects")


def _annotations(source: Source) -> list[Path]:
    """The annotation files: the file itself, or all in folders `ann`."""
    if not source.is_folder:
        return [source.path]
    files = source.files(".json")
    return [path for path in files if path.parent.name == "ann"]


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read each graph as a face, or all points of a picture, named by their classes, as one face.

    category: the only class of graphs to read. Rows count the files from 1.
    """
    faces = FaceList(source, options)
    nodes = _nodes(source)
    for row, path in enumerate(_annotations(source), start=1):
        name = source.relative(path)
        try:
            value = JsonValue.parse(path.read_bytes())
            size = value["size"]
            width, height = (size[side].number(1, FARTHEST) for side in ("width", "height"))
            found = _faces(value, nodes, options.category)
            for face in found:
                faces.add(row, _picture(name), face, size_wh=(width, height))
            if not found:
                raise NoLabelsError("no points")
        except NoLabelsError as error:
            faces.reject(row, error)
        except (JsonError, LabelError) as error:
            faces.reject(row, f"{name}: {error}")
    return faces.table(SUPERVISELY.title)


def _picture(name: str) -> str:
    """The picture of an annotation file: `dataset/img/a.jpg` for `dataset/ann/a.jpg.json`."""
    path = Path(name)
    image = path.with_suffix("")
    if path.parent.name == "ann":
        image = path.parent.with_name("img") / image.name
    elif path.parent == Path():
        image = Path("..") / "img" / image.name
    return image.as_posix()


def _nodes(source: Source) -> dict[str, str]:
    """The labels of graph nodes, from `meta.json`."""
    places = [source.folder, *source.folder.parents[:2]]
    path = next((p / "meta.json" for p in places if (p / "meta.json").is_file()), None)
    labels: dict[str, str] = {}
    if path is None:
        return labels
    try:
        for kind in JsonValue.parse(path.read_bytes())["classes"].items():
            geometry = kind.get("geometry_config")
            nodes = geometry.get("nodes") if geometry and geometry.data else None
            for key, node in nodes.members().items() if nodes else ():
                label = node.get("label")
                labels[key] = label.name() if label else key
    except JsonError as error:
        raise LabelError(f"{path}: {error}") from error
    return labels


def _faces(value: JsonValue, nodes: dict[str, str], category: str | None) -> list[Face]:
    """The faces of one file."""
    single: Face = {}
    faces: list[Face] = []
    for item in value["objects"].items():
        title = item["classTitle"].name()
        if item.has("nodes"):
            if category in (None, title):
                faces.append(_graph(item["nodes"], nodes))
            continue
        kind = item.get("geometryType")
        if kind is not None and kind.text() != "point":
            continue
        places = list(item["points"]["exterior"].items())
        if len(places) != 1:
            continue
        if title in single:
            raise LabelError(f"the point {title} occurs twice; several faces need graphs")
        single[title] = point_of(places[0])
    return [single, *faces] if single else faces


def _graph(value: JsonValue, labels: dict[str, str]) -> Face:
    """The nodes of a graph by label; disabled nodes are missing."""
    face: Face = {}
    for key, node in value.members().items():
        disabled = node.get("disabled")
        off = disabled is not None and disabled.data is True
        face[labels.get(key, key)] = MISSING if off else point_of(node["loc"])
    return face


SUPERVISELY = Format(
    "supervisely",
    "Supervisely project (folder)",
    _recognise,
    _read,
    settings=CATEGORY,
)
