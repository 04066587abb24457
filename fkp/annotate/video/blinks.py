"""Blinks: when the eyes of each face of a clip were closed, compared with its own usual opening."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import POINT, TIME, Record
from fkp.annotate.output.text import csv_line, number_cells
from fkp.files import replacing
from fkp.vision.eyes import CLOSED_SHARE, eyes_opening
from fkp.vision.measures import find_openings

COLUMNS = ("face", "start", "end", "frames", "lowest_share", "usual_opening")

LEAST = 10
"""Frames of a face that it takes to know how far its eyes are usually open."""

APART = 0.5
"""Seconds out of sight that end a blink."""

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Blink:
    """start, end: seconds, when the eyes fell below the threshold and rose above it, interpolated
    between frames. frames: how many lie between. lowest: the smallest share of the usual opening.
    """

    start: float
    end: float
    frames: int
    lowest: float


def find_blinks(times: FloatArray, openings: FloatArray) -> list[Blink]:
    """The blinks of one face from its openings (T,) at times (T,), seconds, in order.

    Eyes are closed below CLOSED_SHARE of the median opening. Without LEAST openings there are none.
    """
    known = np.isfinite(openings)
    times, openings = times[known], openings[known]
    usual = usual_opening(openings)
    if not usual > 0:
        return []
    share = openings / usual
    shut = np.concatenate([[False], share < CLOSED_SHARE, [False]])
    torn = np.concatenate([[True], np.diff(times) > APART, [True]])
    begins = np.flatnonzero(shut[1:-1] & (~shut[:-2] | torn[:-1]))
    ends = np.flatnonzero(shut[1:-1] & (~shut[2:] | torn[1:]))
    return [
        Blink(
            float(times[first]) if torn[first] else _crossing(times, share, first - 1),
            float(times[last]) if torn[last + 1] else _crossing(times, share, last),
            last - first + 1,
            float(share[first : last + 1].min()),
        )
        for first, last in zip(begins.tolist(), ends.tolist(), strict=True)
    ]


def usual_opening(openings: FloatArray) -> float:
    """The median of openings (T,); NaN where there are too few."""
    known = openings[np.isfinite(openings)]
    return float(np.median(known)) if len(known) >= LEAST else float("nan")


def _crossing(times: FloatArray, share: FloatArray, i: int) -> float:
    """When the share passes the threshold between the moments i and i + 1."""
    part = (CLOSED_SHARE - share[i]) / (share[i + 1] - share[i])
    return float(times[i] + part * (times[i + 1] - times[i]))


def write_blinks(path: Path, records: Iterable[Record]) -> None:
    """Write a table with a row per blink, by face and time, whole or not at all."""
    lives: dict[int, list[tuple[float, float]]] = {}
    for _, result in records:
        if isinstance(result, Annotated) and result.moment is not None:
            openings = eyes_opening(find_openings(result.faces.points))
            for i, opening in enumerate(openings):
                lives.setdefault(result.number(i), []).append((result.moment.time, float(opening)))
    with replacing(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        file.write(csv_line(list(COLUMNS)))
        for number, life in sorted(lives.items()):
            times, openings = np.array(life).T
            usual = usual_opening(openings)
            for blink in find_blinks(times, openings):
                when = number_cells(np.array([blink.start, blink.end]), TIME)
                rest = number_cells(np.array([blink.lowest, usual]), POINT)
                file.write(csv_line([str(number), *when, str(blink.frames), *rest]))
