"""What a hard life does to fkp, in about half an hour: `make stress`.

usage: python -m tests.release.stress [PART ...]
Parts: fuzz, kills, many, full, crowd, links; all if none is named. Exits with 1 where anything
was lost, wrong, or said by a traceback.
"""

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

from tests.fuzz import TARGETS, fuzz
from tests.helpers import SAMPLES, contents, long_clip, write_course

EXAMPLES = 1200
KILLS = {"annotate": 80, "video": 60, "train": 60}
FILES = 50_000
RUNS = 1000
MEMORY = 12 << 30
"""Bytes of address space that reading broken files may take."""


class FailedError(Exception):
    """Something was lost, wrong, or not told."""


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "fkp", *map(str, words)]


def run(*words: str | Path, cwd: Path, codes: Sequence[int] = (0,)) -> str:
    """What a command says; only these exit codes, and never a traceback."""
    done = subprocess.run(command(*words), cwd=cwd, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    if done.returncode not in codes or "Traceback" in said:
        raise FailedError(f"fkp {' '.join(map(str, words))}: {done.returncode}\n{said[-2000:]}")
    return said


def views(folder: Path, count: int, seed: int = 0) -> None:
    """Small pictures, half of them with a face."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    bases = []
    for name in ("astronaut.jpg", "coffee.jpg"):
        picture = cv2.imread(str(SAMPLES / name))
        assert picture is not None
        bases.append(cv2.resize(picture, (160, 120)))
    for i in range(count):
        noisy = bases[i % 2] + rng.integers(0, 8, bases[0].shape)
        cv2.imwrite(str(folder / f"{i:05d}.jpg"), np.clip(noisy, 0, 255).astype(np.uint8))


def fuzzing(folder: Path) -> str:
    """Every reader reads files that are broken in every way."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, limits[1]))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name, target in TARGETS.items():
                try:
                    fuzz(target, EXAMPLES, derandomize=False)
                except BaseException as error:
                    raise FailedError(f"{name}: {traceback.format_exc()[-3000:]}") from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
    return f"{len(TARGETS)} forms, {EXAMPLES} broken files of each: only errors that say so"


def killed(
    first: Sequence[str | Path],
    again: Sequence[str | Path],
    times: int,
    folder: Path,
    moments: random.Random,
    longest: float,
) -> int:
    """Start, kill at a random moment, go on, until `times` kills have hit; then let it end."""
    hits, words = 0, first
    while True:
        process = subprocess.Popen(
            command(*words), cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        words = again
        try:
            limit = moments.uniform(0.2, longest) if hits < times else 600
            said, _ = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            hits += 1
            continue
        if process.returncode not in (0, 3) or b"Traceback" in said:
            raise FailedError(f"{again}: {process.returncode}\n{said[-2000:].decode()}")
        return hits


def kills(folder: Path) -> str:
    """Runs that are killed at random moments end as if they had not been."""
    moments = random.Random(0)
    views(folder / "photos", 120)
    (folder / "photos" / "bad.jpg").write_text("no picture")
    long_clip(SAMPLES, folder / "clip.mp4")
    write_course(folder, 600, persons=100)
    run("prepare", "labels.csv", "faces.npy", "-o", "data.csv", cwd=folder)
    data = ["train", "data.csv", "--epochs", "12", "--arch", "lecture", "--name"]
    jobs: dict[str, tuple[list[str], str, list[str]]] = {
        "annotate": (["annotate", "photos", "--det-size", "160", "--out"], "out", ["--resume"]),
        "video": (["video", "clip.mp4", "--raw", "--out"], "out", ["--resume"]),
        "train": (data, "out", []),
    }
    told = []
    for name, (words, out, more) in jobs.items():
        began = time.perf_counter()
        run(*words, "whole", cwd=folder, codes=(0, 3))
        longest = 0.8 * (time.perf_counter() - began)
        place = folder / "runs" if name == "train" else folder
        expected = contents(place / "whole")
        hits = rounds = 0
        while hits < KILLS[name]:
            again = [*words, out, *more]
            if name == "train":
                again = ["train", "--resume", "runs/out"]
            hits += killed_run(name, [*words, out], again, folder, moments, longest)
            rounds += 1
            compare(name, contents(place / out), expected)
            shutil.rmtree(place / out)
        shutil.rmtree(place / "whole")
        told.append(f"{name} {hits} kills in {rounds} runs")
    return "; ".join(told) + ": all to the same bytes"


def killed_run(
    name: str,
    first: list[str],
    again: list[str],
    folder: Path,
    moments: random.Random,
    longest: float,
) -> int:
    """One run with up to six kills; a training that was killed before it had begun begins anew."""
    if name != "train":
        return killed(first, again, moments.randint(1, 6), folder, moments, longest)
    hits = 0
    while not (folder / "runs" / "out" / "config.json").exists() and hits < 4:
        shutil.rmtree(folder / "runs" / "out", ignore_errors=True)
        process = subprocess.Popen(
            command(*first), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        time.sleep(moments.uniform(0.6, 1) * longest)
        hits += process.poll() is None
        process.kill()
        process.wait()
    if not (folder / "runs" / "out" / "config.json").exists():
        run(*first, cwd=folder)
        return hits
    return hits + killed(again, again, moments.randint(0, 3), folder, moments, longest)


def compare(name: str, found: dict[str, bytes], expected: dict[str, bytes]) -> None:
    """Raise where files differ; the seconds that a training took may."""
    ignored = {"report.html", "results.csv", "curves.png", "config.json", "log.txt"}
    for path in {*found, *expected}:
        if name == "train" and Path(path).name in ignored:
            continue
        if found.get(path) != expected.get(path):
            raise FailedError(f"{name}: {path} differs after kills")


def many(folder: Path) -> str:
    """A long run in which every twentieth file is bad."""
    views(folder / "few", 200)
    photos = folder / "photos"
    photos.mkdir()
    for i in range(FILES):
        path = photos / f"{i:05d}.jpg"
        if i % 20 == 7:
            path.write_bytes(os.urandom(100) if i % 40 == 7 else b"")
        else:
            os.link(folder / "few" / f"{i % 200:05d}.jpg", path)
    began = time.perf_counter()
    words = ["annotate", "photos", "--out", "out", "--no-overlays", "--det-size", "160", "-q"]
    process = subprocess.Popen(command(*words), cwd=folder, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) != 3:
        raise FailedError(f"exit code {os.waitstatus_to_exitcode(status)}, expected 3")
    table = pd.read_csv(folder / "out" / "keypoints.csv", usecols=["image", "status"])
    counts = table.drop_duplicates("image")["status"].value_counts()
    if counts["unreadable"] != FILES // 20 or counts.sum() != FILES:
        raise FailedError(f"rows: {counts.to_dict()}")
    seconds = time.perf_counter() - began
    shutil.rmtree(photos)
    return (
        f"{FILES} files, {counts['unreadable']} bad: a row for each, "
        f"{FILES / seconds:.0f} a second, {usage.ru_maxrss / 1024:.0f} MB"
    )


def full(folder: Path) -> str:
    """Disks that are full at random points: told, and gone on with when there is room."""
    disk = folder / "disk"
    disk.mkdir()
    views(folder / "photos", 120)
    long_clip(SAMPLES, folder / "clip.mp4")
    jobs = {
        "annotate": ["annotate", str(folder / "photos"), "--det-size", "160", "--out", "disk/out"],
        "video": ["video", str(folder / "clip.mp4"), "--out", "disk/out"],
    }
    moments, stops = random.Random(0), 0
    for words in jobs.values():
        run(*words[:-1], "whole", cwd=folder)
        whole = contents(folder / "whole")
        needed = 4 * sum(map(len, whole.values())) >> 20
        for _ in range(8):
            size = moments.randint(64, max(128, sum(map(len, whole.values())) >> 10))
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
            if subprocess.run(mount, capture_output=True, check=False).returncode:
                return "no small disk could be mounted here: not tried"
            try:
                said = run(*words, cwd=folder, codes=(0, 1))
                if "no space left" in said.lower():
                    stops += 1
                elif contents(disk / "out") != whole:
                    raise FailedError(f"a full disk was not told: {said[-500:]}")
                more = ["mount", "-o", f"remount,size={needed + 64}m", str(disk)]
                subprocess.run(more, check=True)
                run(*words, "--resume", cwd=folder)
                if contents(disk / "out") != whole:
                    raise FailedError("results differ after a full disk")
            finally:
                subprocess.run(["umount", str(disk)], check=True)
        shutil.rmtree(folder / "whole")
    return f"{stops} of 16 runs stopped by a full disk, said so, and went on to the same bytes"


FORKS = """
import os, sys, time
from fkp.cli.main import cli
from fkp.errors import FkpError
import fkp.cli.video
clip, runs = sys.argv[1], int(sys.argv[2])

def one(i):
    # Half of them want the same folder, the others each its own beside it.
    os.dup2(os.open(f"said/{i}", os.O_CREAT | os.O_WRONLY), 2)
    place = "out" if i % 2 else f"each/{i}"
    try:
        cli.main(["video", clip, "--overwrite", "-q", "--out", place], standalone_mode=False)
    except FkpError as error:
        print(error, file=sys.stderr, flush=True)
        return 1
    return 0

running, failed = set(), 0
for i in range(runs):
    pid = os.fork()
    if pid == 0:
        os._exit(one(i))
    running.add(pid)
    while len(running) >= 8 or (i == runs - 1 and running):
        pid, status = os.wait()
        running.discard(pid)
        failed += status not in (0, 256)
sys.exit(failed > 0)
"""


def crowd(folder: Path) -> str:
    """Many small runs at once, half of them into one folder: one at a time, or refused."""
    with av.open(str(SAMPLES / "clip.mp4")) as clip, av.open(str(folder / "c.mp4"), "w") as out:
        moving = clip.streams.video[0]
        stream = out.add_stream_from_template(moving)
        for packet in islice(clip.demux(moving), 2):
            packet.stream = stream
            out.mux(packet)
    (folder / "said").mkdir()
    process = subprocess.run(
        [sys.executable, "-c", FORKS, "c.mp4", str(RUNS)],
        cwd=folder, stdout=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    told = [(folder / "said" / str(i)).read_text().strip() for i in range(RUNS)]
    refused = sum("another run is writing there" in text for text in told)
    if process.returncode or any(text for text in told if "another run is" not in text):
        raise FailedError(str([text for text in told if text][:3]))
    expected = contents(folder / "out")
    for i in range(0, RUNS, 2):
        if contents(folder / "each" / str(i)) != expected:
            raise FailedError(f"run {i} has other results")
    return f"{RUNS} runs, eight at once: {refused} refused, all others the same results"


def links(folder: Path) -> str:
    """Links and odd paths in inputs and in merged results: nothing is written outside --out."""
    views(folder / "photos", 4)
    secret = folder / "secret"
    secret.mkdir()
    (secret / "kept.txt").write_text("kept")
    odd = folder / "odd"
    odd.mkdir()
    for i, name in enumerate(
        ("..\\..\\x.jpg", "a b.jpg", "-rf.jpg", "\n.jpg", "%s$(id).jpg", "é.jpg")
    ):
        shutil.copy(folder / "photos" / f"{i % 4:05d}.jpg", odd / name)
    (odd / "up").symlink_to(folder)
    (odd / "loop.jpg").symlink_to(odd / "loop.jpg")
    (odd / "far.jpg").symlink_to(folder / "photos" / "00000.jpg")
    before = {str(p) for p in folder.rglob("*")}
    run("annotate", "odd", "odd/../photos", "--out", "out", cwd=folder, codes=(0, 3))
    new = {str(p) for p in folder.rglob("*")} - before
    if any(not path.startswith(str(folder / "out")) for path in new):
        raise FailedError(f"written outside: {sorted(new)[:5]}")
    for i in (1, 2):
        run("annotate", "photos", "--shard", f"{i}/2", "--out", f"part{i}", cwd=folder)
    facts = json.loads((folder / "part1" / "run.json").read_text())
    facts["root"] = "/"
    (folder / "part1" / "run.json").write_text(json.dumps(facts))
    (folder / "part1" / "overlays" / "evil.jpg").symlink_to(secret / "kept.txt")
    (folder / "part1" / "overlays" / "into").symlink_to(secret)
    said = run("merge", "part1", "part2", "--out", "merged", cwd=folder, codes=(0, 1, 3))
    if "evil.jpg" in " ".join(map(str, (folder / "merged").rglob("*"))) or not said:
        raise FailedError("a link was followed into the merged results")
    if [p.name for p in secret.iterdir()] != ["kept.txt"]:
        raise FailedError("something was written through a link")
    (folder / "trap").mkdir()
    (folder / "trap" / "overlays").symlink_to(secret)
    run("annotate", "photos", "--out", "trap", cwd=folder, codes=(0, 1))
    if [p.name for p in secret.iterdir()] != ["kept.txt"]:
        raise FailedError("overlays were written through a link in the results folder")
    return "links, loops and odd names: nothing written outside --out"


PARTS: dict[str, Callable[[Path], str]] = {
    "fuzz": fuzzing, "kills": kills, "many": many, "full": full, "crowd": crowd, "links": links,
}  # fmt: skip


def main() -> None:
    """Run the parts and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], metavar="PART")
    failed = 0
    for name in parser.parse_args().parts or PARTS:
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            try:
                said = PARTS[name](Path(folder))
            except FailedError as error:
                failed, said = 1, f"FAILED: {error}"
        print(f"{name} ({time.perf_counter() - began:.0f} s): {said}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
