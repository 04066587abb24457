"""Jitter smoothing: noise is averaged away, while movements keep their amplitude.

Between two frames a face moves in two ways. Its rigid motion is the similarity transform (shift,
rotation and scale in the picture) that most of its points share; its deformation is the rest: lids,
lips, brows. The two are smoothed separately, and the deformation by parts of the face (both eyes,
the lips), see `parts`.

Each is averaged over neighbouring frames as the bilateral filter averages neighbouring pixels
(Tomasi and Manduchi, ICCV 1998): the weight of a frame depends on how near it is in time, and on
whether the part is in the same place there, as far as the noise allows one to tell. For a part of m
points at the squared distance S from its place in the current frame, with noise of standard
deviation s on each coordinate, q = S / 4ms^2 is 1 on average without movement, and

    z = (q^(1/3) - (1 - 1/9m)) / sqrt(1/9m),    weight = exp(-(d/w)^2 / 2) exp(-max(z, 0)^4 / 2T^4)

where z is standard normal (Wilson and Hilferty, PNAS 17, 1931), d is the distance in frames,
w = WIDTH * smooth, and T = TOLERANCE. s is measured on the part itself, by the median of sixth
differences in time, which see little of movements below 6 Hz at 30 frames a second; it is limited
to between 1 and NOISIER times that of the whole face, so that continuous speech does not count as
noise.

The transfer function follows. Movements below the noise are averaged by the first weight alone, a
Gaussian low-pass: H(f) = exp(-2 (pi w f / rate)^2). Movements that exceed the noise (z well above
T) are averaged only with frames in the same place: H(f) = 1 at any frequency. docs/smoothing.md has
H in between. The window is symmetric, so nothing lags; without lookahead (live) it ends at the
current frame.
"""

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from fkp.keypoints import Scheme

WIDTH = 14.0
"""Standard deviation of the window in frames, for smooth = 1."""

TOLERANCE = 1.3
"""Standard deviations of the noise up to which a part counts as unmoved, more or less."""

NOISIER = 2.5
"""Maximum noise of a part, in multiples of the whole face's noise; more counts as movement."""

FITS = 2
"""Rounds of the robust fit of the rigid motion."""

Points = npt.NDArray[np.float64]
Complex = npt.NDArray[np.complex128]
Mask = npt.NDArray[np.bool_]


_LIPS = {"ibug68": (48, 60), "wflw98": (76, 88)}
"""A point of the outer and one of the inner contour, which no line connects."""


def parts(scheme: Scheme) -> Points:
    """(G, K): 1 at the points of each part of the face, 0 elsewhere.

    A part is what the scheme's lines connect, with its mirror image; the lips are one part.
    """
    k = len(scheme)
    pairs = [*scheme.edges, *enumerate(scheme.flip_order or ())]
    if scheme.name in _LIPS:
        pairs.append(_LIPS[scheme.name])
    one, other = np.array(pairs, int).reshape(-1, 2).T
    joined = coo_array((np.ones(len(pairs)), (one, other)), shape=(k, k))
    count, part = connected_components(joined, directed=False)
    return np.asarray(np.arange(count)[:, None] == part, np.float64)


def smoothed(points: Points, here: int, distance: Points, part: Points, smooth: float) -> Points:
    """The smoothed points (K, 2) of frame `here` of points (T, K, 2), pixels.

    distance: (T,) frames from the current one. part: (G, K), as `parts` gives it. smooth: over 0,
    up to 1. NaN points stay NaN and do not affect others.
    """
    known = np.isfinite(points).all(2) & np.isfinite(points[here]).all(1)
    z = np.where(known, points @ np.array([1, 1j]), 0)
    moved, deformed = _apart(z, z[here], known)
    near = known * np.exp(-0.5 * (distance / (WIDTH * smooth)) ** 2)[:, None]
    whole = np.ones((1, z.shape[1]))
    steady = z[here] + _mean(moved, near * _unmoved(moved, known, whole, 2.0))
    steady += _mean(deformed, near * (_unmoved(deformed, known, part) @ part))
    result = np.stack([steady.real, steady.imag], 1)
    return np.where(known[here][:, None], result, points[here])


def _apart(z: Complex, own: Complex, known: Mask) -> tuple[Complex, Complex]:
    """The motion from the points own (K,) to z (T, K): the rigid motion in the current frame's
    pixels, and the deformation, rotated and scaled to the current frame.
    """
    middle = own.mean()
    own, z = own - middle, z - middle  # small numbers: differences of squares are taken below
    weight = known.astype(np.float64)
    for _ in range(FITS):
        total = np.maximum(weight.sum(1), 1e-9)
        weighted = weight * z
        here, there = weight @ own / total, weighted.sum(1) / total
        spread = weight @ np.abs(own) ** 2 - total * np.abs(here) ** 2
        turn = weighted @ own.conj() - total * here.conj() * there
        turn = np.where(spread > 1e-9, turn / np.maximum(spread, 1e-9), 1)[:, None]
        moved = turn * own + (there - turn[:, 0] * here)[:, None] - own
        rest = z - own - moved
        # Cauchy weights: points that move independently, such as lips, do not shift the head.
        size = np.abs(rest)
        scale = np.maximum(2 * np.median(size, axis=1, keepdims=True), 1e-9)
        weight = known / (1 + (size / scale) ** 2)
    deformed = rest / np.where(turn == 0, 1, turn)
    return np.where(known, moved, 0), np.where(known, deformed, 0)


def _unmoved(shift: Complex, known: Mask, part: Points, freedom: float = 0.0) -> Points:
    """(T, G): the weight of a part as unmoved if its points are shifted by (T, K).

    freedom: half the degrees of freedom of the noise, if not those of all points.
    """
    size = np.maximum(known @ part.T, 1)
    square = np.abs(shift) ** 2 @ part.T
    bend = _bend(shift)
    face = _deviation(bend)
    if face == 0:
        return np.asarray(square == 0, np.float64)
    own = np.array([_deviation(bend[:, one > 0]) for one in part]) if len(part) > 1 else face
    noise = np.clip(own, face, NOISIER * face)
    third = 1 / (9 * (freedom or size))
    z = (np.cbrt(square / (4 * size * noise**2)) - (1 - third)) / np.sqrt(third)
    return np.asarray(np.exp(-0.5 * (np.maximum(z, 0) / TOLERANCE) ** 4))


def _bend(shift: Complex) -> Complex:
    """Sixth differences in time, scaled so that white noise keeps its variance."""
    if len(shift) <= 6:
        return shift[:0]
    return np.asarray(np.diff(shift, 6, axis=0) / np.sqrt(924))


def _deviation(noise: Complex) -> float:
    """The standard deviation of each coordinate, by the median absolute one; 0 where unknown."""
    if noise.size == 0:
        return 0.0
    sizes = np.abs(np.concatenate([noise.real, noise.imag], axis=None))
    middle = len(sizes) // 2
    return float(np.partition(sizes, middle)[middle]) / 0.6745


def _mean(values: Complex, weight: Points) -> Complex:
    """The weighted mean over the first axis; 0 where nothing counts."""
    total = weight.sum(0)
    return np.asarray((weight * values).sum(0) / np.where(total > 0, total, 1))
