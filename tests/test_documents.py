"""Examples in the documents run, and show what they print."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fkp
from tests.helpers import SAMPLES, fkp_here, write_course
from tests.test_docs import PAGES, blocks, read

PYTHON = ["README.md", *(page for page in PAGES if "```python" in read(page))]
SHOWN = ["README.md", *(page for page in PAGES if "```console" in read(page))]


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the examples are about."""
    folder = tmp_path_factory.mktemp("work")
    shutil.copytree(SAMPLES, folder / "sample_images")
    shutil.copyfile(SAMPLES / "astronaut.jpg", folder / "photo.jpg")
    shutil.copyfile(SAMPLES / "clip.mp4", folder / "clip.mp4")
    (folder / "photos").mkdir()
    for name in ("astronaut.jpg", "coffee.jpg"):
        shutil.copyfile(SAMPLES / name, folder / "photos" / name)
    write_course(folder, 24, persons=12)
    shell(folder, "fkp prepare labels.csv faces.npy -o data.csv")
    shell(folder, "fkp train data.csv --arch lecture --epochs 1")
    return folder


def shell(folder: Path, line: str) -> str:
    """What a command of fkp prints."""
    code, said = fkp_here(*line.split()[1:], cwd=folder)
    assert code == 0, said
    return said


printed: dict[str, str] = {}
"""By command, so that each runs once."""


def output(folder: Path, line: str) -> str:
    if line not in printed:
        printed[line] = shell(folder, line)
    return printed[line]


def masked(text: str) -> list[str]:
    """The lines without measured values, and without what not every bundled network gives."""
    return re.sub(r"\d+\.\d+(e-\d+)?", "#", text).replace(", visible", "").rstrip().splitlines()


@pytest.mark.slow
@pytest.mark.parametrize("document", SHOWN)
def test_commands_print_what_is_shown(document: str, work: Path) -> None:
    pytest.importorskip("onnx")
    for block in blocks(read(document), "console"):
        line, _, expected = block.removeprefix("$ ").partition("\n")
        if not any(word in line for word in ("sample_images/", "bundled -o", "info runs/")):
            continue  # about data that does not come with fkp
        shown = masked(expected)
        if shown[0] == "...":
            shown = shown[1:]
            assert shown == masked(output(work, line))[-len(shown) :]
        else:
            assert shown == masked(output(work, line)), document


@pytest.mark.slow
@pytest.mark.parametrize("document", PYTHON)
def test_python_runs(document: str, work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(work)
    if "results/" in read(document):
        output(work, "fkp annotate sample_images/ --out results/")
        output(work, "fkp video sample_images/clip.mp4 --measures --out results/clip --overwrite")
    if "keypoints68.onnx" in read(document):
        output(work, "fkp export bundled -o keypoints68.onnx")
    for block in blocks(read(document), "python"):
        shutil.rmtree("runs/mine", ignore_errors=True)
        exec(block.replace("epochs=20", "epochs=2"), {})


def test_the_exported_network_alone_finds_the_eyes(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    monkeypatch.chdir(work)
    output(work, "fkp export bundled -o keypoints68.onnx")
    (block,) = blocks(read("docs/guides/export.md"), "python")
    exec(block, {})
    shown = np.array(re.findall(r"[-\d.]+", capsys.readouterr().out), float).reshape(68, 2)
    faces = fkp.load("bundled").annotate("photo.jpg")
    assert np.abs(shown - faces.points[0])[36:48].max() < 3


def test_the_table_in_the_quickstart_is_what_is_written(work: Path) -> None:
    output(work, "fkp annotate sample_images/ --out results/")
    table = pd.read_csv(work / "results" / "keypoints.csv")
    form = re.compile(r"^\|(?: image|---\|---\|---\|---\|---| sample).*$", flags=re.MULTILINE)
    header, _, *rows = form.findall(read("docs/quickstart.md"))
    assert len(rows) == 3
    names = [cell.strip() for cell in header.strip("|").split("|")]
    for row in rows:
        cells = dict(zip(names, row.strip("|").split("|"), strict=True))
        own = table[table.image == cells["image"].strip()].iloc[0]
        for name, cell in cells.items():
            if name == "...":
                continue
            value = own[name]
            if isinstance(value, str):
                assert cell.strip() == value
            else:
                assert float(cell.strip() or "nan") == pytest.approx(value, abs=8, nan_ok=True)


def test_r_and_pandas_read_the_same(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("R is not installed")
    monkeypatch.chdir(work)
    output(work, "fkp annotate sample_images/ --out results/")
    page = read("docs/guides/tables.md")
    script = blocks(page, "r")[0]
    (work / "mouths.R").write_text(script)
    done = subprocess.run([program, "mouths.R"], capture_output=True, text=True, check=True)
    exec(blocks(page, "python")[0], {})
    ends = (
        re.findall(r"(\d) +(\d\.\d+)$", text, flags=re.MULTILINE)
        for text in (done.stdout, capsys.readouterr().out)
    )
    in_r, in_pandas = ([(int(face), float(width)) for face, width in found] for found in ends)
    assert len(in_r) == 8
    assert in_r == in_pandas
