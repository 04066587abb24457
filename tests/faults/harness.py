"""Commands that are killed, or told of an error, at a call that changes a file.

A library in C (shim.c) stands in front of the system's calls; it sees what Python, FFmpeg and
Arrow write alike, in all processes of a run.
"""

import ctypes
import json
import mmap
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

HERE = Path(__file__).parent
ALL = os.environ.get("FKP_FAULTS") == "all"
"""Whether every call is tried, as `make stress` does, or a few."""

needs_shim = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None, reason="needs Linux and a C compiler"
)


class Control(ctypes.Structure):
    """As in shim.c."""

    _fields_ = (
        ("error", ctypes.c_int),
        ("lasting", ctypes.c_int),
        ("at", ctypes.c_int),
        ("calls", ctypes.c_int),
        ("hit", ctypes.c_int),
        ("row", ctypes.c_int),
        ("below", ctypes.c_char * 4096),
        ("last", ctypes.c_char * 4096),
    )


@dataclass(frozen=True)
class Ended:
    """How a command ended. calls: that change files, so far; hit: whether the fault came."""

    code: int
    said: str
    calls: int
    hit: bool


class Faults:
    """Runs commands with a fault in them."""

    def __init__(self, process: "subprocess.Popen[str]", control: Control, said: Path) -> None:
        self._process, self._control, self._said = process, control, said

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        below: Path | None = None,
        at: int = -1,
        error: int = 0,
        lasting: bool = False,
    ) -> Ended:
        """Run a command in a folder.

        at: number of the call that changes something in the folder `below`, -1 for none. error: the
        number of the error with which it fails, 0 to kill the process and its workers there.
        lasting: all later calls that need room on the disk fail, too.
        """
        control = self._control
        control.error, control.lasting, control.at = error, lasting, at
        control.calls = control.hit = control.row = 0
        control.last = b""
        control.below = os.fsencode(below) if below is not None else b""
        request = {"words": list(words), "folder": str(folder), "said": str(self._said)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        control.below = b""
        said = self._said.read_text(encoding="utf-8", errors="replace")
        return Ended(answer["code"], said, control.calls, bool(control.hit))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        del self._control  # it refers to memory that is to be closed


@contextmanager
def serving(folder: Path) -> Iterator[Faults]:
    """The process in which commands run, with the shim in front."""
    library, shared = folder / "shim.so", folder / "control"
    compile = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "shim.c"), "-ldl"]
    subprocess.run(compile, check=True)
    shared.write_bytes(bytes(ctypes.sizeof(Control)))
    environment = {
        **os.environ, "LD_PRELOAD": str(library), "FKP_SHIM": str(shared), "OMP_NUM_THREADS": "1",
        "FKP_CACHE": str(folder / "cache"),
    }  # fmt: skip
    with shared.open("r+b") as file, mmap.mmap(file.fileno(), 0) as memory:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"], cwd=HERE.parents[1], env=environment,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        faults = Faults(process, Control.from_buffer(memory), folder / "said")
        try:
            yield faults
        finally:
            faults.close()
            assert process.stdout is not None
            process.stdout.close()


@dataclass(frozen=True)
class Case:
    """A command that writes into a folder.

    options: besides the folder for the results, which `place` names. again: what resumes it, or
    replaces what is there. free: names of files whose bytes may differ: they tell the time. before:
    commands that make what it reads.
    """

    name: str
    words: tuple[str, ...]
    again: tuple[str, ...]
    free: frozenset[str] = frozenset({"run.json"})
    before: tuple[tuple[str, ...], ...] = ()
    begun: str = ""

    def out(self, place: Path) -> Path:
        """The folder of its results."""
        return place / "results" / "out"

    def clear(self, place: Path) -> None:
        """Remove the results."""
        shutil.rmtree(place / "results", ignore_errors=True)

    def prepare(self, faults: Faults, place: Path) -> None:
        """Make what it reads."""
        for words in self.before:
            ended = faults.run(words, place)
            assert ended.code in (0, 3), ended.said

    def go_on(self, faults: Faults, place: Path) -> Ended:
        """Run it again, as a user would after it was stopped."""
        if self.begun and not (self.out(place) / self.begun).exists():
            self.clear(place)
            return faults.run(self.words, place)
        return faults.run(self.again, place)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def _case(name: str, words: str, more: str, **about: Any) -> Case:
    first = _words(words)
    return Case(name, first, first + _words(more), **about)


