"""CVAT's XML 1.1, "for images" and "for video", with skeletons or points."""

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from fkp.errors import LabelError
from fkp.labels.formats.base import (
    CATEGORY,
    MISSING,
    FaceList,
    Format,
    NoLabelsError,
    Point,
    floats,
    numbered_names,
    pairs,
)
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions

Face = dict[str, Point]


def _recognise(source: Source) -> bool:
    return source.xml_root == "annotations"


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read skeletons, each as a face, or points, with one face per group (or per picture).

    Several points in one shape are numbered. Points marked as outside are missing. Of videos, only
    key frames are read, which were set by hand. category: the only label to read. Rows count the
    pictures or key frames from 1.
    """
    faces = FaceList(source, options)
    names: dict[str, None] = {}
    notes: list[str] = []
    videos = source.xml.find("track") is not None
    shapes = _of_tracks(source) if videos else _of_images(source)
    for row, (image, frame, size, found) in enumerate(shapes, start=1):
        try:
            own = _faces(found, options.category)
            for face in own:
                faces.add(row, image, face, size_wh=size, frame=frame)
                names |= dict.fromkeys(face)
            if not own:
                raise NoLabelsError("no points")
        except LabelError as error:
            faces.reject(row, error)
    if videos:
        notes.append("frames between key frames were skipped, since CVAT interpolates them")
    ordered, numbered = numbered_names(names)
    return faces.table(CVAT.title, ordered, numbered=numbered, notes=notes)


def _of_images(source: Source) -> Iterator[tuple[str, int, Point, list[Element]]]:
    """Each picture's name, no frame (-1), its size, and its shapes."""
    for image in source.xml.iter("image"):
        try:
            width, height = floats([image.get("width", ""), image.get("height", "")])
            size = (width, height)
        except LabelError:
            size = MISSING
        yield image.get("name", ""), -1, size, list(image)


def _of_tracks(source: Source) -> Iterator[tuple[str, int, Point, list[Element]]]:
    """For each key frame of each track: the clip, the frame, no size, and the shape."""
    clip = source.xml.findtext("meta/source") or source.xml.findtext("meta/task/source") or ""
    clip = clip or source.xml.findtext("meta/task/name") or source.path.stem
    for track in source.xml.iter("track"):
        for shape in track:
            if shape.get("keyframe") == "1" and shape.get("outside") != "1":
                shape.set("label", track.get("label", ""))
                yield clip, int(shape.get("frame", "0")), MISSING, [shape]


def _faces(shapes: list[Element], category: str | None) -> list[Face]:
    """The faces formed by the shapes of a picture."""
    faces: list[Face] = []
    groups: dict[str, list[Element]] = {}
    for shape in shapes:
        if category is not None and category != shape.get("label") and shape.tag == "skeleton":
            continue
        if shape.tag == "skeleton":
            faces.append(_named(shape.findall("points")))
        elif shape.tag in ("points", "polyline") and shape.get("outside") != "1":
            groups.setdefault(shape.get("group_id", "0"), []).append(shape)
    for group in groups.values():
        single = [shape for shape in group if len(_places(shape)) == 1]
        if single:
            faces.append(_named(single))
        faces += [
            {str(i): place for i, place in enumerate(_places(shape))}
            for shape in group
            if len(_places(shape)) > 1 and category in (None, shape.get("label"))
        ]
    return faces


def _named(points: list[Element]) -> Face:
    """A face of shapes with one point each, named by their labels."""
    face: Face = {}
    for shape in points:
        name = shape.get("label", "")
        if name in face:
            raise LabelError(
                f"the point {name} occurs twice; several faces need groups or skeletons"
            )
        places = _places(shape)
        hidden = shape.get("outside") == "1" or not places
        face[name] = MISSING if hidden else places[0]
    return face


def _places(shape: Element) -> list[Point]:
    """The points of a shape, given as `x,y;x,y`."""
    words = shape.get("points", "").replace(";", ",").split(",")
    numbers = floats([word for word in words if word.strip()])
    if len(numbers) % 2:
        raise LabelError(f"expected x,y;x,y;..., got {len(numbers)} numbers")
    return pairs(numbers)


CVAT = Format("cvat", "CVAT's .xml, for images or video", _recognise, _read, settings=CATEGORY)
