"""The transfer function of jitter smoothing: what is left of a movement, by its size and frequency.

    python -m tests.benchmarks.smoothing [--rate 30] [--smooth 0.5]

A face of 68 points whose lips, lids or whole head move as a sine wave of known amplitude, with
white noise of standard deviation 1 on each coordinate; each figure is the amplitude after smoothing
over that before. The last lines tell how far the noise of a still face falls, and what is left of
blinks.
"""

import argparse

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Moment
from fkp.annotate.video.steady import Steady
from fkp.keypoints import IBUG68, Faces
from tests.faces68 import BLINK, FRONTAL, SPEECH

Array = npt.NDArray[np.float64]

FACE = 10 * (FRONTAL - FRONTAL.mean(0)) + 700
"""Large, so that the noise of one pixel is small against it."""

KINDS = {
    "lips": SPEECH / np.abs(SPEECH).max(),
    "lids": BLINK / np.abs(BLINK).max(),
    "head": np.tile([0.0, 1.0], (68, 1)),
}
"""What moves, (68, 2), by one pixel where it moves most."""

SIZES = (0.5, 1, 2, 3, 5, 10, 20)
"""Amplitudes over the noise."""

FREQUENCIES = (0.5, 1, 2, 5)  # Hz
FRAMES = 240


def steadied(points: Array, rate: float, smooth: float) -> Array:
    """Points (T, 68, 2) after smoothing."""
    one = np.ones((1, 68), np.float32)
    box = np.array([[200, 200, 1000, 1000]], np.float32)
    results = [
        Annotated(
            Faces(IBUG68, box, one[:, 0], own[None].astype(np.float32), one),
            1400, 1400, "", Moment(i, i / rate), (0,), (False,),
        )
        for i, own in enumerate(points)
    ]  # fmt: skip
    steady = Steady(smooth, 0)
    ready = [*steady.push(results), *steady.flush()]
    return np.array([r.faces.points[0] for r in ready if isinstance(r, Annotated)], np.float64)


def left(kind: Array, wave: Array, size: float, rate: float, smooth: float) -> float:
    """What is left of a movement kind (68, 2) that goes as wave (T,)."""
    noise = np.random.default_rng(0).normal(0, 1, (len(wave), 68, 2))
    moved = FACE + noise + size * wave[:, None, None] * kind
    calm = steadied(moved, rate, smooth)
    along = wave - wave.mean()
    after, before = ((np.einsum("tki,ki->t", p, kind) * along).sum() for p in (calm, moved))
    return float(after / before)


def main() -> None:
    """Print a table for each kind of movement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=30, help="frames a second")
    parser.add_argument("--smooth", type=float, default=0.5)
    given = parser.parse_args()
    times = np.arange(FRAMES) / given.rate
    for name, kind in KINDS.items():
        print(f"{name:6}" + "".join(f"{f:>8g} Hz" for f in FREQUENCIES))
        for size in SIZES:
            waves = (np.sin(2 * np.pi * f * times) for f in FREQUENCIES)
            kept = [left(kind, wave, size, given.rate, given.smooth) for wave in waves]
            print(f"{size:6g}" + "".join(f"{k:11.2f}" for k in kept))
    still = FACE + np.random.default_rng(0).normal(0, 1, (FRAMES, 68, 2))
    calm = steadied(still, given.rate, given.smooth)
    jumps = np.diff(still, axis=0).std() / np.diff(calm, axis=0).std()
    print(
        f"noise of a still face falls {still.std(0).mean() / calm.std(0).mean():.1f} times, ",
        end="",
    )
    print(f"jumps between frames {jumps:.1f} times")
    since = times % 1 - 0.51
    wave = np.where(abs(since) < 0.05, np.cos(np.pi * since / 0.1) ** 2, 0)
    blinks = [left(KINDS["lids"], wave, size, given.rate, given.smooth) for size in SIZES]
    print("blinks of 0.1 s, by size: " + ", ".join(f"{k:.2f}" for k in blinks))


if __name__ == "__main__":
    main()
