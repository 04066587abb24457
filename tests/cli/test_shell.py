"""How the command behaves in a shell: options, help, completion, colours, doctor."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import click
import cv2
import numpy as np
import pytest
import torch

from fkp.cli.main import COMMANDS, cli
from fkp.learn.networks.checkpoint import find_model
from tests.helpers import SAMPLES, fkp, shorter, write_boxes, write_course, write_kaggle
from tests.published import face68, write_300w, write_wider

VARIED = {
    "--epochs", "--lr", "--batch", "--format", "--overlay-size", "--split", "--scheme", "--resume",
}  # fmt: skip
"""Options whose values depend on the command."""


def commands() -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        yield name, command


def test_options_are_spelt_alike() -> None:
    shorts: dict[str, set[str]] = defaultdict(set)
    kinds: dict[str, set[str]] = defaultdict(set)
    for _, command in commands():
        options = [p for p in command.params if isinstance(p, click.Option)]
        names = {name for option in options for name in option.opts}
        assert {"-q", "--quiet", "-v", "--verbose"} <= names
        for option in options:
            (long,) = [name for name in option.opts if name.startswith("--")]
            assert re.fullmatch(r"--[a-z]+(-[a-z]+)*", long)
            assert option.help, f"{command.name} {long} has no help"
            for short in option.opts:
                if not short.startswith("--"):
                    shorts[short].add(long)
            kinds[long].add(type(option.type).__name__)
    assert shorts == {
        "-o": {"--out"}, "-q": {"--quiet"}, "-v": {"--verbose"}, "-0": {"--null"},
    }  # fmt: skip
    several = {name for name, found in kinds.items() if len(found) > 1} - VARIED
    assert several == set()


def test_help_by_any_name(tmp_path: Path) -> None:
    for words in (["-h"], ["--help"], ["video", "-h"]):
        assert cli.main(words, standalone_mode=False) == 0
    done = fkp("--version", cwd=tmp_path)
    assert re.fullmatch(r"fkp, version \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, tmp_path: Path) -> None:
    if shutil.which("fkp", path=os.path.dirname(sys.executable)) is None:
        pytest.skip("fkp is not installed beside this Python")
    program = os.path.join(os.path.dirname(sys.executable), "fkp")

    def complete(**env: str) -> str:
        done = subprocess.run(
            [program], env={**os.environ, **env}, capture_output=True, text=True, check=False
        )
        return done.stdout

    assert "_FKP_COMPLETE" in complete(_FKP_COMPLETE=f"{shell}_source")
    words = {"COMP_WORDS": "fkp vi", "COMP_CWORD": "vi" if shell == "fish" else "1"}
    assert "video" in complete(_FKP_COMPLETE=f"{shell}_complete", **words)


def test_no_colours_where_none_are_wanted(tmp_path: Path, samples: Path) -> None:
    done = fkp("info", "bundled", cwd=tmp_path, data=None, NO_COLOR="1", FORCE_COLOR="1")
    assert done.returncode == 0
    assert "\x1b[3" not in done.stdout + done.stderr


@pytest.mark.slow
def test_verbose_says_more(tmp_path: Path, samples: Path) -> None:
    picture = samples / "coffee.jpg"
    plain = fkp("annotate", picture, "--out", "-", cwd=tmp_path)
    more = fkp("annotate", picture, "--out", "-", "-v", cwd=tmp_path)
    assert plain.stdout == more.stdout
    assert len(more.stderr.splitlines()) > len(plain.stderr.splitlines())
    for text in ("fkp 0.", "Python", "keypoints68.safetensors", "seconds: decode"):
        assert text in more.stderr
        assert text not in plain.stderr
    wrong = subprocess.run(
        [sys.executable, "-m", "fkp", "train", "none.csv", "-v"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert wrong.returncode in (1, 2)


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    threads = torch.get_num_threads()
    assert cli.main(["doctor"], standalone_mode=False) == 0
    said = capsys.readouterr().out
    for text in (
        f"torch {torch.__version__}", "devices: cpu", "detectors: fkp (bundled)", "extra parquet",
        "ms per picture of 640x480", "ms per face", "everything works",
    ):  # fmt: skip
        assert text in said
    assert torch.get_num_threads() == threads


EXAMPLES = [
    (name, shlex.split(line)[1:])
    for name, command in commands()
    for line in re.findall(r"^ *(fkp .*)$", command.help or "", flags=re.MULTILINE)
]

SHORTER = {
    "train": ["--epochs", "1"],
    "audit": ["--epochs", "1"],
    "train-detector": ["--iterations", "1"],
    "video": ["--max-frames", "4"],
    "align": ["--overwrite"],
    "hide": ["--overwrite", "--jobs", "1"],
}
"""Options that make examples quick."""

SECOND_NS = 1_000_000_000  # file systems round times


def test_every_command_has_examples() -> None:
    assert {name for name, _ in EXAMPLES} == set(COMMANDS)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with all that the examples of `--help` work on; they run there one after another."""
    folder = tmp_path_factory.mktemp("desk")
    write_kaggle(folder / "training.csv", 24)
    write_course(folder, 24, persons=12)
    for name in ("photos", "faces", "infants"):
        (folder / name).mkdir()
    for name in ("astronaut.jpg", "coffee.jpg"):
        shutil.copy(SAMPLES / name, folder / "photos")
    shutil.copy(SAMPLES / "clip.mp4", folder)
    for name in ("talk.mp4", "interview.mp4"):
        shorter(SAMPLES / "clip.mp4", folder / name, 4)
    for name in (
        "selfies/a.jpg",
        "party/a.jpg",
        "clinic/anna/1/rest.jpg",
        "clinic/anna/1/smile.jpg",
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(SAMPLES / "astronaut.jpg", folder / name)
    shutil.copy(SAMPLES / "astronaut.jpg", folder / "photo.jpg")
    shutil.copy(SAMPLES / "president.jpg", folder / "interviewer.jpg")
    header = "image,action,face,first,last,box_x,box_y,box_w,box_h"
    corrections = f"{header}\nphotos/coffee.jpg,hide,,,,10,10,40,40\n"
    (folder / "corrections.csv").write_text(corrections)
    write_boxes(folder / "infants")
    before, threads = os.getcwd(), torch.get_num_threads()
    os.chdir(folder)
    cli.main(["prepare", "labels.csv", "faces.npy", "-o", "data.csv"], standalone_mode=False)
    for arch in ("integral", "lecture"):
        words = ["train", "data.csv", "--arch", arch, "--epochs", "1", "--aug", "none"]
        cli.main(words, standalone_mode=False)
    mine = folder / "runs" / "mine"
    shutil.copytree(folder / "runs" / "data-integral", mine)
    shutil.copy(find_model("bundled"), folder / "best.safetensors")
    for name in ("data.csv", "data.npy", "data.json"):
        shutil.copy(folder / name, folder / name.replace("data", "test"))
    (folder / "IdLookupTable.csv").write_text(
        "RowId,ImageId,FeatureName,Location\n1,1,nose_tip_x,\n2,1,nose_tip_y,\n"
    )
    write_300w(folder / "datasets" / "300w", {"ibug": face68()})
    kept = {setting: {"a": [1]} for setting in ("easy", "medium", "hard")}
    boxes = {"0--One": {"a": np.array([[50.0, 60, 200, 200]])}}
    write_wider(folder / "datasets" / "wider", boxes, kept)
    for i, crop in enumerate(np.load(folder / "data.npy")[:3]):
        cv2.imwrite(str(folder / "faces" / f"{i}.png"), crop)
    yield folder
    os.chdir(before)
    torch.set_num_threads(threads)


@pytest.mark.parametrize("words", [w for _, w in EXAMPLES], ids=" ".join)
def test_the_examples_of_help_run(words: list[str], desk: Path) -> None:
    if words[:2] == ["video", "0"]:
        pytest.skip("needs a camera, and does not end")
    if words[1:2] != ["results/"]:  # which the example before has made
        shutil.rmtree("results", ignore_errors=True)
    more = [] if "--resume" in words else SHORTER.get(words[0], [])
    out = next((b for a, b in pairwise(words) if a in ("-o", "--out") and b != "-"), None)
    began = time.time_ns()
    assert cli.main([*words, *more], standalone_mode=False) in (0, None)
    if out is not None:
        made = Path(out)
        files = [made] if made.is_file() else [p for p in made.rglob("*") if p.is_file()]
        assert any(p.stat().st_size and p.stat().st_mtime_ns >= began - SECOND_NS for p in files)
