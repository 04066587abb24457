"""The appearance of faces, to distinguish the people in a clip."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Look = npt.NDArray[np.float32]
"""(LENGTH,): histograms of oriented gradients of an upright face (Dalal and Triggs, CVPR 2005), as
a unit vector; it depends little on lighting."""

SIDE, CELLS, BINS = 48, 6, 12
"""Side of the crop in pixels, cells per side, and orientation bins."""

LENGTH = (CELLS - 1) ** 2 * 4 * BINS

CLIPPED, FAINT = 0.2, 64.0
"""Maximum value in a normalised block, and the norm below which a block is noise."""

STRANGERS = 0.63
"""Median product of the looks of two different persons (YouTube Faces, 261 persons)."""


def look_of(crop: Image) -> Look:
    """The look of the face in a gray crop (S, S)."""
    small = cv2.resize(crop, (SIDE + 2, SIDE + 2), interpolation=cv2.INTER_AREA).astype(np.float32)
    across = small[1:-1, 2:] - small[1:-1, :-2]
    down = small[2:, 1:-1] - small[:-2, 1:-1]
    size = np.hypot(across, down)
    direction = np.arctan2(down, across) * (BINS / (2 * np.pi))
    low = np.floor(direction)
    share = direction - low
    first = low.astype(np.int64) % BINS
    cell = np.arange(SIDE) // (SIDE // CELLS)
    where = (cell[:, None] * CELLS + cell) * BINS
    histogram = np.zeros(CELLS * CELLS * BINS)
    for bins, weight in ((first, 1 - share), ((first + 1) % BINS, share)):
        histogram += np.bincount(
            (where + bins).ravel(), (size * weight).ravel(), minlength=len(histogram)
        )
    cells = histogram.reshape(CELLS, CELLS, BINS)
    blocks = np.stack(
        [cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], axis=2
    ).reshape((CELLS - 1) ** 2, 4 * BINS)
    blocks = blocks / np.sqrt((blocks**2).sum(1, keepdims=True) + FAINT**2)
    blocks = np.minimum(blocks, CLIPPED)
    blocks = blocks / np.maximum(np.linalg.norm(blocks, axis=1, keepdims=True), 1e-6)
    return unit(blocks.reshape(-1))


def unit(look: npt.NDArray[np.floating]) -> Look:
    """A vector scaled to length 1."""
    return np.asarray(look / max(float(np.linalg.norm(look)), 1e-6), np.float32)


def alike(one: Look, other: Look) -> float:
    """Likeness of two looks: 1 for the same, around 0 for different persons (95 % below 0.3)."""
    return (float(one @ other) - STRANGERS) / (1 - STRANGERS)
