"""Signals at any moment: one line and an exit code, and no process is left."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.harness import ALL
from tests.helpers import SAMPLES

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc"),
]

WORDS = {
    "annotate": ("annotate", "many", "--det-size", "160", "--jobs", "2"),
    "video": ("video", str(SAMPLES / "clip.mp4"), "--overlay-size", "160"),
}
LINES = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "terminated"}
MOMENTS = 30 if ALL else 1


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with many pictures, which take longer than a signal needs."""
    folder = tmp_path_factory.mktemp("signals")
    (folder / "many").mkdir()
    for i in range(120):
        (folder / "many" / f"{i:03d}.jpg").symlink_to(SAMPLES / "coffee.jpg")
    return folder


Start = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def start(place: Path) -> Iterator[Start]:
    """Starts a command as a process group of its own; what is left of it is killed at the end."""
    runs: list[subprocess.Popen[str]] = []

    def started(name: str) -> "subprocess.Popen[str]":
        shutil.rmtree(place / "out", ignore_errors=True)
        run = subprocess.Popen(
            [sys.executable, "-m", "fkp", *WORDS[name], "--out", "out"],
            cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        runs.append(run)
        return run

    yield started
    for run in runs:
        if group(run.pid):
            os.killpg(run.pid, signal.SIGKILL)
        run.communicate()


def group(number: int) -> list[int]:
    """The living processes of a process group."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, _, own = (entry / "stat").read_text().rpartition(")")[2].split()[:3]
            except OSError:  # it has just ended
                continue
            if int(own) == number and state != "Z":
                found.append(int(entry.name))
    return found


def listens(process: int) -> bool:
    """Whether a process handles SIGTERM, as fkp does from before its imports on."""
    status = Path(f"/proc/{process}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def wait_for_workers(run: "subprocess.Popen[str]") -> list[int]:
    """The workers, once there are two and what clears up after them."""
    assert wait_until(lambda: len(group(run.pid)) >= 4, 240)
    return [pid for pid in group(run.pid) if pid != run.pid]


def check(run: "subprocess.Popen[str]", number: int) -> None:
    """It ends with one line and its exit code; all its processes are gone."""
    said, _ = run.communicate(timeout=120)
    lines = [line for line in said.splitlines() if line.startswith("fkp: ")]
    if run.returncode == 0:  # it was faster
        assert lines == []
    else:
        assert run.returncode == 128 + number, said
        assert lines == [f"fkp: {LINES[signal.Signals(number)]}"], said
    assert "Traceback" not in said
    assert "resource_tracker" not in said
    assert wait_until(lambda: not group(run.pid), 10), said


@pytest.mark.parametrize("number", LINES, ids=lambda number: number.name)
@pytest.mark.parametrize("name", WORDS)
def test_a_signal_at_any_moment(name: str, number: signal.Signals, start: Start) -> None:
    """To the process alone or to its group, once or twice."""
    moments = random.Random(f"{name} {number}")
    for i in range(MOMENTS):
        run = start(name)
        assert wait_until(lambda: listens(run.pid), 60)  # noqa: B023
        time.sleep(moments.uniform(0, 2) ** 2)
        for _ in range(1 + i % 2):
            if run.poll() is None:
                (os.killpg if i % 3 else os.kill)(run.pid, number)
            time.sleep(moments.choice((0.0, 0.1, 0.7)))
        check(run, number)


def test_workers_end_with_the_process_that_started_them(start: Start) -> None:
    run = start("annotate")
    wait_for_workers(run)
    os.kill(run.pid, signal.SIGKILL)
    run.communicate(timeout=20)
    assert wait_until(lambda: not group(run.pid), 20)


@pytest.mark.parametrize("seed", range(10 if ALL else 1))
def test_a_process_that_is_killed_is_replaced(start: Start, seed: int) -> None:
    """A worker, or the process that clears up after workers."""
    moments = random.Random(seed)
    run = start("annotate")
    workers = wait_for_workers(run)
    time.sleep(moments.uniform(0, 2))
    os.kill(moments.choice(workers), signal.SIGKILL)
    said, _ = run.communicate(timeout=240)
    assert run.returncode == 0, said
    assert "KeyError" not in said
    assert "Traceback" not in said
    assert "120 pictures" in said
