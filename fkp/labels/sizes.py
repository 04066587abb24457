"""Labels of a picture in another size than its file has."""

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
    """(K, 2) the labels of row i in pixels of its upright picture file, and a note.

    The source may say another size than the file's. Labels of a smaller or larger copy are scaled;
    labels of the picture as it is stored, unturned, are turned as its tag says. Raises LabelError
    where it is neither.
    """
    said = table.said_size(i)
    if said is None or said == size_wh:
        return table.in_pixels(i, size_wh), ""
    labels = table.in_pixels(i, said)
    if _scaled(said, size_wh):
        ratio = np.array(size_wh) / said
        return (labels + 0.5) * ratio - 0.5, "labels scaled from the pictures' size in the source"
    turned = _turned(table, labels, said, encoded, size_wh)
    if turned is not None:
        return turned
    width, height = size_wh
    raise LabelError(
        f"the labels are those of a picture of {said[0]:g} x {said[1]:g} pixels, "
        f"the file has {width} x {height}"
    )


def _scaled(said: Size, size_wh: Size) -> bool:
    """Whether one size is the other one, larger or smaller, to a pixel."""
    ratio = np.array(size_wh) / said
    return bool(np.abs(np.array(said) * ratio.mean() - size_wh).max() <= max(1, ratio.mean()))


def _turned(
    table: LabelTable,
    labels: npt.NDArray[np.float64],
    said: Size,
    encoded: Encoded,
    size_wh: tuple[int, int],
) -> tuple[npt.NDArray[np.float64], str] | None:
    """The labels upright, if the source's size is the stored one; None where that is not clear.

    Tools that know nothing of the tag label the picture as it is stored; others show it upright
    and only say the stored size. The face tells: one of the two stands upright.
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
    return turned, "labels turned upright, as the pictures' orientation tags say"


def _is_upright(points: npt.NDArray[np.float64], scheme: Scheme) -> bool:
    """Whether the mouth or nose is below the eyes more than beside them; True where not known."""
    right, left, nose, *mouth = scheme.anchor_points(points)
    down = np.where(np.isfinite(np.mean(mouth, 0)), np.mean(mouth, 0), nose) - (right + left) / 2
    return not np.isfinite(down).all() or bool(down[1] > abs(down[0]))
