"""Yawns and speech, by how far a mouth is open compared with its own rest and noise."""

import numpy as np
import numpy.typing as npt

REST = 20
"""Percentile of the mouth's opening that is its rest."""

WIDE = 0.4
"""How much further than at rest a mouth is open in a yawn: of its width."""

YAWN = 1.5
"""Least seconds of a yawn."""

WINDOW = 1.0
"""Seconds in which speech is told from the movements of the lips."""

NOISIER = 3.0
"""How many times their quietest movement lips move in speech."""

LEAST_MOVEMENT = 0.015
"""The least standard deviation of the opening in speech."""

TURNS = 4
"""How often in WINDOW the opening crosses its mean in speech: a smile or a yawn does it less."""

SPEECH = 0.5
"""Least seconds of speech, and most seconds of a pause that does not end it."""

APART = 0.5
"""Seconds out of sight that end what was going on."""

FloatArray = npt.NDArray[np.float64]
Span = tuple[int, int]
"""First and last index of what was found."""


def find_yawns(times: FloatArray, openings: FloatArray) -> list[Span]:
    """Where a mouth with these openings (T,), none NaN, at times (T,) is wide open for long."""
    if len(times) == 0:
        return []
    wide = openings - np.percentile(openings, REST) >= WIDE
    return [(a, b) for a, b in spans(times, wide, 0.2) if times[b] - times[a] >= YAWN]


def find_speech(times: FloatArray, openings: FloatArray, yawns: list[Span]) -> list[Span]:
    """Where the lips move to and fro, outside of yawns.

    It is what speech looks like: silent words and chewing look so, too.
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
    """Runs of frames in which something is there; pauses up to so many seconds do not end one."""
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
    """(T,) standard deviation around each moment without the trend, and how often the opening
    changes clearly from one side of its mean to the other there; NaN where too little was seen.
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
