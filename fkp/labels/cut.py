"""Cut labelled crops from labelled pictures."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError, ImageError, LabelError
from fkp.keypoints import Scheme
from fkp.labels.pictures import Pictures
from fkp.labels.plausible import check_source, far_outside
from fkp.labels.sizes import fit_to_file
from fkp.labels.table import LabelTable, ReadOptions, Rejected
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import Encoded, Image

Progress = Callable[[int, int], None]
"""Called with (done, total)."""


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """The crops of M rows of a table; kept: (M,) the indices of these rows.

    images: (M, S, S) uint8; points: (M, K, 2) float64 crop pixels; labels: (M, K, 2) float64 pixels
    of the pictures, whose sizes are sizes_wh (M, 2). names: picture files relative to `folder`.
    """

    kept: npt.NDArray[np.int64]
    images: npt.NDArray[np.uint8]
    points: npt.NDArray[np.float64]
    labels: npt.NDArray[np.float64]
    transforms: list[CropTransform]
    sizes_wh: npt.NDArray[np.float64]
    rejected: list[Rejected]
    names: list[str]
    folder: Path
    notes: list[str]


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """A row's labels. transform: from picture to crop, None if the labels cannot frame a face.

    labels: (K, 2) picture pixels. reason: why there is no transform. note: how the labels were
    adapted to the picture file.
    """

    transform: CropTransform | None
    labels: npt.NDArray[np.float64]
    size_wh: tuple[int, int]
    reason: str = ""
    note: str = ""


def cut_crops(
    table: LabelTable,
    pictures: Pictures | None,
    crop_mode: str,
    size: int,
    options: ReadOptions,
    progress: Progress,
) -> Crops:
    """Cut the crop of every row, in parallel; rows without a usable picture or face are rejected.

    pictures: the files of the rows, None for a table with pixels. crop_mode: `face` for an upright
    face according to the labels, `none` for the whole picture. Raises LabelError if the labels as
    a whole do not fit the pictures, UndecidedError if a setting must say what they mean.
    """
    n = len(table.rows)
    results: list[_Face | Rejected] = []
    if table.pixels is not None and crop_mode == "none" and table.pixels.shape[1:] == (size, size):
        images = table.pixels
        whole = CropTransform.whole(size, size, size)
        every = table.in_pixels(slice(n), (size, size))
        results += [_Face(whole, own, (size, size)) for own in every]
    else:
        images = np.empty((n, size, size), np.uint8)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            waiting = pool.map(lambda i: _cut(table, pictures, i, crop_mode, images[i]), range(n))
            for i, result in enumerate(waiting):
                results.append(result)
                progress(i + 1, n)
    faces = {i: result for i, result in enumerate(results) if isinstance(result, _Face)}
    if faces:
        labels = np.stack([face.labels for face in faces.values()])
        sizes_wh = np.array([face.size_wh for face in faces.values()], float)
        check_source(table, labels, sizes_wh, options)
    kept, rejected = _sound(table, results)
    if not kept:
        first = next(iter([*table.rejected, *rejected]), f"{table.source} has no rows")
        raise LabelError(f"no row can be used; the first: {first}")
    transforms = [t for i in kept if (t := faces[i].transform) is not None]
    return Crops(
        kept=np.array(kept, np.int64),
        images=images if len(kept) == n else images[kept],
        points=np.stack([t.apply(faces[i].labels) for i, t in zip(kept, transforms, strict=True)]),
        labels=np.stack([faces[i].labels for i in kept]),
        transforms=transforms,
        sizes_wh=np.array([faces[i].size_wh for i in kept], float),
        rejected=rejected,
        names=[(pictures.names[i] or "") if pictures else "" for i in kept],
        folder=pictures.folder if pictures else Path(),
        notes=[*(pictures.notes if pictures else ()), *_counted([faces[i].note for i in kept])],
    )


def _sound(
    table: LabelTable, results: Sequence[_Face | Rejected]
) -> tuple[list[int], list[Rejected]]:
    """The indices of the usable rows, and the other rows with reasons."""
    kept, rejected = [], []
    for i, result in enumerate(results):
        if isinstance(result, Rejected):
            rejected.append(result)
            continue
        row, reason = int(table.rows[i]), far_outside(result.labels, result.size_wh, table.scheme)
        if reason:
            rejected.append(Rejected(table.source, row, "", reason))
        elif result.transform is None:
            rejected.append(Rejected(table.source, row, "", result.reason, malformed=False))
        else:
            kept.append(i)
    return kept, rejected


def _counted(notes: Sequence[str]) -> list[str]:
    """Each note once, with the number of rows it applies to."""
    counts = Counter(note for note in notes if note)
    return [f"{count} rows: {note}" for note, count in counts.items()]


def _cut(
    table: LabelTable, pictures: Pictures | None, i: int, crop_mode: str, crop: Image
) -> _Face | Rejected:
    """Cut row `i` into `crop` (S, S), or say why that is impossible."""
    row = int(table.rows[i])
    note = ""
    if table.pixels is not None:
        picture: Image = table.pixels[i]
        height, width = picture.shape
        labels = table.in_pixels(i, (width, height))
    else:
        assert pictures is not None
        path = pictures.path(i)
        if path is None:
            return Rejected(table.source, row, "image", pictures.problems[i])
        try:
            encoded = Encoded.read(path)
            picture = encoded.decode(gray=True)
        except ImageError as error:
            return Rejected(table.source, row, "image", f"{path}: {error}")
        height, width = picture.shape
        try:
            labels, note = fit_to_file(table, i, encoded, (width, height))
        except LabelError as error:
            return Rejected(table.source, row, "image", f"{path}: {error}")
    try:
        transform = _transform(table.scheme, labels, crop_mode, (width, height), len(crop))
    except DataError as error:
        reason = str(error) if np.isfinite(labels).any() else "no point is labelled"
        return _Face(None, labels, (width, height), reason)
    crop[:] = transform.cut(picture)
    return _Face(transform, labels, (width, height), note=note)


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
