"""COCO keypoints JSON (Lin et al., ECCV 2014), also written by CVAT, Label Studio and fkp."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting, UndecidedError
from fkp.files import replace_text
from fkp.json_values import JsonError, JsonValue
from fkp.keypoints.scheme import MOST_POINTS
from fkp.labels.cells import FARTHEST, listed
from fkp.labels.formats.base import (
    CATEGORY,
    MISSING,
    FaceList,
    Format,
    NoLabelsError,
    Point,
    numbered_names,
)
from fkp.labels.formats.out import PictureFiles, picture_files, relative_to
from fkp.labels.source import Source
from fkp.labels.store import Samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected
from fkp.vision.images import Encoded


def _recognise(source: Source) -> bool:
    value = source.json_or_none
    return value is not None and value.has("images", "annotations")


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read all annotations of the category with keypoints; points with visibility 0 are missing.

    Rows count the annotations from 1. Ids may be numbers or strings.
    """
    data = source.json
    images: dict[str, tuple[str, Point]] = {}
    try:
        for image in data["images"].items():
            images[image["id"].name()] = image["file_name"].text(), _size(image)
        kinds = _kinds(data)
        annotations = list(data["annotations"].items())
    except JsonError as error:
        raise LabelError(f"{source}: not COCO keypoints: {error}") from error
    wanted, names = _chosen(source, kinds, options.category)
    faces = FaceList(source, options)
    others = 0
    for number, annotation in enumerate(annotations, start=1):
        try:
            if annotation["category_id"].name() not in wanted:
                others += 1
                continue
            key = annotation["image_id"].name()
            if key not in images:
                raise LabelError(f"no image has the id {key}")
            file, size = images[key]
            points = _points(annotation, len(names))
            faces.add(number, file, points, size_wh=size, person=_person(annotation))
        except (JsonError, LabelError) as error:
            faces.reject(number, error, "keypoints")
    notes = [f"{others} annotations of other categories were skipped"] if others else []
    _, numbered = numbered_names(names)
    return faces.table(COCO.title, names, numbered=numbered, notes=notes)


def _size(image: JsonValue) -> Point:
    width, height = image.get("width"), image.get("height")
    if width is None or height is None:
        return MISSING
    size = width.number(0, FARTHEST), height.number(0, FARTHEST)
    return size if min(size) > 0 else MISSING


def _kinds(data: JsonValue) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The name and the point names of each category with keypoints.

    If no category names points, the points of the annotations are numbered.
    """
    kinds = {}
    categories = data.get("categories")
    titles: dict[str, str] = {}
    for category in categories.items() if categories else ():
        points = category.get("keypoints")
        names = tuple(item.name() for item in points.items()) if points else ()
        title = category.get("name")
        key = category["id"].name()
        titles[key] = title.name() if title else ""
        if names:
            kinds[key] = titles[key], names
    if kinds:
        return kinds
    for annotation in data["annotations"].items():
        points = annotation.get("keypoints")
        count = len(points.data) // 3 if points and points.is_list() else 0
        if count and count <= MOST_POINTS:
            key = annotation["category_id"].name()
            kinds.setdefault(key, (titles.get(key, key), tuple(map(str, range(count)))))
    return kinds


def _chosen(
    source: Source, kinds: dict[str, tuple[str, tuple[str, ...]]], category: str | None
) -> tuple[set[str], tuple[str, ...]]:
    """The ids of the categories to read, and their points."""
    if not kinds:
        raise LabelError(f"{source}: no annotation has keypoints, only boxes or outlines")
    if category is not None:
        fitting = {key for key, (name, _) in kinds.items() if category in (name, key)}
        if not fitting:
            known = listed([name for name, _ in kinds.values()])
            raise LabelError(f"{source}: no category {category} with keypoints; there are {known}")
        kinds = {key: kinds[key] for key in fitting}
    sets = {names: name for name, names in reversed(kinds.values())}
    if len(sets) > 1:
        shown = ", ".join(f"{name} ({len(names)} points)" for name, names in kinds.values())
        raise UndecidedError(
            f"{source}: several categories have keypoints: {shown}",
            *(Setting("category", name) for name in sets.values()),
        )
    return set(kinds), next(iter(sets))


def _person(annotation: JsonValue) -> str:
    """The person in an annotation's attributes, as `fkp convert` writes them; "" if none."""
    attributes = annotation.get("attributes")
    if attributes is None or not attributes.has("person"):
        return ""
    person = attributes.get("person")
    return person.name() if person else ""


def _points(annotation: JsonValue, count: int) -> list[Point]:
    """The points of an annotation, given as x, y, visibility."""
    keypoints = annotation.get("keypoints")
    if keypoints is None or (keypoints.is_list() and not keypoints.data):
        raise NoLabelsError("an annotation without keypoints")
    triples = keypoints.numbers(-FARTHEST, FARTHEST)
    if triples.shape != (3 * count,):
        raise LabelError(f"expected {3 * count} numbers, got {triples.size}")
    return [(x, y) if seen > 0 else MISSING for x, y, seen in triples.reshape(count, 3).tolist()]


def _write(samples: Samples, output: Path) -> list[Rejected]:
    """Write COCO keypoints, with visibility 2 for labelled and 0 for missing points."""
    pictures = picture_files(samples, output.with_name(f"{output.stem}_pictures"))
    scheme = pictures.scheme
    numbers: dict[str, int] = {}
    images = []
    annotations = []
    for i, (path, points) in enumerate(zip(pictures.paths, pictures.points, strict=True), 1):
        name = relative_to(path, output)
        if name not in numbers:
            numbers[name] = len(numbers) + 1
            encoded = Encoded.read(path)
            width, height = encoded.upright(encoded.decode(encoded.reduction(64), gray=True))
            images.append(
                {"id": numbers[name], "file_name": name, "width": width, "height": height}
            )
        annotations.append(_annotation(i, numbers[name], points, pictures))
    category = {
        "id": 1, "name": "face", "supercategory": "person", "keypoints": list(scheme.names),
        "skeleton": [[a + 1, b + 1] for a, b in scheme.edges],
    }  # fmt: skip
    data = {"images": images, "annotations": annotations, "categories": [category]}
    replace_text(output, json.dumps(data, indent=1) + "\n")
    return []


def _annotation(
    number: int, image: int, points: npt.NDArray[np.float64], pictures: PictureFiles
) -> dict[str, object]:
    known: npt.NDArray[np.bool_] = np.asarray(np.isfinite(points).all(1))
    low, high = points[known].min(0), points[known].max(0)
    flat = [
        value
        for point, there in zip(points, known, strict=True)
        for value in ([*(round(float(v), 4) for v in point), 2] if there else [0, 0, 0])
    ]
    box = [round(float(v), 3) for v in (*low, *(high - low))]
    return {
        "id": number,
        "image_id": image,
        "category_id": 1,
        "keypoints": flat,
        "num_keypoints": int(known.sum()),
        "bbox": box,
        "area": round(box[2] * box[3], 3),
        "iscrowd": 0,
        "attributes": {"person": str(pictures.samples.person[number - 1])},
    }


COCO = Format(
    "coco", "COCO keypoints (.json)", _recognise, _read, _write, "coco.json",
    settings=CATEGORY,
)  # fmt: skip
