"""dlib's and imglab's XML: boxes with parts."""

from xml.etree.ElementTree import Element

from fkp.errors import LabelError
from fkp.labels.formats.base import FaceList, Format, NoLabelsError, Point, floats, numbered_names
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions


def _recognise(source: Source) -> bool:
    return source.xml_root == "dataset"


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read the parts of each box by name; boxes marked as ignored are skipped.

    Rows count the boxes from 1.
    """
    faces = FaceList(source, options)
    names: dict[str, None] = {}
    row = 0
    for image in source.xml.iter("image"):
        for box in image.iter("box"):
            row += 1
            try:
                if box.get("ignore", "0") not in ("0", "false"):
                    raise NoLabelsError("a box marked as ignored")
                parts = _parts(box)
                if not parts:
                    raise NoLabelsError("a box without parts")
                faces.add(row, image.get("file", ""), parts)
                names |= dict.fromkeys(parts)
            except LabelError as error:
                faces.reject(row, error)
    ordered, numbered = numbered_names(names)
    return faces.table(DLIB.title, ordered, numbered=numbered)


def _parts(box: Element) -> dict[str, Point]:
    parts: dict[str, Point] = {}
    for part in box.iter("part"):
        name = part.get("name", "")
        if not name or name in parts:
            raise LabelError(f'expected parts with different names, got "{name}"')
        x, y = floats([part.get("x", ""), part.get("y", "")])
        parts[name] = x, y
    return parts


DLIB = Format("dlib", "dlib's or imglab's .xml", _recognise, _read)
