"""Events in a clip: blinks, closures, yawns and speech, and how often they happen."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.annotate.names import EVENTS, MINUTES
from fkp.annotate.video.blinks import Closure, Lids, find_closures, lids
from fkp.annotate.video.mouths import Span, find_speech, find_yawns
from fkp.annotate.video.traces import Trace
from fkp.files import replacing

EVENT_COLUMNS = (
    "face", "event", "eye", "onset", "closing", "full", "reopening", "end", "duration", "depth",
    "baseline", "valid", "confidence", "yaw", "pitch",
)  # fmt: skip

MINUTE_COLUMNS = (
    "face", "minute", "start", "seconds", "valid", "blinks", "closures", "perclos", "yawns",
    "speech",
)  # fmt: skip

EYES = ("right", "left")

MARGIN = 0.3
"""Frames this many seconds before and after an event count towards its validity."""

ENOUGH = 0.5
"""Minimum share of valid frames around an event, or in a minute."""

SHUT = 0.8
"""An eye whose drop is at least this share of its deepest counts as shut: P80 of PERCLOS (Wierwille
et al., DOT HS 808 247, 1994)."""

FloatArray = npt.NDArray[np.float64]
Row = dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class _Face:
    """One face: its trace, its valid frames, and the events in them.

    good: indices of the valid frames in the trace; times: of these. eyes, closures: by the name of
    the eye. yawns, speech: spans of the valid frames.
    """

    trace: Trace
    good: npt.NDArray[np.int64]
    times: FloatArray
    eyes: dict[str, Lids]
    closures: dict[str, list[Closure]]
    yawns: list[Span]
    speech: list[Span]

    @classmethod
    def of(cls, trace: Trace) -> "_Face":
        good = np.flatnonzero(trace.valid)
        times, openings = trace.times[good], trace.openings[good]
        both = {eye: lids(times, openings[:, i]) for i, eye in enumerate(EYES)}
        eyes = {eye: own for eye, own in both.items() if own is not None}
        closures = {eye: find_closures(own) for eye, own in eyes.items()}
        yawns = find_yawns(times, openings[:, 2])
        speech = find_speech(times, openings[:, 2], yawns)
        return cls(trace, good, times, eyes, closures, yawns, speech)


def events_of(traces: Sequence[Trace]) -> pd.DataFrame:
    """EVENT_COLUMNS, a row per event of each face, by face and onset. Times are in seconds.

    Frames count only if pose and confidence make them reliable, see `Trace.valid`; an event with a
    smaller share of such frames than ENOUGH is left out.
    """
    rows = [row for trace in traces for row in _events(_Face.of(trace))]
    table = _typed(rows, EVENT_COLUMNS, ("face",), ("event", "eye"))
    return table.sort_values(["face", "onset", "event", "eye"], ignore_index=True)


def minutes_of(traces: Sequence[Trace]) -> pd.DataFrame:
    """MINUTE_COLUMNS, a row per face and minute of the clip in which the face is visible."""
    rows = [row for trace in traces for row in _minutes(_Face.of(trace))]
    return _typed(rows, MINUTE_COLUMNS, ("face", "minute", "blinks", "closures", "yawns"), ())


def _typed(
    rows: Sequence[Row], names: Sequence[str], whole: Sequence[str], text: Sequence[str]
) -> pd.DataFrame:
    kinds = {name: "Int64" if name in whole else "float64" for name in names if name not in text}
    return pd.DataFrame(rows, columns=list(names)).astype(kinds)


def write_events(folder: Path, events: pd.DataFrame, minutes: pd.DataFrame) -> None:
    """Write events.csv and minutes.csv, each whole or not at all."""
    for name, table in ((EVENTS, events), (MINUTES, minutes)):
        with replacing(folder / name) as part:
            table.to_csv(part, index=False, float_format="%.4f", lineterminator="\n")


def _events(face: _Face) -> list[Row]:
    rows = []
    for eye, closures in face.closures.items():
        for closure in closures:
            kind = "closure" if closure.is_long else "blink"
            row = _around(face, kind, eye, closure.onset, closure.end)
            row["closing"] = closure.full - closure.onset
            row["full"] = closure.reopening - closure.full
            row["reopening"] = closure.end - closure.reopening
            row["depth"], row["baseline"] = closure.depth, closure.baseline
            rows.append(row)
    mouth = face.trace.openings[face.good, 2]
    for kind, found in (("yawn", face.yawns), ("speech", face.speech)):
        for a, b in found:
            row = _around(face, kind, "", float(face.times[a]), float(face.times[b]))
            row["depth"] = float(mouth[a : b + 1].max())
            row["baseline"] = float(np.percentile(mouth, 20))
            rows.append(row)
    return [row for row in rows if _number(row["valid"]) >= ENOUGH]


def _around(face: _Face, kind: str, eye: str, onset: float, end: float) -> Row:
    """The cells that all kinds of events have."""
    trace = face.trace
    near = (trace.times >= onset - MARGIN) & (trace.times <= end + MARGIN)
    step = trace.step
    expected = (min(end + MARGIN, trace.times[-1]) - max(onset - MARGIN, trace.times[0])) / step + 1
    valid = min(1.0, float((near & trace.valid).sum() / max(expected, 1)))
    row: Row = dict.fromkeys(EVENT_COLUMNS)
    row |= {
        "face": trace.number, "event": kind, "eye": eye or None, "onset": onset, "end": end,
        "duration": end - onset, "valid": valid,
    }  # fmt: skip
    for name, values in (
        ("confidence", trace.confidence), ("yaw", trace.yaw), ("pitch", trace.pitch)
    ):  # fmt: skip
        known = values[near & np.isfinite(values)]
        row[name] = float(known.mean()) if len(known) else None
    return row


def _minutes(face: _Face) -> list[Row]:
    trace, rows = face.trace, []
    if len(trace.times) < 2:
        return []
    events = _events(face)
    shut = _shut(face)
    for minute in range(int(trace.times[0] // 60), int(trace.times[-1] // 60) + 1):
        start, end = 60.0 * minute, 60.0 * minute + 60
        there = (trace.times >= start) & (trace.times < end)
        if not there.any():
            continue
        inside = (face.times >= start) & (face.times < end)
        valid = float(inside.sum() / there.sum())
        row: Row = dict.fromkeys(MINUTE_COLUMNS)
        row |= {
            "face": trace.number, "minute": minute, "start": start,
            "seconds": float(there.sum() * trace.step), "valid": valid,
        }  # fmt: skip
        if valid >= ENOUGH and face.eyes:
            begun = [row for row in events if start <= _number(row["onset"]) < end]
            row["blinks"] = _together([e for e in begun if e["event"] == "blink"])
            row["closures"] = _together([e for e in begun if e["event"] == "closure"])
            row["perclos"] = float(shut[inside].mean())
            row["yawns"] = sum(e["event"] == "yawn" for e in begun)
            talking = np.zeros(len(face.times), bool)
            for a, b in face.speech:
                talking[a : b + 1] = True
            row["speech"] = float(talking[inside].mean())
        rows.append(row)
    return rows


def _shut(face: _Face) -> npt.NDArray[np.bool_]:
    """(V,): whether all eyes are shut in each valid frame."""
    shut = np.ones(len(face.times), bool)
    for eye in face.eyes.values():
        deep = eye.deepest if np.isfinite(eye.deepest) else np.inf
        shut &= eye.drop >= max(SHUT * deep, eye.threshold)
    return shut


def _together(events: Sequence[Row]) -> int:
    """The number of events, counting overlapping ones of both eyes once."""
    count, until = 0, -np.inf
    for event in sorted(events, key=lambda event: _number(event["onset"])):
        count += _number(event["onset"]) >= until
        until = max(until, _number(event["end"]))
    return count


def _number(value: object) -> float:
    assert isinstance(value, float)
    return value
