"""A user's labelled faces for training a detector: boxes and five points from any label table."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import ImageError, LabelError
from fkp.keypoints import MTFL5
from fkp.labels.boxes import BOX_COLUMNS, read_boxes
from fkp.labels.cut import Progress
from fkp.labels.pictures import find_pictures
from fkp.labels.reading import read_source
from fkp.labels.split import persons_from_names
from fkp.labels.table import LabelTable, ReadOptions
from fkp.learn.detector.scenes import Scene
from fkp.vision.images import read_image, resized

Array = npt.NDArray[np.float64]

LONG_SIDE = 960
"""Pictures are reduced to this long side; a detector sees 640 pixels."""

_EDGES = np.array(
    [[1.148, 0.055, 0.151, 0.972], [-0.362, 0.216, 0.717, -0.244], [0.151, -0.055, 1.148, -0.972],
     [-0.717, 0.216, 0.362, -0.244], [-1.424, 0.0, -1.424, 0.0], [-0.008, -1.253, 0.008, -0.606],
     [-0.783, -0.656, 0.909, -1.013], [0.823, 0.411, -0.263, 0.547], [0.909, 0.656, -0.783, 1.013],
     [0.263, 0.411, -0.823, 0.547], [-3.865, -3.55, 3.865, 0.971]]
)  # fmt: skip
"""(11, 4): left, top, right and bottom of a face's box from x and y of its five points and a
constant, relative to the points' mean and in units of their root mean square distance from it.
Least squares over the boxes of 27,000 faces and their mirror images; the mean overlap with the true
boxes is 0.91."""


def boxes_around(anchors: Array) -> Array:
    """Boxes (F, 4) xywh of upright faces with anchor points (F, 5, 2)."""
    middle = anchors.mean(1)
    spread = np.sqrt(((anchors - middle[:, None]) ** 2).sum(2).mean(1))[:, None]
    own = ((anchors - middle[:, None]) / spread[..., None]).reshape(-1, 10)
    edges = np.concatenate([own, np.ones((len(own), 1))], 1) @ _EDGES * spread
    edges += np.tile(middle, 2)
    return np.concatenate([edges[:, :2], edges[:, 2:] - edges[:, :2]], 1)


def read_pictures(
    path: Path, images: Path | None, progress: Progress
) -> tuple[list[str], list[Scene], list[str]]:
    """Names, labelled pictures and persons of a table of boxes, or of what `prepare` reads.

    A table of boxes has `image, box_x, box_y, box_w, box_h` and the five points; otherwise boxes
    are computed from points that give the eye centres, the nose tip and the mouth corners. images:
    the folder of the pictures, if not beside the table. Raises LabelError.
    """
    options = ReadOptions(images=images)
    table, boxes, anchors = _read(path, options)
    files = find_pictures(table, options)
    names = table.images or []
    rows = pd.Series(range(len(names))).groupby(names).indices
    scenes = []
    for i, (name, at) in enumerate(sorted(rows.items())):
        progress(i, len(rows))
        try:
            file = files.path(int(at[0]))
            if file is None:
                raise LabelError(f"{path}: {files.problems[int(at[0])]}")
            image = read_image(file)
        except ImageError as error:
            raise LabelError(f"{path}, picture {name}: {error}") from error
        scale = min(1.0, LONG_SIDE / max(image.shape[:2]))
        own = boxes[at] * scale
        scenes.append(
            Scene(
                resized(image, scale),
                own,
                (anchors[at] + 0.5) * scale - 0.5,
                np.ones(len(at), bool),
            )
        )
    progress(len(rows), len(rows))
    pictures = sorted(str(name) for name in rows)
    return pictures, scenes, _persons(table, pictures)


def _read(path: Path, options: ReadOptions) -> tuple[LabelTable, Array, Array]:
    """The table with a row per face, and the boxes and anchor points of its faces."""
    if set(BOX_COLUMNS) <= _columns(path):
        known = read_boxes(path)
        table = LabelTable(
            str(path), MTFL5, known.anchors, np.arange(len(known.images)) + 2, known.images,
            folder=path.parent,
        )  # fmt: skip
        return table, known.boxes, known.anchors
    table = read_source(path, options)
    if table.images is None or table.units not in (None, "pixels"):
        raise LabelError(
            f"{path}: a detector is trained on picture files, with points in their pixels"
        )
    anchors = table.scheme.anchor_points(table.points)
    good = np.isfinite(anchors).all((1, 2))
    if not good.any():
        raise LabelError(
            f"{path}: no row has both eyes, the nose tip and both mouth corners, for the "
            f"boxes; add the columns {', '.join(BOX_COLUMNS)} and these five points"
        )
    if not good.all():
        row = int(table.rows[np.flatnonzero(~good)[0]])
        raise LabelError(
            f"{path} row {row}: an eye, the nose tip or a mouth corner has no label; every face "
            "in a picture needs a box; otherwise the detector learns that it is background"
        )
    return table, boxes_around(anchors), anchors


def _columns(path: Path) -> set[str]:
    if path.is_dir():
        return set()
    with path.open("rb") as file:
        return set(file.readline().decode("utf-8-sig", "replace").strip().split(","))


def _persons(table: LabelTable, pictures: Sequence[str]) -> list[str]:
    """The person in each picture: from the table, from file names, or one person per picture."""
    if table.persons is not None:
        first = dict(zip(reversed(table.images or []), reversed(table.persons), strict=True))
        return [first[name] for name in pictures]
    found, _ = persons_from_names(pictures, None)
    return list(pictures) if found is None else found
