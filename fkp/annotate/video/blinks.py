"""Blinks and longer closures of an eye, relative to its own opening, noise and depth of closing.

No threshold is an absolute opening, since the openings of open and of closed eyes depend on the
person, the pose, the picture and the network. The drop of an eye at a moment is 1 - opening /
baseline, where the baseline is its opening around that moment. A drop is a closure if it stands out
from the eye's own noise and is not much shallower than its deepest drops.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST = 10
"""Minimum number of frames for a baseline."""

APART = 0.5
"""Time out of sight that ends a closure, in seconds."""

AROUND, NEAR = 15.0, 3.0
"""Seconds before and after a moment from which the baseline is computed: first from all frames, to
tell in which ones the eye is open, then from these."""

USUAL = 70
"""Percentile of the openings that is the first baseline: eyes are open most of the time."""

NOISIER = 4.0
"""Minimum depth of a drop, in standard deviations of the noise."""

SHALLOWEST = 0.05
"""Minimum depth of a drop, whatever the noise."""

OF_DEEPEST = 0.4
"""Minimum depth of a drop relative to the deepest ones of the same eye, since lids follow the gaze.
"""

RISE, FALL = 0.25, 0.75
"""Shares of a drop's depth between which lids move at constant speed; their times are extrapolated
to when the lid began and ended its movement."""

LONG = 0.5
"""Minimum length of a closure that is not a blink, in seconds."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Closure:
    """An eye that closes and opens. All times are seconds, interpolated between frames.

    onset: when the lid begins to fall. full: when it is down. reopening: when it begins to rise.
    end: when it is up again. depth: the largest drop, 0 to 1. baseline: the opening around. first,
    last: indices of the frames in which the eye was at least half as far down.
    """

    onset: float
    full: float
    reopening: float
    end: float
    depth: float
    baseline: float
    first: int
    last: int

    @property
    def duration(self) -> float:
        """Seconds from onset to end."""
        return self.end - self.onset

    @property
    def is_long(self) -> bool:
        """Whether it is not a blink, by the time spent below half its depth."""
        return (self.reopening + self.end - self.full - self.onset) / 2 >= LONG


@dataclass(frozen=True, slots=True, eq=False)
class Lids:
    """An eye over time: times, drop, baseline (T,), and threshold, the minimum drop of a closure.

    deepest: typical drop of its deep closures, NaN without closures.
    """

    times: FloatArray
    drop: FloatArray
    baseline: FloatArray
    threshold: float
    deepest: float


def lids(times: FloatArray, openings: FloatArray) -> Lids | None:
    """The drop of an eye, from its openings (T,) at increasing times (T,), both without NaN.

    None for fewer than LEAST frames, or if the eye is never open.
    """
    if len(times) < LEAST or not np.median(openings) > 0:
        return None
    rough = 1 - openings / _baseline(times, openings, AROUND, USUAL)
    up = np.abs(rough - np.median(rough)) <= 3 * _noise(rough)
    baseline = _baseline(times, np.where(up, openings, np.nan), NEAR, 50)
    drop = 1 - openings / baseline
    # Of an eye that is up: somebody who blinks often has no noisier lids.
    least = max(SHALLOWEST, NOISIER * _noise(drop[up]))
    peaks = [float(drop[a : b + 1].max()) for a, b in _runs(times, drop, least)]
    deepest = float(np.percentile(peaks, 75)) if peaks else float("nan")
    threshold = max(least, OF_DEEPEST * deepest) if peaks else least
    return Lids(times, drop, baseline, threshold, deepest)


def find_closures(eye: Lids) -> list[Closure]:
    """The closures of an eye in order of time."""
    found: list[Closure] = []
    for a, b in _runs(eye.times, eye.drop, eye.threshold):
        depth = float(eye.drop[a : b + 1].max())
        (first, last), *_ = (
            run for run in _runs(eye.times, eye.drop, depth / 2)
            if run[0] <= a + int(eye.drop[a : b + 1].argmax()) <= run[1]
        )  # fmt: skip
        if found and found[-1].last >= first:
            continue  # two peaks of one closure
        found.append(_timed(eye, first, last, depth))
    return found


def _noise(drop: FloatArray) -> float:
    """Standard deviation of most of a drop, by its median absolute deviation."""
    return 1.4826 * float(np.median(np.abs(drop - np.median(drop))))


def _baseline(times: FloatArray, openings: FloatArray, around: float, usual: int) -> FloatArray:
    """(T,): a percentile of the known openings around each moment, computed once per second and
    interpolated.
    """
    seen = np.isfinite(openings)
    own, when = openings[seen], times[seen]
    stops = np.arange(times[0], times[-1] + 1.0, 1.0)
    levels = np.full(len(stops), np.nan)
    for i, stop in enumerate(stops):
        near = own[np.searchsorted(when, stop - around) : np.searchsorted(when, stop + around)]
        if len(near) >= LEAST:
            levels[i] = np.percentile(near, usual)
    known = levels > 0
    if not known.any():
        return np.full(len(times), np.percentile(own, usual))
    return np.asarray(np.interp(times, stops[known], levels[known]))


def _runs(times: FloatArray, drop: FloatArray, least: float) -> list[tuple[int, int]]:
    """First and last index of each run of frames with at least this drop; gaps end a run."""
    down = np.concatenate([[False], drop >= least, [False]])
    torn = np.concatenate([[True], np.diff(times) > APART, [True]])
    begins = np.flatnonzero(down[1:-1] & (~down[:-2] | torn[:-1]))
    ends = np.flatnonzero(down[1:-1] & (~down[2:] | torn[1:]))
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _timed(eye: Lids, first: int, last: int, depth: float) -> Closure:
    """The closure with its four times, assuming that the lid moves at constant speed."""
    peak = first + int(eye.drop[first : last + 1].argmax())
    falls = _crossings(eye, peak, -1, depth)
    rises = _crossings(eye, peak, 1, depth)
    onset, full = _extended(*falls)
    end, reopening = _extended(*rises)
    middle = float(eye.times[peak])
    full, reopening = min(full, middle), max(reopening, middle)
    if full > reopening:
        full = reopening = middle
    base = float(eye.baseline[peak])
    return Closure(onset, full, reopening, end, depth, base, first, last)


def _crossings(eye: Lids, peak: int, way: int, depth: float) -> tuple[float, float]:
    """The times nearest to the peak, on one side of it, at which the drop is RISE and FALL of its
    depth; the last moment before a gap if the face is out of sight there.
    """
    moments = []
    for share in (FALL, RISE):
        i = peak
        while 0 <= i + way < len(eye.drop) and eye.drop[i] >= share * depth:
            if abs(eye.times[i + way] - eye.times[i]) > APART:
                break
            i += way
        inner, outer = i - way, i
        if eye.drop[i] >= share * depth:  # the lid never came up
            moments.append(float(eye.times[i]))
            continue
        part = (eye.drop[inner] - share * depth) / (eye.drop[inner] - eye.drop[outer])
        moments.append(float(eye.times[inner] + part * (eye.times[outer] - eye.times[inner])))
    return moments[1], moments[0]


def _extended(outer: float, inner: float) -> tuple[float, float]:
    """When a movement began and ended, extrapolated from its times at RISE and FALL."""
    more = (inner - outer) * RISE / (FALL - RISE)
    return outer - more, inner + more
