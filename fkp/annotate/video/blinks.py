"""Blinks and longer closures of an eye, by its own usual opening, noise and depth of closing.

Nothing here is an absolute opening, since how wide an open eye is, and how narrow a closed one
seems, differs with the person, the pose, the picture and the network. The drop of an eye's opening
at a moment is 1 - opening / baseline, where the baseline is the opening around that moment. An eye
closes where the drop stands out of its own noise, and is not far shallower than its deepest.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

LEAST = 10
"""Frames of a face that it takes to know how far its eyes are usually open."""

APART = 0.5
"""Seconds out of sight that end a closure."""

AROUND, NEAR = 15.0, 3.0
"""Seconds before and after a moment from which the baseline is taken: of all frames, to tell in
which of them the eye is open, and of these.
"""

USUAL = 70
"""Percentile of the openings around that is the baseline: eyes are open for most of the time."""

NOISIER = 4.0
"""How many standard deviations of the noise a drop is deep, at least."""

SHALLOWEST = 0.05
"""The least drop, whatever the noise."""

OF_DEEPEST = 0.4
"""Least share of the deepest drops of the same eye that a drop has: lids follow the gaze, too."""

RISE, FALL = 0.25, 0.75
"""Shares of a drop's depth between which lids move evenly: their times tell when it began and when
the eye was shut."""

LONG = 0.5
"""Seconds from which a closure is no blink."""

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
        """Whether it is no blink, by the time at half its depth and more."""
        return (self.reopening + self.end - self.full - self.onset) / 2 >= LONG


@dataclass(frozen=True, slots=True, eq=False)
class Lids:
    """An eye over time: times, drop, baseline (T,), and threshold, the least drop of a closure.

    deepest: the drop of its closures, NaN without any.
    """

    times: FloatArray
    drop: FloatArray
    baseline: FloatArray
    threshold: float
    deepest: float


def lids(times: FloatArray, openings: FloatArray) -> Lids | None:
    """How far an eye is closed, from its openings (T,) at times (T,) in order; none is NaN.

    None where there are fewer than LEAST, or the eye has no opening.
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
    """The closures of one eye in order of time."""
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
    """(T,): a percentile of the known openings around each moment, taken anew every second."""
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
    """First and last index of each run of frames with such a drop; gaps end a run."""
    down = np.concatenate([[False], drop >= least, [False]])
    torn = np.concatenate([[True], np.diff(times) > APART, [True]])
    begins = np.flatnonzero(down[1:-1] & (~down[:-2] | torn[:-1]))
    ends = np.flatnonzero(down[1:-1] & (~down[2:] | torn[1:]))
    return list(zip(begins.tolist(), ends.tolist(), strict=True))


def _timed(eye: Lids, first: int, last: int, depth: float) -> Closure:
    """With its four times: the lid is taken to move evenly while it moves."""
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
    """When the drop is RISE and FALL of its depth, nearest to the peak on one side of it; where the
    face is out of sight there, the last moment that it was seen.
    """
    moments = []
    for share in (FALL, RISE):
        i = peak
        while 0 <= i + way < len(eye.drop) and eye.drop[i] >= share * depth:
            if abs(eye.times[i + way] - eye.times[i]) > APART:
                break
            i += way
        inner, outer = i - way, i
        if eye.drop[i] >= share * depth:  # it never came up
            moments.append(float(eye.times[i]))
            continue
        part = (eye.drop[inner] - share * depth) / (eye.drop[inner] - eye.drop[outer])
        moments.append(float(eye.times[inner] + part * (eye.times[outer] - eye.times[inner])))
    return moments[1], moments[0]


def _extended(outer: float, inner: float) -> tuple[float, float]:
    """When the movement began and ended, of which these are the times at RISE and FALL."""
    more = (inner - outer) * RISE / (FALL - RISE)
    return outer - more, inner + more
