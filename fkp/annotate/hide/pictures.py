"""Small pictures of what a person should check."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.vision.draw import ORANGE, outlined
from fkp.vision.images import Image, resized, write_image

SIDE = 320
"""Long side, pixels."""

AROUND = 2.5
"""Side of the part that is shown, relative to the face."""


def write_close_up(path: Path, image: Image, box_xywh: npt.NDArray[np.float64] | None) -> None:
    """Write the part of a copy (H, W, 3) BGR around a box (4,), with its outline; the whole copy
    for None.
    """
    part = image
    if box_xywh is not None:
        marked = outlined(image, box_xywh, ORANGE)
        middle = box_xywh[:2] + box_xywh[2:] / 2
        half = AROUND / 2 * box_xywh[2:].max()
        limit = np.array([image.shape[1], image.shape[0]])
        low = np.clip(np.floor(middle - half), 0, limit - 1).astype(int)
        high = np.clip(np.ceil(middle + half), low + 1, limit).astype(int)
        part = np.ascontiguousarray(marked[low[1] : high[1], low[0] : high[0]])
    write_image(path, resized(part, min(1.0, SIDE / max(part.shape[:2]))), 80)
