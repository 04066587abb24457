"""The orientation tag of pictures, for coordinates that ignore it."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import REDUCED


def upright_from_stored(data: bytes, stored_wh: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """(2, 3) affine transform from pixels of a picture as stored to pixels of the upright picture.

    data: a picture file; stored_wh: its stored size. The picture is decoded with and without its
    tag, at an eighth of the size; the transform is the one that makes both equal. None if no
    transform, or more than one, does so.
    """
    flags = REDUCED[8][1]
    buffer = np.frombuffer(data, np.uint8)
    upright = cv2.imdecode(buffer, flags)
    stored = cv2.imdecode(buffer, flags | cv2.IMREAD_IGNORE_ORIENTATION)
    if upright is None or stored is None:
        return None
    width, height = stored_wh
    fitting = []
    for swap in (False, True):
        for flip_x in (False, True):
            for flip_y in (False, True):
                turned = np.asarray(stored)[:, :: -1 if flip_x else 1][:: -1 if flip_y else 1]
                turned = turned.T if swap else turned
                if turned.shape == upright.shape and np.array_equal(turned, upright):
                    x = [-1.0, 0, width - 1] if flip_x else [1.0, 0, 0]
                    y = [0.0, -1, height - 1] if flip_y else [0.0, 1, 0]
                    fitting.append(np.array([y, x] if swap else [x, y]))
    return fitting[0] if len(fitting) == 1 else None
