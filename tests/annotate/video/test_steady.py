"""Points do not tremble, do not lag, and short gaps are filled."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.annotate.video.steady import Steady
from fkp.keypoints import FKP4, Faces

SIDE, RATE = 100.0, 30


def clip(
    path: npt.NDArray[np.float64], noise: float, missing: tuple[int, ...] = ()
) -> list[Result]:
    """A face whose points are at `path` (T,) pixels to the right of a grid, and noise."""
    rng = np.random.default_rng(0)
    results: list[Result] = []
    for i, x in enumerate(path):
        base = np.array([[60, 40], [30, 40], [45, 60], [45, 80]], np.float32)
        points = base + np.array([x, 0]) + rng.normal(0, noise, (4, 2))
        faces = Faces(
            FKP4,
            np.array([[x, 0, SIDE, SIDE]], np.float32),
            np.ones(1, np.float32),
            points[None].astype(np.float32),
            np.ones((1, 4), np.float32),
        )
        there = Annotated(faces, 640, 360, "", Moment(i, i / RATE), (7,), (False,))
        gone = Annotated(Faces.empty(FKP4), 640, 360, "", Moment(i, i / RATE))
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


def test_a_still_face_does_not_tremble() -> None:
    raw = clip(np.zeros(150), 0.5)
    calm = points(steadied(raw))
    noisy = points(raw)
    assert np.diff(noisy, axis=0).std() > 3 * np.diff(calm, axis=0).std()
    assert noisy.std(0).mean() > 3 * calm.std(0).mean()
    assert np.array_equal(points(steadied(raw, smooth=0)), noisy)


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


def test_chunks_make_no_difference() -> None:
    raw = clip(np.linspace(0, 90, 60), 0.5, missing=(20, 21, 40, 41, 42, 43))
    one, other = (steadied(raw, chunk, fill=3) for chunk in (7, 60))
    assert [r.numbers for r in one if isinstance(r, Annotated)] == [
        r.numbers for r in other if isinstance(r, Annotated)
    ]
    for a, b in zip(one, other, strict=True):
        assert isinstance(a, Annotated)
        assert isinstance(b, Annotated)
        assert np.allclose(a.faces.points, b.faces.points, atol=0.3)


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
