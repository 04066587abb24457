"""Processes that die, and runs that are told to stop."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from fkp.annotate.outcome import Failure
from fkp.annotate.photo.workers import KILLED, Piece, Task, Workers
from fkp.annotate.processes import each
from fkp.errors import FkpError


@dataclass(frozen=True)
class Fragile:
    """Says its numbers; kills its process at a number, always or while a file is there."""

    numbers: Sequence[int]
    deadly: int
    once: Path | None = None

    def __call__(self) -> Sequence[Piece]:
        if self.deadly in self.numbers and (self.once is None or self.once.exists()):
            if self.once is not None:
                self.once.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        return [Failure(str(number)) for number in self.numbers]

    def parts(self) -> Sequence[Task]:
        return [Fragile([number], self.deadly, self.once) for number in self.numbers]

    def lost(self) -> Sequence[Piece]:
        return [Failure(KILLED)]


def said(tasks: Sequence[Task]) -> tuple[list[str], int, int]:
    """What comes of tasks, how many results were told on the way, and how often one died."""
    told: list[Piece] = []
    with Workers(2, told.extend) as workers:
        pieces = workers.submit(tasks).result()
        return [p.reason for p in pieces if isinstance(p, Failure)], len(told), workers.killed


@dataclass(frozen=True)
class Where:
    """Says where its process is."""

    def __call__(self) -> Sequence[Piece]:
        return [Failure(os.getcwd())]

    def parts(self) -> Sequence[Task]:
        return [self]

    def lost(self) -> Sequence[Piece]:
        return [Failure(KILLED)]


def test_workers_are_where_the_caller_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        places, _, _ = said([Where(), Where()])
        assert places == [str(tmp_path / name)] * 2


def test_a_killed_worker_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "once").touch()
    tasks = [Fragile(range(i, i + 4), 9, tmp_path / "once") for i in range(0, 24, 4)]
    reasons, told, killed = said(tasks)
    assert reasons == [str(i) for i in range(24)]
    assert told == 24
    assert killed == 1


def test_what_always_kills_its_worker_is_a_failure_alone() -> None:
    reasons, told, killed = said([Fragile(range(i, i + 4), 9) for i in range(0, 24, 4)])
    assert reasons == [KILLED if i == 9 else str(i) for i in range(24)]
    assert told == 24
    assert killed >= 2


def once(number: int, mark: Path) -> int:
    """The number; kills its process at 5 if the mark is there."""
    if number == 5 and mark.exists():
        mark.unlink()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def always(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_tasks_of_a_killed_process_are_repeated(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    tasks = [(i, tmp_path / "mark") for i in range(9)]
    assert list(each(2, once, tasks)) == list(range(9))
    assert not (tmp_path / "mark").exists()
    with pytest.raises(FkpError, match="killed again and again"):
        list(each(2, always, [(1,), (2,)]))


def start(*arguments: str | Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "fkp", "annotate", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def many(tmp_path: Path, samples: Path) -> Path:
    """A folder of links to sample pictures."""
    folder = tmp_path / "many"
    folder.mkdir()
    for i in range(400):
        (folder / f"{i:04d}.jpg").symlink_to(samples / ("group.jpg" if i % 2 else "coffee.jpg"))
    return folder


def wait_for_rows(out: Path, run: "subprocess.Popen[bytes]") -> None:
    """Wait until the journal knows of the first rows."""
    for _ in range(600):
        journal = out / "journal.jsonl"
        if journal.exists() and journal.read_bytes().count(b"\n") > 1:
            return
        assert run.poll() is None, run.communicate()
        time.sleep(0.05)
    raise AssertionError("no rows in half a minute")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_told_to_stop(tmp_path: Path, many: Path, number: int, code: int) -> None:
    out = tmp_path / "out"
    run = start(many, "--out", out, "--no-overlays")
    wait_for_rows(out, run)
    os.kill(run.pid, number)
    output, _ = run.communicate(timeout=30)
    assert run.returncode == code, output
    assert b"resume the run to continue" in output
    assert b"Traceback" not in output
    run = start(many, "--out", out, "--no-overlays", "--resume")
    output, _ = run.communicate()
    assert run.returncode == 0, output
    assert b"resuming after" in output
    with (out / "keypoints.csv").open() as file:
        images = {row["image"] for row in csv.DictReader(file)}
    assert len(images) == 400


@pytest.mark.slow
def test_two_runs_in_one_folder(tmp_path: Path, many: Path) -> None:
    out = tmp_path / "out"
    first = start(many, "--out", out, "--no-overlays")
    wait_for_rows(out, first)
    second = start(many, "--out", out, "--no-overlays", "--overwrite")
    output, _ = second.communicate()
    assert second.returncode == 1
    assert b"another run is writing there" in output
    output, _ = first.communicate()
    assert first.returncode == 0, output


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk(tmp_path: Path, many: Path) -> None:
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "fkp", "annotate", str(many), "--out", "-", "--jobs", "1"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert run.returncode == 1
    assert b"no space left on device" in run.stderr
    assert b"Traceback" not in run.stderr
