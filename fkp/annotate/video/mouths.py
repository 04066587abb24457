"""Yawns and speech, from a mouth's opening relative to its own rest and noise."""

import numpy as np
import numpy.typing as npt

REST = 20
"""Percentile of the mouth's opening that counts as rest."""

WIDE = 0.4
"""Minimum increase of the opening in a yawn, relative to the width of the mouth."""

YAWN = 1.5
"""Minimum length of a yawn in seconds."""

WINDOW = 1.0
"""Length in seconds of the window in which movements of the lips are analysed."""

NOISIER = 3.0
"""Minimum movement of the lips in speech, relative to their quietest movement."""

LEAST_MOVEMENT = 0.015
"""Minimum standard deviation of the opening in speech."""

TURNS = 4
"""Minimum number of times that the opening crosses its mean within WINDOW in speech; in a smile or
a yawn it does so less often."""

SPEECH = 0.5
"""Minimum length of speech, and maximum length of a pause in it, in seconds."""

APART = 0.5
"""Time out of sight that ends an event, in seconds."""

FloatArray = npt.NDArray[np.float64]
Span = tuple[int, int]
"""First and last frame index of an event."""


def find_yawns(times: FloatArray, openings: FloatArray) -> list[Span]:
    """The spans in which a mouth with openings (T,), without NaN, at times (T,) stays wide open."""
    if len(times) == 0:
        return []
    wide = openings - np.percentile(openings, REST) >= WIDE
    return [(a, b) for a, b in spans(times, wide, 0.2) if times[b] - times[a] >= YAWN]


def find_speech(times: FloatArray, openings: FloatArray, yawns: list[Span]) -> list[Span]:
    """The spans in which the lips move repeatedly, outside yawns.

    Silent words and chewing look like speech.
    """
    movement, turns = _movement(times, openings)
    known = np.isfinite(movement)
    if not known.any():
        return []
    quiet = float(np.percentile(movement[known], 10))
    least = max(LEAST_MOVEMENT, NOISIER * min(quiet, LEAST_MOVEMENT))
    talking = known & (movement >= least) & (turns >= TURNS)
    for a, b in yawns:
        talking[a : b + 1] = False
    return [(a, b) for a, b in spans(times, talking, SPEECH) if times[b] - times[a] >= SPEECH]


def spans(times: FloatArray, there: npt.NDArray[np.bool_], pause: float) -> list[Span]:
    """Runs of true frames; shorter pauses than `pause` seconds do not end a run."""
    found: list[Span] = []
    for i in np.flatnonzero(there).tolist():
        if found and times[i] - times[found[-1][1]] <= max(pause, _step(times) * 1.5):
            found[-1] = (found[-1][0], i)
        else:
            found.append((i, i))
    return found


def _step(times: FloatArray) -> float:
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _movement(times: FloatArray, openings: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Detrended standard deviation (T,) of the opening in the window around each frame, and how
    often (T,) it clearly crosses its mean there; NaN if too few frames are known.
    """
    movement, turns = np.full((2, len(times)), np.nan)
    least = max(5, round(0.6 * WINDOW / _step(times))) if len(times) > 1 else 5
    starts = np.searchsorted(times, times - WINDOW / 2)
    ends = np.searchsorted(times, times + WINDOW / 2, side="right")
    for i, (a, b) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if b - a < least or np.diff(times[a:b]).max() > APART:
            continue
        t = times[a:b] - times[i]
        rest = openings[a:b] - np.polyval(np.polyfit(t, openings[a:b], 1), t)
        movement[i] = rest.std()
        clear = rest[np.abs(rest) > 0.5 * movement[i]]
        turns[i] = np.count_nonzero(np.diff(clear > 0))
    return movement, turns
