"""How labels differ from a network's points on the same faces, and the likely kind of error."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray, Scheme
from fkp.vision.crop import CropTransform

Array = npt.NDArray[np.float64]

SHIFTED = "shifted"
RESIZED = "shifted and resized"
OTHER_FACE = "wrong face"
MIRRORED = "mirrored"
SIDES = "left and right swapped"
SWAPPED = "points swapped"
OFF = "off"
UNLIKE = "unlike a face here"

LIMIT = 6.0
"""Distance, in medians of a point's distances, above which chance is unlikely: in a Gamma
distribution of shape 2 (see `losses.doubt`), one distance in 2,000 is larger."""

LEAST = 0.04
"""Smaller distances, as a share of the face's size, are never reported."""

FAR = 3.0
"""Labels farther from the face than this, in sizes of the face, belong to another face."""


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement:
    """How N rows of labels differ from a network's points.

    distances: (N, K) shares of the face's size; limits: (K,) the largest distance that chance
    explains; scores: (N,) the largest distance over its limit, NaN if no point can be compared;
    kinds: N, "" if the score is at most 1.
    """

    distances: Array
    limits: Array
    scores: Array
    kinds: list[str]

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """(N,) the rows whose labels are probably wrong."""
        return np.asarray(self.scores > 1)


def disagreement(
    labels: FloatArray, predicted: FloatArray, scheme: Scheme, width: float
) -> Disagreement:
    """Compare labels and a network's points, both (N, K, 2) in crops of that width.

    The usual distances are estimated from the rows themselves, most of which must be labelled
    correctly.
    """
    sizes = _sizes(predicted)
    distances = np.linalg.norm(np.asarray(labels, np.float64) - predicted, axis=2) / sizes[:, None]
    limits = np.array([_limit(distances[:, k]) for k in range(len(scheme))])
    ratio = distances / limits
    known = np.isfinite(ratio).any(1)
    scores = np.where(known, np.where(np.isfinite(ratio), ratio, -1).max(1), np.nan)
    kinds = [""] * len(scores)
    for i in np.flatnonzero(scores > 1):
        kinds[i] = _kind(labels[i], predicted[i], scheme, limits * sizes[i], sizes[i], width)
    return Disagreement(distances, limits, scores, kinds)


def _sizes(points: FloatArray) -> Array:
    """(N,) sizes of faces: the root mean square of the width and height of their points."""
    low = np.where(np.isnan(points), np.inf, points).min(1)
    high = np.where(np.isnan(points), -np.inf, points).max(1)
    extent = np.asarray(np.hypot(*(high - low).T) / np.sqrt(2), np.float64)
    return np.where(np.isfinite(extent) & (extent > 0), extent, np.nan)


def _limit(distances: FloatArray) -> float:
    """The largest of a point's distances (N,) that chance explains."""
    known = distances[np.isfinite(distances)]
    return max(LEAST, LIMIT * float(np.median(known))) if len(known) else float("inf")


def _exchanged(
    labels: FloatArray,
    scheme: Scheme,
    off: npt.NDArray[np.bool_],
    width: float,
    fits: Callable[[FloatArray], bool],
) -> str | None:
    """Which points were swapped: left and right, mirrored, or two points that are off; or None."""
    if scheme.flip_order is not None:
        swapped = labels[list(scheme.flip_order)]
        if fits(swapped):
            return SIDES
        mirror = np.array([width - 1, 0]) + swapped * [-1, 1]
        if fits(mirror):
            return MIRRORED
    for a, b in combinations(np.flatnonzero(off)[:12], 2):
        order = np.arange(len(labels))
        order[[a, b]] = b, a
        if fits(labels[order]):
            return f"{SWAPPED}: {scheme.names[a]}, {scheme.names[b]}"
    return None


def _kind(
    labels: FloatArray,
    predicted: FloatArray,
    scheme: Scheme,
    limits: FloatArray,
    size: float,
    width: float,
) -> str:
    """The kind of error whose correction makes labels (K, 2) fit a network's points (K, 2) within
    limits (K,) px.
    """
    known = np.asarray(np.isfinite(labels).all(1) & np.isfinite(predicted).all(1))

    away = np.linalg.norm(labels - predicted, axis=1)
    off = known & (away > limits)

    def fits(moved: FloatArray) -> bool:
        left = np.linalg.norm(moved - predicted, axis=1)[known]
        return bool((left <= 1.5 * limits[known]).all() and left.mean() < 0.5 * away[known].mean())

    if (exchanged := _exchanged(labels, scheme, off, width, fits)) is not None:
        return exchanged
    shift = np.asarray((predicted - labels)[known].mean(0), np.float64)
    if known.sum() > 1 and off.sum() > max(1, known.sum() / 4):
        if fits(labels + shift):
            return OTHER_FACE if float(np.hypot(*shift)) > FAR * size else SHIFTED
        if any(fits(moved) for moved in _similar(labels, predicted, known)):
            return RESIZED
    if off.sum() <= max(1, known.sum() / 4):
        return f"{OFF}: {', '.join(scheme.names[k] for k in np.flatnonzero(off)[:3])}"
    return UNLIKE


def _similar(
    labels: FloatArray, predicted: FloatArray, known: npt.NDArray[np.bool_]
) -> Iterator[Array]:
    """The labels moved by the similarity that brings them closest."""
    try:
        yield CropTransform.fit(labels[known], predicted[known], 1).apply(labels)
    except DataError:  # all in one place
        return
