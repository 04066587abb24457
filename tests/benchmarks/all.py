"""Everything that is fast, as ratios to what it is measured against in the same run.

usage: python -m tests.benchmarks.all [--rounds 5] [--only WORD] [--peers PYTHON] [--record]
--only: the rows whose name has this word. --peers: the Python of an environment with
mediapipe==0.10.21, whose loops run too. A ratio is the median of the rounds' ratios; all that is
compared takes turns. `bar` is what a ratio is meant to reach.

Exits with 1 where a ratio is more than 20 % under the lower quartile of the recorded ones
(`recorded.json`), so that it warns of losses and not of a busy machine; --record adds this run's.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from fkp.labels.prepare import PrepareConfig, prepare
from tests.benchmarks import annotate_photos, prepare_kaggle, train_speed, video_speed

RECORDED = Path(__file__).with_name("recorded.json")
KEPT = 12
"""Runs of which the ratios are kept."""
WORSE = 0.8

Rate = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Row:
    """Two of a group's measures. bar: what ours is meant to be in units of theirs."""

    what: str
    against: str
    ours: str
    theirs: str
    bar: float | None = None

    @property
    def name(self) -> str:
        """Under which the ratio is recorded."""
        return f"{self.what} / {self.against}"


@dataclass(frozen=True, slots=True)
class Group:
    """Measures that take turns, rates of which more is better, and what is compared."""

    measures: dict[str, Rate]
    rows: tuple[Row, ...]


def seconds(*command: str | Path) -> float:
    """Of a program, the best of five."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run(list(map(str, command)), check=True, capture_output=True)
        taken.append(time.perf_counter() - started)
    return min(taken)


def photos(work: Path, kind: str, count: int, peers: str | None) -> dict[str, Rate]:
    """The measures of a folder of pictures."""
    paths = [str(path) for path in sorted((work / kind).glob("*.jpg"))]
    many = annotate_photos.multiplied(work / kind, work / f"many-{kind}", count)
    out = work / "out"
    ours = partial(annotate_photos.annotate, many, out)

    def faces() -> float:
        return ours("--no-overlays") * annotate_photos.faces_each(out)

    measures: dict[str, Rate] = {
        "table": partial(ours, "--no-overlays"),
        "small": partial(ours, "--no-overlays", "--det-size", "320"),
        "overlays": ours,
        "faces": faces,
        "decoding": partial(annotate_photos.decoding, paths),
    }
    if peers:
        repeated = [str(path) for path in sorted(many.glob("*.jpg"))]

        def pooled_faces() -> float:
            each, rate = annotate_photos.pool(peers, repeated)
            return each * rate

        measures["loop"] = partial(annotate_photos.peer, peers, "mediapipe", paths)
        measures["pool"] = lambda: annotate_photos.pool(peers, repeated)[1]
        measures["pooled faces"] = pooled_faces
    return measures


def chosen(measures: dict[str, Rate], *rows: Row) -> Group:
    """The rows that can be measured, with what they need."""
    kept = tuple(row for row in rows if {row.ours, row.theirs} <= set(measures))
    needed = [name for name in measures if any(name in (row.ours, row.theirs) for row in kept)]
    return Group({name: measures[name] for name in needed}, kept)


def pictures(work: Path, peers: str | None) -> Iterator[Group]:
    """`fkp annotate` against decoding alone, MediaPipe's loop, and a pool of two of them."""
    annotate_photos.write_portraits(work / "portraits", 120)
    annotate_photos.write_photos(work / "small", 120, 640)
    annotate_photos.write_photos(work / "large", 16, 4000)
    yield chosen(
        photos(work, "portraits", 3000, peers),
        Row("portraits", "pool of 2", "table", "pool", 1.05),
        Row("portraits", "MediaPipe", "table", "loop", 2.0),
        Row("portraits", "decoding", "table", "decoding"),
        Row("portraits, det 320", "pool of 2", "small", "pool", 1.5),
    )
    yield chosen(
        photos(work, "small", 3000, peers),
        Row("scenes", "pool of 2", "table", "pool", 0.75),
        Row("scenes, faces", "pool of 2", "faces", "pooled faces", 1.5),
        Row("scenes", "MediaPipe", "table", "loop"),
        Row("scenes", "decoding", "table", "decoding"),
    )
    yield chosen(
        photos(work, "large", 320, peers),
        Row("12 megapixels", "pool of 2", "table", "pool", 2.1),
        Row("12 megapixels", "decoding", "table", "decoding", 4.0),
        Row("12 megapixels, overlays", "pool of 2", "overlays", "pool", 1.2),
        Row("12 megapixels", "MediaPipe", "table", "loop"),
    )
    yield from sizes(work)


def sizes(work: Path) -> Iterator[Group]:
    """How memory grows with the pictures, and speed with the workers."""
    few, more = (annotate_photos.multiplied(work / "small", work / str(n), n) for n in (200, 1500))
    out = work / "out"
    yield chosen(
        {
            "more": lambda: 1 / annotate_photos.memory(more, out, 2),
            "few": lambda: 1 / annotate_photos.memory(few, out, 2),
            "two": partial(annotate_photos.annotate, more, out, "--no-overlays", "--jobs", "2"),
            "one": partial(annotate_photos.annotate, more, out, "--no-overlays", "--jobs", "1"),
        },
        Row("memory: 1,500 pictures", "200 pictures", "more", "few"),
        Row("two workers", "one", "two", "one"),
    )
    rates: dict[str, float] = {}

    def parent() -> float:
        rates["parent"], rates["worker"] = annotate_photos.parent_and_workers(few, out)
        return rates["parent"]

    # On four cores three workers and their parent run at once: it must serve as many pictures.
    yield chosen(
        {"parent": parent, "workers": lambda: 3 * rates["worker"]},
        Row("what the parent serves", "three workers", "parent", "workers", 1.0),
    )


