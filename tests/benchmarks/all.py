"""Everything that is fast, as ratios to what it is measured against in the same run.

usage: python -m tests.benchmarks.all [--rounds 3] [--peers PYTHON] [--record]
--peers: the Python of an environment with mediapipe==0.10.21, whose loops run too. Exits with 1
where a ratio is more than 20 % under the recorded one (`recorded.json`); --record writes them anew.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from fkp.labels.prepare import PrepareConfig, prepare
from tests.benchmarks import annotate_photos, prepare_kaggle, train_speed, video_speed

RECORDED = Path(__file__).with_name("recorded.json")
WORSE = 0.8

Rate = Callable[[], float]


def seconds(*command: str | Path) -> float:
    """Of a program, the best of five."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return min(taken)


Pair = tuple[str, str, Rate, Rate]
"""What, against what, ours, theirs: rates, of which more is better."""


def pictures(work: Path, peers: str | None) -> Iterator[Pair]:
    """`fkp annotate` against decoding alone and MediaPipe."""
    for kind, count, width in (("large", 16, 4000), ("small", 120, 640)):
        annotate_photos.write_photos(work / kind, count, width)
        paths = [str(path) for path in sorted((work / kind).glob("*.jpg"))]
        many = annotate_photos.multiplied(work / kind, work / f"many-{kind}", 10 * count)
        ours = partial(annotate_photos.annotate, many, work / "out", "--no-overlays")
        yield f"annotate, {kind}", "decoding", ours, partial(annotate_photos.decoding, paths)
        if peers:
            theirs = partial(annotate_photos.peer, peers, "mediapipe", paths)
            yield f"annotate, {kind}", "MediaPipe", ours, theirs
    few, more = (annotate_photos.multiplied(work / "small", work / str(n), n) for n in (200, 1500))
    yield (
        "memory: 1,500 pictures", "200 pictures",
        lambda: 1 / annotate_photos.memory(more, work / "out", 2),
        lambda: 1 / annotate_photos.memory(few, work / "out", 2),
    )  # fmt: skip


def clips(work: Path, peers: str | None) -> Iterator[Pair]:
    """`fkp video` against decoding alone and MediaPipe's tracking."""
    clip = work / "clip.mp4"
    video_speed.write_clip(clip, 900)
    table = partial(video_speed.fkp, clip, work / "table", "--no-overlays")
    decode = partial(video_speed.told, sys.executable, "-c", video_speed.DECODE, clip)
    yield "video, table", "decoding", table, decode
    yield "video, overlay", "decoding", partial(video_speed.fkp, clip, work / "overlay"), decode
    if peers:
        theirs = partial(video_speed.told, peers, "-c", video_speed.MEDIAPIPE, clip, work / "m.csv")
        yield "video, table", "MediaPipe", table, theirs


def tables(work: Path) -> Iterator[Pair]:
    """`fkp prepare` and `fkp train` against what one would write otherwise."""
    csv, whole = work / "training.csv", work / "whole.csv"
    data, other = work / "data.csv", work / "other.csv"
    prepare_kaggle.write_csv(csv, 3000)
    yield (
        "prepare", "pandas",
        lambda: 1 / prepare_kaggle.run(prepare_kaggle.PREPARE, str(csv), str(other))[0],
        lambda: 1 / prepare_kaggle.run(prepare_kaggle.BASELINE, str(csv))[0],
    )  # fmt: skip
    train_speed.write_csv(whole, 2048)
    prepare(PrepareConfig((whole,), data, val=0, test=0), lambda done, total: None)
    yield "train", "plain loop", lambda: train_speed.ours(data), lambda: train_speed.plain(whole, 2)


def starts(work: Path) -> Iterator[Pair]:
    """How long it takes until something is there."""
    fkp, python = (sys.executable, "-m", "fkp"), (sys.executable, "-c")
    picture = work / "small" / "00000.jpg"
    yield (
        "start: fkp --help", "Python",
        lambda: 1 / seconds(*fkp, "--help"), lambda: 1 / seconds(*python, "pass"),
    )  # fmt: skip
    yield (
        "start: one picture", "import torch",
        lambda: 1 / seconds(*fkp, "annotate", picture, "--out", "-"),
        lambda: 1 / seconds(*python, "import torch"),
    )  # fmt: skip


def pairs(work: Path, peers: str | None) -> Iterator[Pair]:
    """All of them."""
    yield from pictures(work, peers)
    yield from clips(work, peers)
    yield from tables(work)
    yield from starts(work)


def main() -> None:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    recorded: dict[str, float] = json.loads(RECORDED.read_text()) if RECORDED.exists() else {}
    found: dict[str, float] = {}
    worse = False
    with tempfile.TemporaryDirectory() as temporary:
        print(f"{'':24}{'against':>14}{'ours':>9}{'theirs':>9}{'ratio':>8}{'recorded':>10}")
        for what, against, ours, theirs in pairs(Path(temporary), given.peers):
            rates = [(ours(), theirs()) for _ in range(given.rounds)]
            ratio = statistics.median(a / b for a, b in rates)
            one, other = (statistics.median(column) for column in zip(*rates, strict=True))
            name = f"{what} / {against}"
            found[name] = round(ratio, 3)
            before = recorded.get(name)
            fell = before is not None and ratio < WORSE * before
            worse |= fell
            then = "" if before is None else f"{before:10.2f}"
            mark = "  fell" if fell else ""
            print(
                f"{what:24}{against:>14}{one:9.3g}{other:9.3g}{ratio:8.2f}{then}{mark}", flush=True
            )
    if given.record:
        RECORDED.write_text(json.dumps({**recorded, **found}, indent=1) + "\n")
    sys.exit(worse and not given.record)


if __name__ == "__main__":
    main()
