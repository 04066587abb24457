"""Blinks, closures, yawns and speech are found by a face's own habits, with their times."""

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import fkp
from fkp.annotate.video.blinks import Closure, find_closures, lids
from fkp.annotate.video.events import EVENT_COLUMNS, MINUTE_COLUMNS, events_of, minutes_of
from fkp.annotate.video.traces import Trace
from fkp.errors import FkpError, UsageError
from fkp.keypoints import FKP4, IBUG68, Faces, Scheme
from tests.faces68 import BLINK, FRONTAL
from tests.helpers import fkp_here

Array = npt.NDArray[np.float64]

RATE = 30


def trapezoid(times: Array, onset: float, closing: float, full: float, reopening: float) -> Array:
    """(T,): how far something is down, 0 to 1."""
    stops = np.cumsum([onset, closing, full, reopening])
    return np.interp(times, stops, [0, 1, 1, 0])


def openings(usual: float, down: Array, noise: float = 0.01, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.asarray(usual * (1 - down + rng.normal(0, noise, len(down))))


def closures(times: Array, values: Array) -> list[Closure]:
    eye = lids(times, values)
    assert eye is not None
    return find_closures(eye)


@pytest.mark.parametrize("usual", [0.2, 0.4])
@pytest.mark.parametrize("deep", [0.15, 0.8])
@pytest.mark.parametrize("rate", [30, 15])
def test_a_blink_has_its_times_whatever_eye_and_network(
    usual: float, deep: float, rate: int
) -> None:
    times = np.arange(6 * rate) / rate
    noise = deep / 60
    down = deep * trapezoid(times, 2.03, 0.1, 0.1, 0.2)
    (blink,) = closures(times, openings(usual, down, noise))
    assert blink.onset == pytest.approx(2.03, abs=1 / rate)
    assert blink.full == pytest.approx(2.13, abs=1 / rate)
    assert blink.reopening == pytest.approx(2.23, abs=1 / rate)
    assert blink.end == pytest.approx(2.43, abs=1.5 / rate)
    assert blink.depth == pytest.approx(deep, abs=0.25 * deep)
    assert blink.baseline == pytest.approx(usual, rel=0.02)
    assert not blink.is_long


def test_noise_is_no_blink_and_neither_are_lids_that_follow_the_gaze() -> None:
    times = np.arange(60 * RATE) / RATE
    assert closures(times, openings(0.3, np.zeros(len(times)), 0.05)) == []
    blinks = sum(0.6 * trapezoid(times, at, 0.1, 0.1, 0.2) for at in range(3, 50, 4))
    glances = sum(0.15 * trapezoid(times, at, 0.1, 0.1, 0.2) for at in range(5, 50, 4))
    found = closures(times, openings(0.3, np.asarray(blinks + glances)))
    assert [round(blink.onset) for blink in found] == list(range(3, 50, 4))


def test_an_opening_that_changes_slowly_is_the_baseline() -> None:
    times = np.arange(90 * RATE) / RATE
    down = 0.5 * trapezoid(times, 80.0, 0.1, 0.1, 0.2)
    slowly = np.interp(times, [0, 90], [0.4, 0.2])
    (blink,) = closures(times, slowly * openings(1.0, down))
    assert blink.onset == pytest.approx(80, abs=1 / RATE)
    assert blink.baseline == pytest.approx(0.22, abs=0.02)


def test_what_is_not_seen_ends_a_closure() -> None:
    times = np.arange(6 * RATE) / RATE
    times[90:] += 2.0
    down = np.zeros(len(times))
    down[85:95] = down[:3] = down[-2:] = 0.7
    found = closures(times, openings(0.3, down))
    assert [(c.first, c.last) for c in found] == [(0, 2), (85, 89), (90, 94), (178, 179)]
    assert found[1].end == pytest.approx(times[89], abs=0.02)
    assert found[2].onset == pytest.approx(times[90], abs=0.02)


@pytest.mark.parametrize("values", [[], [0.3] * 9, [0.0] * 60])
def test_too_little_is_known_of_an_eye(values: list[float]) -> None:
    assert lids(np.arange(len(values)) / RATE, np.array(values)) is None


def trace(
    seconds: float,
    down: Callable[[Array], Array] = np.zeros_like,
    mouth: Callable[[Array], Array] = np.zeros_like,
    eyes: tuple[float, float] = (1, 1),
    rate: int = RATE,
) -> Trace:
    """A face in sight for so long. down: how far the lids fall, times eyes by right and left."""
    times = np.arange(round(seconds * rate)) / rate
    values = [openings(0.3, 0.7 * own * down(times), seed=i) for i, own in enumerate(eyes)]
    values.append(0.05 + mouth(times) + np.random.default_rng(2).normal(0, 0.004, len(times)))
    still, seen = np.zeros(len(times)), np.ones(len(times), bool)
    return Trace(3, times, np.column_stack(values), still, still, still + 0.9, seen)


def blinking(*onsets: float, full: float = 0.1) -> Callable[[Array], Array]:
    """Lids that fall at these times."""
    return lambda times: np.max([trapezoid(times, at, 0.1, full, 0.2) for at in onsets], axis=0)


def test_each_eye_has_its_rows_and_a_minute_counts_both_as_one() -> None:
    face = trace(20, blinking(4, 9, 14))
    table, rates = events_of([face]), minutes_of([face])
    assert list(table.columns) == list(EVENT_COLUMNS)
    assert list(rates.columns) == list(MINUTE_COLUMNS)
    assert set(table["event"]) == {"blink"}
    assert set(table["face"]) == {3}
    assert sorted(table["eye"]) == ["left"] * 3 + ["right"] * 3
    onsets = table[table["eye"] == "right"]["onset"]
    assert onsets.to_numpy() == pytest.approx([4, 9, 14], abs=1 / RATE)
    assert table["duration"].to_numpy() == pytest.approx(0.4, abs=2 / RATE)
    parts = table["closing"] + table["full"] + table["reopening"]
    assert parts.to_numpy() == pytest.approx(table["duration"].to_numpy())
    assert table["depth"].to_numpy() == pytest.approx(0.7, abs=0.05)
    assert rates["blinks"].tolist() == [3]
    assert rates["closures"].tolist() == [0]
    assert rates["seconds"].tolist() == pytest.approx([20], abs=0.1)


def test_a_wink_is_of_one_eye() -> None:
    table = events_of([trace(10, blinking(5), eyes=(0, 1))])
    assert table[["event", "eye"]].to_numpy().tolist() == [["blink", "left"]]


def test_long_closures_are_no_blinks_and_perclos_is_their_share() -> None:
    face = trace(60, blinking(10, 30, full=6), rate=10)
    table, rates = events_of([face]), minutes_of([face])
    assert table["event"].tolist() == ["closure"] * 4
    assert table["full"].to_numpy() == pytest.approx(6, abs=0.25)
    assert rates["perclos"].tolist() == pytest.approx([12.1 / 60], abs=0.01)
    assert rates["closures"].tolist() == [2]
    assert rates["blinks"].tolist() == [0]


@pytest.mark.parametrize(
    ("name", "away"), [("yaw", 50.0), ("pitch", -30.0), ("confidence", 0.2), ("seen", False)]
)
def test_a_face_that_looks_away_or_is_unclear_has_no_events(name: str, away: float) -> None:
    face = trace(20, blinking(5, 15))
    values = np.array(getattr(face, name))
    values[face.times > 12] = away
    changed: dict[str, Any] = {name: values}
    table = events_of([replace(face, **changed)])
    assert [round(onset) for onset in table["onset"]] == [5, 5]
    values[face.times > 7] = away
    sure = face.confidence.copy()
    sure[face.times > 7] = 0.2
    (row,) = minutes_of([replace(face, confidence=sure)]).to_dict("records")
    assert row["valid"] == pytest.approx(7 / 20, abs=0.01)
    assert pd.isna(row["blinks"])
    assert pd.isna(row["perclos"])


def test_yawns_and_speech_are_told_apart() -> None:
    def mouth(times: Array) -> Array:
        yawn = trapezoid(times, 3, 1.0, 2.5, 1.0)
        talk = np.maximum(0, np.sin(2 * np.pi * 4 * times)) * ((times >= 12) & (times < 16))
        smile = trapezoid(times, 19, 0.2, 1.0, 0.2)
        return np.asarray(0.8 * yawn + 0.15 * talk + 0.15 * smile)

    face = trace(22, mouth=mouth)
    table, rates = events_of([face]), minutes_of([face])
    assert table["event"].tolist() == ["yawn", "speech"]
    yawn, speech = table.to_dict("records")
    assert 3 < yawn["onset"] < 4
    assert 6.5 < yawn["end"] < 7.5
    assert speech["onset"] == pytest.approx(12, abs=0.5)
    assert speech["end"] == pytest.approx(16, abs=0.5)
    assert rates["yawns"].tolist() == [1]
    assert rates["speech"].tolist() == pytest.approx([4 / 22], abs=0.05)


def frames(scheme: Scheme) -> Iterator[fkp.Frame]:
    """Some frames with a face whose eyes are shut in three of them, and one without a face."""
    for i in range(30):
        points = 4 * (FRONTAL + BLINK * (i in (14, 15, 16)))[None, : len(scheme)]
        faces = Faces(scheme, np.zeros((1, 4), np.float32), np.ones(1, np.float32),
                      points.astype(np.float32), np.ones(points.shape[:2], np.float32))  # fmt: skip
        nobody = np.zeros(1, bool)
        yield fkp.Frame("a.mp4", i, i / RATE, faces.numbered([3]), nobody, "ok", "", (640, 480))
    none = Faces.empty(scheme).numbered([])
    yield fkp.Frame("a.mp4", 30, 1.0, none, np.zeros(0, bool), "no_face", "", (640, 480))


def test_frames_in_python() -> None:
    table = fkp.events(frames(IBUG68), fov=60)
    assert sorted(table["eye"]) == ["left", "right"]
    assert table["onset"].to_numpy() == pytest.approx(14 / RATE, abs=1.5 / RATE)
    assert table["yaw"].to_numpy() == pytest.approx(0, abs=8)
    assert fkp.minutes(frames(IBUG68))["blinks"].tolist() == [1]
    assert fkp.events([]).columns.tolist() == list(EVENT_COLUMNS)
    assert fkp.minutes([]).empty
    with pytest.raises(FkpError, match="68 points of ibug68, got 4"):
        fkp.events(frames(FKP4))


def test_the_command_writes_both_tables_and_marks_the_page(samples: Path, tmp_path: Path) -> None:
    command = ("video", samples / "clip.mp4", "--max-frames", "40", "--no-overlays", "--events")
    code, _ = fkp_here(*command, "--fov", "60", "-o", "out", cwd=tmp_path)
    assert code == 0
    assert list(pd.read_csv(tmp_path / "out" / "events.csv").columns) == list(EVENT_COLUMNS)
    rates = pd.read_csv(tmp_path / "out" / "minutes.csv")
    assert rates["face"].tolist() == [0]
    assert '"events": [' in (tmp_path / "out" / "index.html").read_text()
    with pytest.raises(UsageError, match="events need a folder"):
        fkp.video(str(samples / "clip.mp4"), io.BytesIO(), events=True)
    with pytest.raises(FkpError, match="events need the 68 points"):
        fkp_here(*command, "--scheme", "fkp4", "-o", "four", cwd=tmp_path)
