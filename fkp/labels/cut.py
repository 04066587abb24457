"""From labelled pictures to labelled crops."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError, ImageError, LabelError
from fkp.keypoints import Scheme
from fkp.labels.table import LabelTable, Rejected
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import Image, read_image

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """The crops of one table: `kept` says which of its rows they are.

    images: (M, S, S) uint8; points: (M, K, 2) float64 crop pixels; labels: (M, K, 2) float64 pixels
    of the pictures, whose sizes are sizes_wh (M, 2). folder: where the pictures' paths start.
    """

    kept: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    transforms: list[CropTransform]
    sizes_wh: npt.NDArray[np.float64]
    rejected: list[Rejected]
    folder: Path


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """The way from one row's picture to its crop, and its labels in picture pixels."""

    transform: CropTransform
    labels: npt.NDArray[np.float64]
    size_wh: tuple[int, int]


def cut_crops(table: LabelTable, crop_mode: str, size: int, progress: Progress) -> Crops:
    """Cut the crop of every row, in parallel; rows without a usable picture or face are rejected.

    crop_mode `face`: an upright face from the labels; `none`: the whole picture.
    """
    n = len(table.rows)
    if table.pixels is not None and crop_mode == "none" and table.pixels.shape[1:] == (size, size):
        same = [CropTransform.whole(size, size, size)] * n
        points = table.points * size if table.fraction else table.points
        sizes_wh = np.full((n, 2), float(size))
        return Crops(np.arange(n), table.pixels, points, points, same, sizes_wh, [], Path())
    folder = find_folder(table)
    images = np.empty((n, size, size), np.uint8)
    kept: list[int] = []
    faces: list[_Face] = []
    rejected: list[Rejected] = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = pool.map(lambda i: _cut(table, i, folder, crop_mode, images[i]), range(n))
        for i, result in enumerate(results):
            if isinstance(result, Rejected):
                rejected.append(result)
            else:
                faces.append(result)
                kept.append(i)
            progress(i + 1, n)
    if not kept:
        first = next(iter([*table.rejected, *rejected]), f"{table.source} has no rows")
        raise LabelError(f"no row can be used; the first: {first}")
    return Crops(
        kept=np.array(kept, np.int64),
        images=images if len(kept) == n else images[kept],
        points=np.stack([face.transform.apply(face.labels) for face in faces]),
        labels=np.stack([face.labels for face in faces]),
        transforms=[face.transform for face in faces],
        sizes_wh=np.array([face.size_wh for face in faces], float),
        rejected=rejected,
        folder=folder,
    )


def _cut(table: LabelTable, i: int, folder: Path, crop_mode: str, crop: Image) -> _Face | Rejected:
    """Cut row `i` into `crop` (S, S), or tell why not."""
    row = int(table.rows[i])
    if table.pixels is not None:
        picture: Image = table.pixels[i]
    else:
        path = folder / (table.images or [])[i]
        try:
            picture = read_image(path, gray=True)
        except ImageError as error:
            return Rejected(table.source, row, "image", f"{path}: {error}")
    height, width = picture.shape
    labels = table.points[i] * ([width, height] if table.fraction else 1)
    try:
        transform = _transform(table.scheme, labels, crop_mode, (width, height), len(crop))
    except DataError as error:
        reason = str(error) if np.isfinite(labels).any() else "no point is labelled"
        return Rejected(table.source, row, "", reason, malformed=False)
    crop[:] = transform.cut(picture)
    return _Face(transform, labels, (width, height))


def _transform(
    scheme: Scheme,
    points: npt.NDArray[np.float64],
    crop_mode: str,
    size_wh: tuple[int, int],
    size: int,
) -> CropTransform:
    if crop_mode == "none":
        return CropTransform.whole(*size_wh, size)
    if sum(bool(group) for group in scheme.anchors) < 2:
        return CropTransform.around(points, size)
    return CropTransform.framed(scheme.anchor_points(points), UPRIGHT_LAYOUT, size)


def find_folder(table: LabelTable) -> Path:
    """The folder that the table's paths start from: the one in which most of them are files.

    Raises LabelError where two folders have as many: the pictures could be the wrong ones.
    """
    if not table.images or not table.folders:
        return Path()  # nothing to look for
    names = table.images[:: max(1, len(table.images) // 200)]
    folders = list(dict.fromkeys(folder.resolve() for folder in table.folders))
    hits = [sum(os.path.isfile(folder / name) for name in names) for folder in folders]
    best = [folder for folder, n in zip(folders, hits, strict=True) if n == max(hits)]
    if max(hits) == 0:
        looked = ", ".join(str(folder) for folder in folders[:4])
        raise LabelError(
            f"{table.source} row {table.rows[0]}, column image: file not found: "
            f"{table.images[0]} (looked in {looked}; --images DIR says where)"
        )
    if len({os.path.abspath(folder / names[0]) for folder in best}) > 1:
        raise LabelError(
            f"{table.source}: {names[0]} is in {best[0]} and in {best[1]}; --images DIR says which"
        )
    if best[0] != folders[0]:
        table.notes.append(f"pictures from {best[0]}")
    return best[0]
