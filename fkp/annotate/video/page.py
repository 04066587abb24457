"""`index.html` of a clip: the overlay, and the confidence of each face over time."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.files import replacing
from fkp.vision.colours import page_colours

MOST = 2000
"""Maximum number of frames drawn per face; longer clips are thinned out."""


@dataclass(slots=True)
class _Curve:
    """A face: its times, and the mean confidence of its points at each (-1: interpolated)."""

    times: list[float] = field(default_factory=list)
    confidence: list[float] = field(default_factory=list)


def write_page(
    path: Path,
    overlay: str | None,
    records: Iterable[Record],
    events: pd.DataFrame | None = None,
) -> None:
    """Write the page. overlay: the name of the video next to it, None without one. events: see
    `events_of`, None if they are not wanted.
    """
    curves: dict[int, _Curve] = {}
    times: list[float] = []
    problems: list[tuple[float, str]] = []
    clip = ""
    for name, result in records:
        clip = name
        if result.moment is None:
            continue
        times.append(result.moment.time)
        if not isinstance(result, Annotated):
            problems.append((result.moment.time, result.reason))
            continue
        for i in range(len(result.faces)):
            curve = curves.setdefault(result.number(i), _Curve())
            mean = float(result.faces.confidence[i].mean())
            curve.times.append(round(result.moment.time, 3))
            curve.confidence.append(round(mean, 3) if np.isfinite(mean) else -1)
    data = {
        "name": clip,
        "overlay": overlay,
        "first": min(times, default=0.0),
        "last": max(times, default=0.0),
        "frames": len(times),
        "problems": problems[:MOST],
        "step": float(np.median(np.diff(times))) if len(times) > 1 else 1.0,
        "colours": page_colours(),
        "faces": [_row(number, curve) for number, curve in sorted(curves.items())],
        "events": None if events is None else _events(events),
    }
    page = files("fkp.annotate.video").joinpath("clip.html").read_text(encoding="utf-8")
    text = json.dumps(data).replace("<", "\\u003c")
    with replacing(path) as part:
        part.write_text(page.replace("/*DATA*/null", text), encoding="utf-8", errors="replace")


def _events(events: pd.DataFrame) -> list[list[object]]:
    """Face, event, eye, onset, end and depth of the first MOST events in order of time."""
    shown = events.sort_values("onset").head(MOST)[
        ["face", "event", "eye", "onset", "end", "depth"]
    ]
    rows = shown.round(3).astype(object).where(shown.notna(), None)
    return [list(row) for row in rows.itertuples(index=False)]


def _row(number: int, curve: _Curve) -> dict[str, object]:
    known = [v for v in curve.confidence if v >= 0]
    every = -(-len(curve.times) // MOST)
    return {
        "number": number,
        "frames": len(curve.times),
        "first": curve.times[0],
        "last": curve.times[-1],
        "mean": round(sum(known) / len(known), 3) if known else None,
        "every": every,
        "times": curve.times[::every],
        "confidence": curve.confidence[::every],
    }
