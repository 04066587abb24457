"""The scripts of examples/, as a user runs them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import SAMPLES, shorter, write_pictures

EXAMPLES = SAMPLES.parent / "examples"


def run(name: str, *words: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *map(str, words)],
        cwd=cwd, capture_output=True, text=True, check=False,
        env={"PYTHONPATH": str(SAMPLES.parent), "MPLBACKEND": "agg", "FKP_CACHE": str(cwd / "c")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_photos_to_a_table_and_a_plot(tmp_path: Path) -> None:
    said = run("photos_to_plot.py", SAMPLES, "out", cwd=tmp_path)
    assert "coffee.jpg: no_face" in said
    table = pd.read_csv(tmp_path / "out" / "faces.csv")
    assert len(table) == 8
    assert table["mouth_opening"].between(0, 1).all()
    for name in ("mouths.png", "drawn.png"):
        assert (tmp_path / "out" / name).stat().st_size > 5000


@pytest.mark.slow
def test_own_points_from_two_hundred_labels(tmp_path: Path) -> None:
    write_pictures(tmp_path, 200)
    said = run("own_points.py", "labels.csv", "pictures", "out", "1", cwd=tmp_path)
    assert "200 of 200 rows" in said
    table = pd.read_csv(tmp_path / "out" / "points.csv")
    assert "mouth_center_bottom_lip_confidence" in table.columns
    assert table["image"].nunique() == 200


def test_a_clip_to_blinks(tmp_path: Path) -> None:
    said = run("clip_to_blinks.py", SAMPLES / "clip.mp4", "out", cwd=tmp_path)
    assert "of 2 faces" in said
    table = pd.read_csv(tmp_path / "out" / "blinks.csv")
    assert {"face", "eye", "onset", "duration", "depth"} <= set(table.columns)
    assert (tmp_path / "out" / "openings.png").stat().st_size > 5000


def test_the_sharpest_frontal_face(tmp_path: Path) -> None:
    said = run("clean_photos.py", SAMPLES, "out", cwd=tmp_path)
    table = pd.read_csv(tmp_path / "out" / "quality.csv")
    frontal = table[(table.out_of_plane <= 30) & (table.border_cut < 0.1) & (table.occluded < 0.3)]
    best = Path(frontal.sort_values("sharpness").image.iloc[-1]).name
    copied = [path.name for path in (tmp_path / "out").iterdir() if path.name != "quality.csv"]
    assert copied == [best]
    assert "1 copied" in said


def test_photos_by_person(tmp_path: Path) -> None:
    said = run("persons_to_folders.py", SAMPLES, "out", cwd=tmp_path)
    assert "8 faces of" in said
    folders = list((tmp_path / "out" / "persons").iterdir())
    assert {path.name for folder in folders for path in folder.iterdir()} >= {"group.jpg"}
    with_group = [folder for folder in folders if (folder / "group.jpg").exists()]
    assert len(with_group) == 3


def test_the_mean_face(tmp_path: Path) -> None:
    assert "the mean of 8 faces" in run("mean_face.py", SAMPLES, "out", cwd=tmp_path)
    assert (tmp_path / "out" / "mean.png").stat().st_size > 5000


def test_all_are_hidden_but_one(tmp_path: Path) -> None:
    shorter(SAMPLES / "clip.mp4", tmp_path / "clip.mp4", 8)
    said = run("hide_all_but_one.py", "clip.mp4", "out", cwd=tmp_path)
    assert "is clear" in said
    faces = pd.read_csv(tmp_path / "out" / "hidden_faces.csv")
    assert list(faces.status).count("clear") == 1
    assert (tmp_path / "out" / "copies" / "clip.mp4").is_file()


def test_visits_to_smiles(tmp_path: Path) -> None:
    for visit in ("1", "2"):
        (tmp_path / "in" / "neil" / visit).mkdir(parents=True)
        for name in ("rest", "smile"):
            shutil.copyfile(SAMPLES / "astronaut.jpg", tmp_path / f"in/neil/{visit}/{name}.jpg")
    said = run("visits_to_smiles.py", "in", "out", cwd=tmp_path)
    assert "2 smiles of 1 persons" in said
    assert (tmp_path / "out" / "smiles.png").stat().st_size > 5000


def test_every_example_is_run_here() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'run("{path.name}"' in text
