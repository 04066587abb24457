"""Labels of pictures whose files have another size or orientation."""

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError
from fkp.keypoints import Scheme
from fkp.labels.plausible import far_outside
from fkp.labels.table import LabelTable
from fkp.vision.images import Encoded
from fkp.vision.orientation import upright_from_stored

Size = tuple[float, float]


def fit_to_file(
    table: LabelTable, i: int, encoded: Encoded, size_wh: tuple[int, int]
) -> tuple[npt.NDArray[np.float64], str]:
    """(K, 2) the labels of row i in pixels of its picture file, upright, and a note.

    If the source gives another size than the file's, labels of a smaller or larger copy are scaled,
    and labels of the picture as stored are rotated according to its orientation tag. Raises
    LabelError if the size fits neither way.
    """
    said = table.said_size(i)
    if said is None or said == size_wh:
        return table.in_pixels(i, size_wh), ""
    labels = table.in_pixels(i, said)
    if _scaled(said, size_wh):
        ratio = np.array(size_wh) / said
        return (labels + 0.5) * ratio - 0.5, "labels were scaled to the size of the picture file"
    turned = _turned(table, labels, said, encoded, size_wh)
    if turned is not None:
        return turned
    width, height = size_wh
    raise LabelError(
        f"the labels are for a picture of {said[0]:g} x {said[1]:g} pixels, "
        f"the file has {width} x {height}"
    )


def _scaled(said: Size, size_wh: Size) -> bool:
    """Whether the sizes have the same aspect ratio, to a pixel."""
    ratio = np.array(size_wh) / said
    return bool(np.abs(np.array(said) * ratio.mean() - size_wh).max() <= max(1, ratio.mean()))


def _turned(
    table: LabelTable,
    labels: npt.NDArray[np.float64],
    said: Size,
    encoded: Encoded,
    size_wh: tuple[int, int],
) -> tuple[npt.NDArray[np.float64], str] | None:
    """The labels upright, if the source gives the stored size; None if that is not clear.

    Tools that ignore the orientation tag label the picture as stored; others show it upright but
    report the stored size. The right interpretation is the one in which the face is upright.
    """
    stored = size_wh[1], size_wh[0]
    way = upright_from_stored(encoded.data, stored) if _scaled(said, stored) else None
    if way is None:
        return None
    here = (labels + 0.5) * (np.array(stored) / said) - 0.5
    turned = here @ way[:, :2].T + way[:, 2]
    fits, fits_turned = (
        not far_outside(points, size_wh, table.scheme) and _is_upright(points, table.scheme)
        for points in (here, turned)
    )
    if fits == fits_turned:
        return None
    if fits:
        return here, ""
    return turned, "labels were rotated according to the orientation tag"


def _is_upright(points: npt.NDArray[np.float64], scheme: Scheme) -> bool:
    """Whether the mouth or nose is below the eyes rather than beside them; True if unknown."""
    right, left, nose, *mouth = scheme.anchor_points(points)
    down = np.where(np.isfinite(np.mean(mouth, 0)), np.mean(mouth, 0), nose) - (right + left) / 2
    return not np.isfinite(down).all() or bool(down[1] > abs(down[0]))
