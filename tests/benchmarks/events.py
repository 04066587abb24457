"""How well blinks are found in clips whose lids are warped shut, by `fkp video --events`.

    python -m tests.benchmarks.events DATA [--faces 12] [--seconds 20] [--model FILE] [--keep FILE]

DATA holds `judge/lfpw/`. Each face moves, its light changes, and it blinks at random times: both
lids fall within CLOSING seconds, stay down for SHUT and rise within OPENING. The clip is encoded as
H.264 at 30 and at 15 frames a second.

Prints the F1 of blinks per eye (a blink is found where it overlaps with a true one), and the
difference of the onsets in frames. --keep saves the clips' openings and truth.
"""

import argparse
import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd

import fkp
from fkp.api import Network
from fkp.vision.images import Image
from fkp.vision.measures import find_openings
from tests.benchmarks.eyes import LARGE, OPEN, labelled, shut

Array = npt.NDArray[np.float64]

CLOSING, SHUT, OPENING = (0.07, 0.11), (0.03, 0.12), (0.12, 0.22)
"""Seconds that lids take, from and to (Bentivoglio et al., Movement Disorders 12, 1997)."""

SIDE = 320
"""Pixels of a clip."""


def schedule(seconds: float, rng: np.random.Generator) -> Array:
    """(B, 4): onset, full, reopening and end of each blink."""
    blinks, now = [], rng.uniform(0.8, 2.0)
    while now < seconds - 1:
        closing, closed, opening = (rng.uniform(*span) for span in (CLOSING, SHUT, OPENING))
        blinks.append(np.cumsum([now, closing, closed, opening]))
        now = blinks[-1][3] + rng.uniform(0.8, 4.0)
    return np.array(blinks)


def closed_by(blinks: Array, time: float) -> float:
    """How far the lids are down at a moment."""
    for onset, full, reopening, end in blinks:
        if onset <= time <= end:
            return float(np.interp(time, [onset, full, reopening, end], [0, 1, 1, 0]))
    return 0.0


def write_clip(
    path: Path, image: Image, points: Array, blinks: Array, rate: int, seconds: float, seed: int
) -> None:
    """A face that sways, under changing light, with these blinks."""
    rng = np.random.default_rng(seed)
    middle, width = points[27:48].mean(0), np.linalg.norm(points[36] - points[45])
    scale = SIDE * 0.33 / width
    phases = rng.uniform(0, 2 * np.pi, 4)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"crf": "23", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        for i in range(round(seconds * rate)):
            time = i / rate
            sway = np.sin(2 * np.pi * time * np.array([0.23, 0.31, 0.17, 0.11]) + phases)
            drawn = shut(image, points, closed_by(blinks, time))
            matrix = cv2.getRotationMatrix2D(
                tuple(map(float, middle)), 3 * sway[2], scale * (1 + 0.04 * sway[3])
            )
            matrix[:, 2] += SIDE / 2 - middle + 6 * sway[:2]
            frame = cv2.warpAffine(drawn, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)
            lit = frame * (1 + 0.1 * sway[0]) + rng.normal(0, 2.5, frame.shape)
            shown = av.VideoFrame.from_ndarray(np.clip(lit, 0, 255).astype(np.uint8), "bgr24")
            shown.pts, shown.time_base = i, Fraction(1, rate)
            out.mux(stream.encode(shown))
        out.mux(stream.encode(None))


def compare(true: Array, found: pd.DataFrame) -> tuple[int, int, list[float]]:
    """True blinks that were found, found ones that are false, and by how much onsets are late."""
    hits, used, late = 0, set(), []
    for onset, _, _, end in true:
        same = found[(found["onset"] < end) & (found["end"] > onset)]
        if len(same):
            hits += 1
            used |= set(same.index)
            late.append(float(same["onset"].iloc[0] - onset))
    return hits, len(found) - len(used), late


def run(data: Path, network: Network, count: int, seconds: float, keep: Path | None) -> None:
    """Print the figures at both rates."""
    faces = []
    for _, image, points in labelled(data / "judge/lfpw", "labels.csv"):
        openings = find_openings(points[None])[0, :2]
        if np.linalg.norm(points[36] - points[45]) > LARGE and openings.min() >= OPEN:
            faces.append((image, points))
    chosen = faces[:: max(1, len(faces) // count)][:count]
    kept: dict[str, Any] = {}
    for rate in (30, 15):
        hits = false = total = 0
        late: list[float] = []
        for seed, (image, points) in enumerate(chosen):
            blinks = schedule(seconds, np.random.default_rng(seed))
            with tempfile.TemporaryDirectory() as folder:
                clip = Path(folder) / "clip.mp4"
                write_clip(clip, image, points, blinks, rate, seconds, seed)
                frames = list(network.video(clip))
            table = fkp.events(frames)
            first = [frame.faces.points[0] for frame in frames if len(frame.faces)]
            kept[f"{rate}_{seed}_openings"] = find_openings(np.array(first))
            kept[f"{rate}_{seed}_blinks"] = blinks
            for eye in ("right", "left"):
                own = table[(table["event"] == "blink") & (table["eye"] == eye)]
                right, wrong, shifts = compare(blinks, own)
                hits, false, total = hits + right, false + wrong, total + len(blinks)
                late += [rate * shift for shift in shifts]
        recall, precision = hits / total, hits / max(hits + false, 1)
        print(
            f"{rate} frames a second, {len(chosen)} faces, {total} blinks of an eye: "
            f"F1 {2 * hits / (hits + false + total):.3f}, found {recall:.3f}, "
            f"true {precision:.3f}; "
            f"onset within one frame {np.mean(np.abs(late) <= 1):.2f}, "
            f"median {np.median(np.abs(late)):.2f} frames"
        )
    if keep is not None:
        np.savez(keep, **kept)


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--faces", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    run(given.data, fkp.load(given.model), given.faces, given.seconds, given.keep)


if __name__ == "__main__":
    main()