def clips(work: Path, peers: str | None) -> Iterator[Group]:
    """`fkp video` against decoding alone and MediaPipe's tracking."""
    clip = work / "clip.mp4"
    video_speed.write_clip(clip, 900)
    measures: dict[str, Rate] = {
        "table": partial(video_speed.fkp, clip, work / "table", "--no-overlays"),
        "overlay": partial(video_speed.fkp, clip, work / "overlay"),
        "decoding": partial(video_speed.told, sys.executable, "-c", video_speed.DECODE, clip),
    }
    if peers:
        loop = (peers, "-c", video_speed.MEDIAPIPE, clip, work / "m.csv")
        measures["loop"] = partial(video_speed.told, *loop)
    yield chosen(
        measures,
        Row("video, table", "MediaPipe", "table", "loop", 1.8),
        Row("video, overlay", "MediaPipe", "overlay", "loop", 0.6),
        Row("video, table", "decoding", "table", "decoding"),
        Row("video, overlay", "decoding", "overlay", "decoding"),
    )


def tables(work: Path) -> Iterator[Group]:
    """`fkp prepare` and `fkp train` against what one would write otherwise."""
    csv, whole = work / "training.csv", work / "whole.csv"
    data, other = work / "data.csv", work / "other.csv"
    prepare_kaggle.write_csv(csv, 3000)
    yield chosen(
        {
            "ours": lambda: 1 / prepare_kaggle.run(prepare_kaggle.PREPARE, str(csv), str(other))[0],
            "pandas": lambda: 1 / prepare_kaggle.run(prepare_kaggle.BASELINE, str(csv))[0],
        },
        Row("prepare", "pandas", "ours", "pandas"),
    )
    train_speed.write_csv(whole, 2048)
    prepare(PrepareConfig((whole,), data, val=0, test=0), lambda done, total: None)
    yield chosen(
        {"ours": lambda: train_speed.ours(data), "plain": lambda: train_speed.plain(whole, 2)},
        Row("train", "plain loop", "ours", "plain"),
    )


def starts(work: Path) -> Iterator[Group]:
    """How long it takes until something is there, against what it may take."""
    fkp = (sys.executable, "-m", "fkp")
    picture = work / "portraits" / "00000.jpg"
    yield chosen(
        {
            "help": lambda: 1 / seconds(*fkp, "--help"),
            "60 ms": lambda: 1 / 0.06,
            "picture": lambda: 1 / seconds(*fkp, "annotate", picture, "--out", "-"),
            "1.2 s": lambda: 1 / 1.2,
            "python": lambda: 1 / seconds(sys.executable, "-c", "pass"),
        },
        Row("start: fkp --help", "60 ms", "help", "60 ms", 1.0),
        Row("start: fkp --help", "Python", "help", "python"),
        Row("start: one picture", "1.2 s", "picture", "1.2 s", 1.0),
    )


def groups(work: Path, peers: str | None) -> Iterator[Group]:
    """All of them."""
    yield from pictures(work, peers)
    yield from clips(work, peers)
    yield from tables(work)
    yield from starts(work)


def quartile(ratios: list[float]) -> float:
    """The lower one."""
    return ratios[0] if len(ratios) == 1 else statistics.quantiles(ratios, n=4)[0]


def line(row: Row, ours: float, theirs: float, ratio: float, before: list[float]) -> str:
    """What is printed of a row."""
    bar = "" if row.bar is None else f"{row.bar:g}"
    then = f"{quartile(before):.2f}" if before else ""
    marks = [
        "under the bar" if row.bar is not None and ratio < row.bar else "",
        "fell" if fell(ratio, before) else "",
    ]
    return (
        f"{row.what:25}{row.against:>15}{ours:9.3g}{theirs:9.3g}{ratio:8.2f}{bar:>6}{then:>10}  "
        f"{', '.join(filter(None, marks))}"
    )


def fell(ratio: float, before: list[float]) -> bool:
    """Whether a ratio is much lower than recorded."""
    return bool(before) and ratio < WORSE * quartile(before)


def main() -> None:
    """Measure, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="")
    parser.add_argument("--peers")
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    recorded: dict[str, list[float]] = json.loads(RECORDED.read_text())
    worse = False
    with tempfile.TemporaryDirectory() as temporary:
        print(
            f"{'':25}{'against':>15}{'ours':>9}{'theirs':>9}{'ratio':>8}{'bar':>6}{'recorded':>10}"
        )
        for whole in groups(Path(temporary), given.peers):
            group = chosen(whole.measures, *(row for row in whole.rows if given.only in row.name))
            rounds = [
                {name: measure() for name, measure in group.measures.items()}
                for _ in range(given.rounds)
            ]
            for row in group.rows:
                ratio = statistics.median(r[row.ours] / r[row.theirs] for r in rounds)
                ours, theirs = (
                    statistics.median(r[name] for r in rounds) for name in (row.ours, row.theirs)
                )
                before = recorded.setdefault(row.name, [])
                print(line(row, ours, theirs, ratio, before), flush=True)
                worse |= fell(ratio, before)
                recorded[row.name] = [*before, round(ratio, 3)][-KEPT:]
    if given.record:
        RECORDED.write_text(json.dumps(recorded, indent=1) + "\n")
    sys.exit(worse and not given.record)


if __name__ == "__main__":
    main()