FEW = ("prepare", "few/labels.csv", "few/faces.npy", "-o", "few.csv")
SHORT = _words("train few.csv --arch lecture --epochs 1 --device cpu --runs few --name out")
SEEN = _words("annotate clinic --det-size 160 --jobs 1 --out seen --overwrite")
TRAIN = "train data.csv --arch lecture --epochs 2 --batch 16 --device cpu --runs results --name out"
CASES = (
    _case(
        "annotate",
        f"annotate photos --det-size 160 --jobs {2 if ALL else 1} --crops --also coco --also yolo "
        "--format parquet --out results/out",
        "--resume",
    ),
    _case(
        "video",
        "video clip.mp4 --detector none --max-frames 36 --overlay-size 160 --format parquet "
        "--raw --measures --series results/out/plot.png --out results/out",
        "--resume",
    ),
    _case(
        "merge",
        "merge part1 part2 --out results/out",
        "--overwrite",
        before=tuple(
            tuple(
                f"annotate photos --det-size 160 --jobs 1 --crops --format parquet --shard {i}/2 "
                f"--out part{i} --overwrite".split()
            )
            for i in (1, 2)
        ),
    ),
    _case("prepare", "prepare labels.csv faces.npy -o results/out/data.csv", ""),
    _case("convert", "convert few.csv --to coco -o results/out/labels.json", "", before=(FEW,)),
    _case(
        "export", "export few/out/best.safetensors -o results/out/few.onnx", "", before=(FEW, SHORT)
    ),
    _case("hide", "hide mixed --det-size 160 --jobs 1 --out results/out", "--resume"),
    _case(
        "align",
        "align clinic --det-size 160 --jobs 1 --template eyes --size 64 --hold 0.1 --fade 0 "
        "--timelapse results/out/film.mp4 --out results/out",
        "--resume",
    ),
    _case("people", "people seen --jobs 1 --out results/out", "--overwrite", before=(SEEN,)),
    _case("symmetry", "symmetry seen --out results/out", "--overwrite", before=(SEEN,)),
    _case(
        "train-detector",
        "train-detector boxed/boxes.csv --iterations 1 --threads 1 --device cpu "
        "--out results/out/faces.onnx",
        "",
    ),
    Case(
        "train",
        tuple(TRAIN.split()),
        ("train", "--resume", "results/out"),
        frozenset({"report.html", "curves.png", "config.json", "log.txt"}),
        (("prepare", "labels.csv", "faces.npy", "-o", "data.csv"),),
        begun="config.json",
    ),
)


def tree(folder: Path, free: frozenset[str]) -> dict[str, bytes | None]:
    """All below a folder: the bytes of files, None for folders and for files that are free."""
    return {
        str(path.relative_to(folder)): (
            _content(path) if path.is_file() and path.name not in free else None
        )
        for path in folder.rglob("*")
        if path.name != ".lock"
    }


def _content(path: Path) -> bytes:
    """The bytes of a file; of the table of a training without its clock."""
    if path.name != "results.csv":
        return path.read_bytes()
    table = pd.read_csv(path).drop(columns=["seconds", "images_per_second"])
    return table.to_csv().encode()


def chosen(calls: int, count: int, seed: int) -> list[int]:
    """The numbers of the calls to try: some, with the last one if there are several; or all."""
    if ALL or calls <= count:
        return list(range(calls))
    some = random.Random(seed).sample(range(calls - 1), count)
    return sorted([*some[1:], calls - 1] if count > 1 else some)
