"""Rows that are probably labelled wrongly, according to their numbers alone."""

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray, Scheme
from fkp.vision.crop import UPRIGHT_LAYOUT

SWAPPED = "eyes swapped"
COLLAPSED = "points collapsed"
UPSIDE_DOWN = "upside down"


def directions(
    points: FloatArray, scheme: Scheme
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Two vectors (N, 2) for each row of points (N, K, 2): from the subject's right eye to the left
    eye, and from between the eyes to the mouth (or nose if the mouth is missing). NaN = unknown.
    """
    anchors = scheme.anchor_points(points)  # (N, 5, 2)
    mouth = anchors[:, 3:].mean(1)
    lower = np.where(np.isnan(mouth), anchors[:, 2], mouth)
    return anchors[:, 1] - anchors[:, 0], lower - anchors[:, :2].mean(1)


def suspicious(points: FloatArray, scheme: Scheme) -> list[list[str]]:
    """What looks wrong in each row of points (N, K, 2), pixels with y down; [] if nothing."""
    eyes, below = directions(points, scheme)
    with np.errstate(invalid="ignore"):
        turn = eyes[:, 0] * below[:, 1] - eyes[:, 1] * below[:, 0]
        swapped = np.where(np.isnan(turn), eyes[:, 0] < 0, turn < 0)
        upside_down = below[:, 1] < -0.5 * np.abs(below[:, 0])
    collapsed = _collapsed(points, scheme.anchor_points(points))
    names = (SWAPPED, UPSIDE_DOWN, COLLAPSED)
    return [
        [name for name, flag in zip(names, row, strict=True) if flag]
        for row in zip(swapped, upside_down & ~swapped, collapsed, strict=True)
    ]


def misfit(points: FloatArray, scheme: Scheme) -> npt.NDArray[np.float64]:
    """(N,) how far rows of points (N, K, 2) are from the shape of a face, from 0 (the mean face) to
    1: the root of the share of the anchor points' variance that no rotated and scaled mean face
    explains. Frontal faces have about 0.15, profiles 0.4. 1 if fewer than three anchors are known.
    """
    ways = np.array([1, 1j])
    anchors = scheme.anchor_points(points) @ ways
    mean = np.broadcast_to(UPRIGHT_LAYOUT @ ways, anchors.shape)
    known = np.isfinite(anchors)
    count = np.maximum(known.sum(1, keepdims=True), 1)

    def centred(values: npt.NDArray[np.complex128]) -> npt.NDArray[np.complex128]:
        own = np.where(known, values, 0)
        return np.asarray(np.where(known, own - own.sum(1, keepdims=True) / count, 0))

    own, model = centred(anchors), centred(mean)
    spread = (np.abs(own) ** 2).sum(1)
    explained = np.abs((np.conj(model) * own).sum(1)) ** 2 / (np.abs(model) ** 2).sum(1).clip(1e-9)
    share = explained / np.maximum(spread, 1e-9)
    return np.asarray(np.where(known.sum(1) >= 3, np.sqrt(np.clip(1 - share, 0, 1)), 1.0))


def outside(points: FloatArray, sizes_wh: FloatArray) -> npt.NDArray[np.bool_]:
    """(N, K) which of the points (N, K, 2) are outside their pictures of sizes (N, 2)."""
    with np.errstate(invalid="ignore"):
        return np.asarray(((points < -0.5) | (points > sizes_wh[:, None] - 0.5)).any(-1))


def _collapsed(points: FloatArray, anchors: FloatArray) -> npt.NDArray[np.bool_]:
    """Rows whose points collapse: all within 3 px, two anchors in one place, or many equal."""
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
