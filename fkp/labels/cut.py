"""From labelled pictures to labelled crops."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError, ImageError, LabelError
from fkp.labels.table import LabelTable, Rejected
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import Image, read_image

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """The crops of one table: `kept` says which of its rows they are.

    images: (M, S, S) uint8; points: (M, K, 2) float64 crop pixels;
    sizes_wh: (M, 2) of the pictures.
    """

    kept: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float64]
    transforms: list[CropTransform]
    sizes_wh: npt.NDArray[np.float64]
    rejected: list[Rejected]


def cut_crops(table: LabelTable, framing: str, size: int, progress: Progress) -> Crops:
    """Cut the crop of every row, in parallel; rows without a usable picture or face are rejected.

    framing `face`: an upright face from the labels; `none`: the whole picture.
    """
    n = len(table.rows)
    if table.pixels is not None and framing == "none" and table.pixels.shape[1:] == (size, size):
        same = [CropTransform.whole(size, size, size)] * n
        sizes_wh = np.full((n, 2), float(size))
        return Crops(np.arange(n), table.pixels, table.points, same, sizes_wh, [])
    done = 0
    finder = PictureFinder(table.folders)
    kept: list[int] = []
    images = np.empty((n, size, size), np.uint8)
    transforms: list[CropTransform] = []
    sizes: list[tuple[int, int]] = []
    rejected: list[Rejected] = []

    def cut(i: int) -> tuple[Image, CropTransform, tuple[int, int]] | Rejected:
        name = table.images[i] if table.images is not None else ""
        try:
            if table.pixels is not None:
                picture: Image = table.pixels[i]
            else:
                picture = read_image(finder.find(name), gray=True)
        except ImageError as error:
            return Rejected(table.source, int(table.rows[i]), "image", f"{name}: {error}")
        height, width = picture.shape
        try:
            transform = _transform(table, i, framing, (width, height), size)
        except DataError as error:
            known = bool(np.isfinite(table.points[i]).any())
            reason = str(error) if known else "no point is labelled"
            return Rejected(table.source, int(table.rows[i]), "", reason, malformed=False)
        return transform.cut(picture), transform, (width, height)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for i, result in enumerate(pool.map(cut, range(n))):
            if isinstance(result, Rejected):
                rejected.append(result)
            else:
                images[len(kept)] = result[0]
                transforms.append(result[1])
                sizes.append(result[2])
                kept.append(i)
            done += 1
            progress(done, n)
    if not kept:
        raise LabelError(f"no row can be used; the first: {rejected[0]}")
    index = np.array(kept, np.int64)
    points = np.stack([t.apply(table.points[i]) for t, i in zip(transforms, kept, strict=True)])
    return Crops(index, images[: len(kept)], points, transforms, np.array(sizes, float), rejected)


def _transform(
    table: LabelTable, i: int, framing: str, size_wh: tuple[int, int], size: int
) -> CropTransform:
    if framing == "none":
        return CropTransform.whole(*size_wh, size)
    points = table.points[i]
    if sum(bool(group) for group in table.scheme.anchors) < 2:
        return CropTransform.around(points, size)
    return CropTransform.framed(table.scheme.anchor_points(points), UPRIGHT_LAYOUT, size)


class PictureFinder:
    """Finds pictures whose table may have moved: tries each folder, the last that worked first."""

    def __init__(self, folders: tuple[Path, ...]) -> None:
        self._folders = list(folders)

    def find(self, name: str) -> Path:
        """The file of this name, or an ImageError that says where it was looked for."""
        for folder in list(self._folders):
            path = folder / name
            if path.is_file():
                if folder != self._folders[0]:
                    self._folders = [folder, *(f for f in self._folders if f != folder)]
                return path
        first = ", ".join(str(f) for f in self._folders[:3])
        raise ImageError(f"file not found (looked in {first}; --images DIR says where)")
