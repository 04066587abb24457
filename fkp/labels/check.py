"""Rows that are probably labelled wrongly: what a look at the numbers alone can tell."""

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray, Scheme

SWAPPED = "eyes swapped"
COLLAPSED = "points collapsed"
UPSIDE_DOWN = "upside down"


def suspicious(points: FloatArray, scheme: Scheme) -> list[list[str]]:
    """What is odd about each row of points (N, K, 2), pixels with y down; [] for a sound row."""
    anchors = scheme.anchor_points(points)  # (N, 5, 2)
    with np.errstate(invalid="ignore"):
        eyes = anchors[:, 1] - anchors[:, 0]  # from the subject's right eye to the left
        below = _first_known(anchors[:, 3:].mean(1), anchors[:, 2]) - anchors[:, :2].mean(1)
        turn = eyes[:, 0] * below[:, 1] - eyes[:, 1] * below[:, 0]
        swapped = np.where(np.isnan(turn), eyes[:, 0] < 0, turn < 0)
        upside_down = below[:, 1] < -0.5 * np.abs(below[:, 0])
    collapsed = _collapsed(points, anchors)
    names = (SWAPPED, UPSIDE_DOWN, COLLAPSED)
    return [
        [name for name, flag in zip(names, row, strict=True) if flag]
        for row in zip(swapped, upside_down & ~swapped, collapsed, strict=True)
    ]


def outside(points: FloatArray, sizes_wh: FloatArray) -> npt.NDArray[np.bool_]:
    """Which points (N, K, 2) lie outside their pictures of sizes (N, 2): (N, K)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((points < -0.5) | (points > sizes_wh[:, None] - 0.5)).any(-1))


def _first_known(a: FloatArray, b: FloatArray) -> npt.NDArray[np.float64]:
    return np.where(np.isnan(a), b, a)


def _collapsed(points: FloatArray, anchors: FloatArray) -> npt.NDArray[np.bool_]:
    """Rows whose points lie in a heap: within 3 px, two anchors at one place, or many equal."""
    n = len(points)
    known = np.asarray(np.isfinite(points).all(-1))
    low = np.where(np.isnan(points), np.inf, points).min(1)
    high = np.where(np.isnan(points), -np.inf, points).max(1)
    extent = np.where(known.sum(1) > 1, (high - low).max(-1), np.inf)
    gaps = np.linalg.norm(anchors[:, :, None] - anchors[:, None], axis=-1)  # (N, 5, 5)
    gaps[:, np.arange(5), np.arange(5)] = np.inf
    gaps[np.isnan(gaps)] = np.inf
    heap = (extent < 3) | (gaps.reshape(n, -1).min(1) < 0.01 * extent)
    for i in np.flatnonzero(known.sum(1) > 3):
        places = points[i][known[i]]
        heap[i] |= len(np.unique(places, axis=0)) < 0.8 * len(places)
    return np.asarray(heap)
