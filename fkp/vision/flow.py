"""Following a part of a picture from frame to frame by optical flow."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Box = npt.NDArray[np.float64]
"""(4,): x, y, width, height, pixels."""

GRID, INNER = 9, 0.8
"""Points per side of the grid that is tracked, and the share of the box that it spans."""

RETURNS = 1.0
"""Maximum forward-backward error of a point in pixels (Kalal, Mikolajczyk and Matas, ICPR 2010)."""

ENOUGH = 0.25
"""Minimum share of points within that error."""

LARGEST_STEP = 1.2
"""Maximum change of size from one frame to the next."""

PATCH = 24
"""Side of the small patches in which a face is compared, in pixels."""


def moved(before: Image, after: Image, box: Box) -> Box | None:
    """The box of the same part of the picture in another frame; None if it is lost.

    before, after: (H, W) gray. By the median motion of a grid of points, each followed by the
    method of Lucas and Kanade in a pyramid, there and back.
    """
    x, y, width, height = box
    if min(width, height) < 4:
        return None
    steps = np.linspace(0.5 - INNER / 2, 0.5 + INNER / 2, GRID)
    u, v = np.meshgrid(x + width * steps, y + height * steps)
    start = np.stack([u, v], 2).reshape(-1, 1, 2).astype(np.float32)
    limit = np.array([before.shape[1] - 1, before.shape[0] - 1])
    start = start[((start >= 0) & (start <= limit)).all((1, 2))]
    least = max(6, ENOUGH * GRID**2)
    if len(start) < least:
        return None
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, start, start.copy())
    back, again, _ = cv2.calcOpticalFlowPyrLK(after, before, there, there.copy())
    returned = np.hypot(*(back - start)[:, 0].T) < RETURNS
    good = (found[:, 0] > 0) & (again[:, 0] > 0) & returned
    if good.sum() < least:
        return None
    one, other = start[good, 0].astype(np.float64), there[good, 0].astype(np.float64)
    scale = _growth(one, other)
    if scale is None:
        return None
    middle = np.array([x + width / 2, y + height / 2])
    shift = np.median(other - one, axis=0) + (scale - 1) * (middle - np.median(one, axis=0))
    size = np.array([width, height]) * scale
    return np.concatenate([middle + shift - size / 2, size])


def _growth(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float | None:
    """The median ratio of the distances between points (N, 2); None if it is implausible."""
    half = len(one) // 2
    was = np.hypot(*(one[:half] - one[-half:]).T)
    now = np.hypot(*(other[:half] - other[-half:]).T)
    scale = float(np.median(now[was > 1] / was[was > 1])) if (was > 1).any() else 1.0
    return scale if 1 / LARGEST_STEP < scale < LARGEST_STEP else None


def patch(gray: Image, box: Box) -> npt.NDArray[np.float32] | None:
    """The pixels in a box, (PATCH, PATCH) with mean 0 and norm 1; None if it is mostly outside."""
    limit = np.array([gray.shape[1], gray.shape[0]])
    low = np.clip(np.rint(box[:2]), 0, limit).astype(int)
    high = np.clip(np.rint(box[:2] + box[2:]), 0, limit).astype(int)
    if np.prod(high - low) < 0.4 * box[2] * box[3] or (high - low).min() < 2:
        return None
    part = gray[low[1] : high[1], low[0] : high[0]]
    small = cv2.resize(part, (PATCH, PATCH), interpolation=cv2.INTER_AREA).astype(np.float32)
    small -= small.mean()
    return np.asarray(small / max(float(np.linalg.norm(small)), 1e-6), np.float32)
