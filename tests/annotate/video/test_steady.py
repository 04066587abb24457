"""Jitter is smoothed away, movements keep their size, and short gaps are filled."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.annotate.video.steady import Steady
from fkp.keypoints import FKP4, IBUG68, Faces, Scheme
from fkp.vision.measures import measure
from tests.faces68 import BLINK, FRONTAL, SPEECH

SIDE, RATE = 100.0, 30


GRID = np.array([[60, 40], [30, 40], [45, 60], [45, 80]], np.float64)


def clip(
    path: npt.NDArray[np.float64], noise: float, missing: tuple[int, ...] = ()
) -> list[Result]:
    """A face of four points that is `path` (T,) pixels to the right of its place, and noise."""
    shift = np.stack([path, 0 * path], 1)
    return filmed(GRID + shift[:, None], noise, missing=missing)


def filmed(
    true: npt.NDArray[np.float64],
    noise: float,
    rate: float = RATE,
    scheme: Scheme = FKP4,
    missing: tuple[int, ...] = (),
) -> list[Result]:
    """Frames with a face at points (T, K, 2), and white noise of that deviation."""
    rng = np.random.default_rng(0)
    results: list[Result] = []
    for i, own in enumerate(true):
        points = (own + rng.normal(0, noise, own.shape)).astype(np.float32)[None]
        corner = own.min(0)
        faces = Faces(
            scheme,
            np.array([[*corner, SIDE, SIDE]], np.float32),
            np.ones(1, np.float32),
            points,
            np.ones((1, len(scheme)), np.float32),
        )
        there = Annotated(faces, 640, 360, "", Moment(i, i / rate), (7,), (False,))
        gone = Annotated(Faces.empty(scheme), 640, 360, "", Moment(i, i / rate))
        results.append(gone if i in missing else there)
    return results


def steadied(results: list[Result], chunk: int = 16, **options: Any) -> list[Result]:
    """All of them through the smoother, chunk by chunk."""
    steady = Steady(**{"smooth": 0.5, "fill": 0, **options})
    out: list[Result] = []
    for start in range(0, len(results), chunk):
        out += steady.push(results[start : start + chunk])
    return out + steady.flush()


def points(results: list[Result]) -> npt.NDArray[np.float64]:
    return np.array([r.faces.points[0] for r in results if isinstance(r, Annotated)], np.float64)


def lag(true: npt.NDArray[np.float64], found: npt.NDArray[np.float64]) -> float:
    """Frames by which a curve is behind, to a hundredth."""
    at = np.arange(len(true))
    shifts = np.arange(-2, 2, 0.01)
    inner = slice(5, -5)
    errors = [np.abs(np.interp(at - s, at, true) - found)[inner].mean() for s in shifts]
    return float(shifts[int(np.argmin(errors))])


@pytest.mark.parametrize(("scheme", "face"), [(FKP4, GRID), (IBUG68, FRONTAL)])
def test_the_jitter_of_a_still_face_falls_to_a_third(
    scheme: Scheme, face: npt.NDArray[np.float64]
) -> None:
    raw = filmed(np.repeat(face[None], 150, 0), 0.5, scheme=scheme)
    noisy, calm = points(raw), points(steadied(raw))
    assert noisy.std(0).mean() > 3 * calm.std(0).mean()
    assert np.diff(noisy, axis=0).std() > 3 * np.diff(calm, axis=0).std()
    assert np.array_equal(points(steadied(raw, smooth=0)), noisy)


def kept(
    true: npt.NDArray[np.float64], wave: npt.NDArray[np.float64], rate: float, which: int
) -> float:
    """How much of the size of a movement in a measure is left, against the raw points.

    true: (T, 68, 2). wave: (T,) the movement, from 0 to 1. which: the measure's index.
    """
    raw = filmed(true, 0.2, rate, IBUG68)
    sizes = [
        np.polyfit(wave, measure(points(one), 640, 360)[:, which], 1)[0]
        for one in (steadied(raw), raw)
    ]
    return float(sizes[0] / sizes[1])


@pytest.mark.parametrize("rate", [15.0, 30.0])
@pytest.mark.parametrize("hertz", [2.0, 5.0])
def test_speech_keeps_its_size(rate: float, hertz: float) -> None:
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * hertz * np.arange(90) / rate + 0.3)
    true = FRONTAL + wave[:, None, None] * SPEECH
    assert kept(true, wave, rate, 2) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("rate", [15.0, 30.0])
def test_a_blink_of_a_tenth_of_a_second_keeps_its_depth(rate: float) -> None:
    since = np.arange(120) / rate % 1.0 - 0.51
    wave = np.where(abs(since) < 0.05, np.cos(np.pi * since / 0.1) ** 2, 0)
    true = FRONTAL + wave[:, None, None] * BLINK
    assert kept(true, wave, rate, 0) == pytest.approx(1, abs=0.05)


def test_a_nodding_head_that_speaks_keeps_both() -> None:
    t = np.arange(120) / RATE
    wave = 0.5 + 0.5 * np.sin(2 * np.pi * 5 * t)
    nod = np.stack([np.zeros_like(t), 8 * np.sin(2 * np.pi * 2 * t)], 1)
    true = FRONTAL + wave[:, None, None] * SPEECH + nod[:, None]
    assert kept(true, wave, RATE, 2) == pytest.approx(1, abs=0.05)
    calm = points(steadied(filmed(true, 0.2, scheme=IBUG68)))
    still = slice(27, 31)  # the bridge of the nose: only the head moves it
    moved = calm[:, still, 1].mean(1) - true[:, still, 1].mean(1)
    assert abs(moved).max() < 0.5


@pytest.mark.parametrize("speed", [30.0, 100.0, 300.0])
def test_a_moving_face_is_not_late(speed: float) -> None:
    """speed: pixels a second at most, of a face of 100 pixels that goes to and fro."""
    t = np.arange(150) / RATE
    path = speed / 4 * np.sin(4 * t)
    raw = clip(path, 0.5)
    calm = steadied(raw)
    true = points(clip(path, 0.0))
    assert np.abs(points(calm) - true).mean() <= np.abs(points(raw) - true).mean()
    assert abs(lag(true[:, 0, 0], points(calm)[:, 0, 0])) < 0.5


@pytest.mark.parametrize("ahead", [12, 0])
def test_chunks_make_no_difference(ahead: int) -> None:
    raw = clip(np.linspace(0, 90, 60), 0.5, missing=(20, 21, 40, 41, 42, 43))
    one, other = (steadied(raw, chunk, fill=3, lookahead=ahead) for chunk in (7, 60))
    assert [r.numbers for r in one if isinstance(r, Annotated)] == [
        r.numbers for r in other if isinstance(r, Annotated)
    ]
    for a, b in zip(one, other, strict=True):
        assert isinstance(a, Annotated)
        assert isinstance(b, Annotated)
        assert np.array_equal(a.faces.points, b.faces.points)


def test_without_lookahead_the_past_smooths_alone() -> None:
    raw = clip(np.zeros(150), 0.5)
    calm = [frame for result in raw for frame in [*steadied([result])]]
    assert np.array_equal(points(calm), points(raw)), "one frame alone has nothing to lean on"
    live = points(steadied(raw, chunk=1, lookahead=0))
    assert points(raw).std(0).mean() > 2 * live.std(0).mean()


def test_missing_points_stay_missing_and_pull_at_nothing() -> None:
    true = np.repeat(FRONTAL[None], 60, 0)
    holes = true.copy()
    holes[20:30, 40] = np.nan
    calm, whole = (points(steadied(filmed(p, 0.3, scheme=IBUG68))) for p in (holes, true))
    assert np.isnan(calm[20:30, 40]).all()
    assert np.isfinite(np.delete(calm, 40, axis=1)).all()
    assert np.abs(np.delete(calm - whole, 40, axis=1)).max() < 0.3


def test_after_a_long_absence_a_face_begins_anew() -> None:
    path = np.where(np.arange(60) < 30, 0.0, 0.4)
    results = clip(path, 0.0, missing=tuple(range(22, 38)))
    there = [r for r in steadied(results) if isinstance(r, Annotated) and len(r.faces)]
    assert np.allclose([r.faces.points[0, 0, 0] for r in there], [60.0] * 22 + [60.4] * 22)


def test_short_gaps_are_filled_and_say_so() -> None:
    raw = clip(np.linspace(0, 118, 60), 0.0, missing=(20, 21, 40, 41, 42, 43))
    filled = steadied(raw, smooth=0, fill=3)
    for i, result in enumerate(filled):
        assert isinstance(result, Annotated)
        if i in (20, 21):
            assert (result.status, result.status_of(0), result.number(0)) == (
                "no_face",
                "filled",
                7,
            )
            assert np.allclose(result.faces.points[0, 2], (45 + 2 * i, 60), atol=0.01)
            assert np.isnan(result.faces.confidence).all()
        elif 40 <= i < 44:
            assert len(result.faces) == 0
        else:
            assert result.status_of(0) == "ok"


def test_unreadable_frames_pass() -> None:
    raw = clip(np.zeros(30), 0.5)
    raw[9] = Failure("damaged", Moment(9, 9 / RATE))
    done = steadied(raw, fill=2)
    assert len(done) == 30
    assert isinstance(done[9], Failure)
