"""LabelMe's JSON files, one beside each picture, with points as shapes."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from fkp.errors import LabelError, parse_json
from fkp.keypoints import SCHEMES, Scheme
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, from_origin

Face = dict[str, tuple[float, float]]


def labelme_files(path: Path) -> list[Path]:
    """The LabelMe files that are meant: the file itself, or all in a folder."""
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    return [file for file in files if looks_like_labelme(_head(file))]


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16)


def looks_like_labelme(head: bytes) -> bool:
    """Whether a file begins as a JSON object with shapes."""
    return head.lstrip().startswith(b"{") and b'"shapes"' in head


def read_labelme(path: Path, options: ReadOptions) -> LabelTable:
    """The points of all files, by their labels; those of one `group_id` are one face.

    Rows count the files from 1. Shapes other than points are passed over.
    """
    source = str(path)
    folder = path if path.is_dir() else path.parent
    faces: list[Face] = []
    images: list[str] = []
    rows: list[int] = []
    rejected: list[Rejected] = []
    for number, file in enumerate(labelme_files(path), start=1):
        try:
            found, picture = _faces(file)
        except LabelError as error:
            name = file.relative_to(folder)
            rejected.append(Rejected(source, number, "", f"{name}: {error}"))
            continue
        for face in found:
            faces.append(face)
            images.append(str(picture.relative_to(folder)))
            rows.append(number)
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: no file has points")
    names = dict.fromkeys(name for face in faces for name in face)
    scheme = _scheme(list(names), options)
    missing = (float("nan"), float("nan"))
    points = np.array([[face.get(name, missing) for name in scheme.names] for face in faces])
    array, fraction, notes = from_origin(points, options)
    return LabelTable(
        source, scheme, array, np.array(rows, np.int64),
        images=images, fraction=fraction, folders=(options.images or folder,),
        rejected=rejected, notes=notes,
    )  # fmt: skip


def _scheme(names: list[str], options: ReadOptions) -> Scheme:
    """The built-in scheme with these names in any order, or one of its own."""
    for scheme in SCHEMES.values():
        if set(scheme.names) == set(names) and options.flip_pairs is None:
            return scheme
    return Scheme.from_names(names, options.flip_pairs)


def _faces(path: Path) -> tuple[list[Face], Path]:
    """The faces of one file, and their picture."""
    try:
        data: dict[str, Any] = parse_json(path.read_bytes())
        picture = path.parent / str(data["imagePath"]).replace("\\", "/")
        groups: dict[object, Face] = {}
        for shape in data["shapes"]:
            if shape.get("shape_type", "point") != "point":
                continue
            face = groups.setdefault(shape.get("group_id"), {})
            name, ((x, y),) = str(shape["label"]), shape["points"]
            if name in face:
                raise LabelError(f"the point {name} stands twice; faces need a group_id each")
            face[name] = (float(x), float(y))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LabelError(f"not a LabelMe file: {type(error).__name__} {error}") from error
    coordinates = [v for face in groups.values() for point in face.values() for v in point]
    if not coordinates or not (np.abs(coordinates) <= FARTHEST).all():
        raise LabelError(f"expected points, with coordinates of at most {FARTHEST:.0f}")
    if not os.path.isfile(picture):
        raise LabelError(f"its picture {picture.name} is not there")
    return list(groups.values()), picture
