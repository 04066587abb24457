"""COCO keypoints JSON, as CVAT, Label Studio and `fkp annotate --schema coco` write it."""

from pathlib import Path
from typing import Any

import numpy as np

from fkp.errors import LabelError, parse_json
from fkp.keypoints import Scheme
from fkp.labels.formats.paths import picture_folders
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, from_origin


def looks_like_coco(head: bytes) -> bool:
    """Whether a file begins as a JSON object."""
    return head.lstrip().startswith(b"{")


def read_coco(path: Path, options: ReadOptions) -> LabelTable:
    """Points of all annotations of the one category with keypoints; not visible at all (0): NaN.

    Rows count the annotations from 1.
    """
    source = str(path)
    try:
        data = parse_json(path.read_bytes())
        images = {image["id"]: str(image["file_name"]) for image in data["images"]}
        annotations = list(data["annotations"])
        categories = {c["id"]: c["keypoints"] for c in data["categories"] if c.get("keypoints")}
    except (ValueError, KeyError, TypeError) as error:
        raise LabelError(f"{source}: not COCO keypoints: {type(error).__name__} {error}") from error
    kinds = {tuple(map(str, names)) for names in categories.values()}
    if len(kinds) != 1:
        raise LabelError(f"{source}: expected one set of keypoints in the categories: {len(kinds)}")
    names = kinds.pop()
    scheme = Scheme.from_names(names, options.flip_pairs)
    points: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    files: list[str] = []
    rows: list[int] = []
    persons: list[str] = []
    rejected: list[Rejected] = []
    for number, annotation in enumerate(annotations, start=1):
        try:
            if annotation["category_id"] not in categories:
                continue  # of a thing without keypoints
            name = images[annotation["image_id"]]
            points.append(_points(annotation["keypoints"], len(names)))
        except (ValueError, KeyError, TypeError) as error:
            reason = f"{type(error).__name__}: {error}"
            rejected.append(Rejected(source, number, "keypoints", reason))
            continue
        files.append(name)
        rows.append(number)
        persons.append(_person(annotation))
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: no annotation has keypoints")
    array, fraction, notes = from_origin(np.stack(points), options)
    return LabelTable(
        source, scheme, array, np.array(rows, np.int64),
        images=files, fraction=fraction, folders=picture_folders(path, options),
        persons=persons if all(persons) else None,
        rejected=rejected, notes=notes,
    )  # fmt: skip


def _person(annotation: dict[str, Any]) -> str:
    """Who it is, where the annotation's attributes say so (as `fkp convert` writes them)."""
    attributes = annotation.get("attributes")
    return str(attributes.get("person") or "") if isinstance(attributes, dict) else ""


def _points(flat: list[float], count: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """x, y, visibility of each point, as (K, 2)."""
    triples = np.array(flat, np.float64)
    if triples.shape != (3 * count,):
        raise ValueError(f"expected {3 * count} numbers, got {triples.size}")
    triples = triples.reshape(count, 3)
    if not (np.abs(triples) <= FARTHEST).all():
        raise ValueError(f"expected coordinates of at most {FARTHEST:.0f}")
    return np.where(triples[:, 2:] > 0, triples[:, :2], np.nan)
