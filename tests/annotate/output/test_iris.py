"""`--iris`: from the option to the tables, and to what reads them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fkp
from fkp.annotate.outcome import Annotated, Moment
from fkp.annotate.video.steady import Steady
from fkp.errors import FkpError
from fkp.labels.columns import find_points
from fkp.vision.iris import IRIS
from tests.annotate.faces import some_faces
from tests.helpers import SAMPLES, fkp_here


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a portrait and a picture without a face."""
    work = tmp_path_factory.mktemp("whole")
    pictures = (SAMPLES / "astronaut.jpg", SAMPLES / "coffee.jpg")
    code, _ = fkp_here("annotate", *pictures, "--iris", "--jobs", "1", "-o", "out", cwd=work)
    assert code == 0
    return work / "out"


def test_irises_lie_in_the_eyes(whole: Path) -> None:
    table = pd.read_csv(whole / "keypoints.csv")
    face, none = (table[table.status == status].iloc[0] for status in ("ok", "no_face"))
    points = fkp.load().annotate(SAMPLES / "astronaut.jpg").points[0]
    for first, side in zip((36, 42), ("right", "left"), strict=True):
        contour = points[first : first + 6]
        width = np.linalg.norm(contour[3] - contour[0])
        centre = face[[f"{side}_iris_x", f"{side}_iris_y"]].to_numpy(float)
        assert np.linalg.norm(centre - contour.mean(0)) < 0.2 * width
        assert 0.3 * width < 2 * face[f"{side}_iris_radius"] < 0.65 * width
    assert none[list(IRIS)].isna().all()


def test_the_overlay_shows_them(whole: Path, tmp_path: Path) -> None:
    from fkp.vision.images import read_image

    fkp.annotate(SAMPLES / "astronaut.jpg", tmp_path, jobs=1)
    with_them, without = (
        read_image(folder / "overlays" / "astronaut.jpg").astype(int)
        for folder in (whole, tmp_path)
    )
    assert (np.abs(with_them - without).max(2) > 60).sum() > 10


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_other_formats_have_the_same_values(form: str, whole: Path, tmp_path: Path) -> None:
    fkp.annotate(SAMPLES / "astronaut.jpg", tmp_path, iris=True, jobs=1, format=form)  # type: ignore[arg-type]
    csv = pd.read_csv(whole / "keypoints.csv").query("status == 'ok'")[list(IRIS)]
    if form == "jsonl":
        lines = (tmp_path / "keypoints.jsonl").read_text().splitlines()
        own = pd.DataFrame([json.loads(line)["iris"] for line in lines])
    else:
        own = pd.read_parquet(tmp_path / "keypoints.parquet")[list(IRIS)]
    assert np.allclose(own, csv, atol=0.01)


def test_python_gives_the_same(whole: Path) -> None:
    csv = pd.read_csv(whole / "keypoints.csv").query("status == 'ok'")[list(IRIS)]
    network = fkp.load(iris=True)
    faces = network.annotate(SAMPLES / "astronaut.jpg")
    assert faces.iris is not None
    assert np.allclose(faces.iris.reshape(-1, 6), csv, atol=0.01)
    assert faces[0].iris is not None
    assert np.allclose(faces.scaled(0.5).iris, faces.iris / 2 - [0.25, 0.25, 0])  # type: ignore[arg-type]
    table = fkp.to_frame(network.photos(SAMPLES / "astronaut.jpg", jobs=1), iris=True)
    assert np.allclose(table[list(IRIS)].astype(float), csv, atol=0.01)


def test_keep_may_name_them(whole: Path, tmp_path: Path) -> None:
    csv = pd.read_csv(whole / "keypoints.csv").query("status == 'ok'")
    limit = float(csv.right_iris_radius.iloc[0])
    for sign, count in ((">", 0), ("<", 1)):
        out = tmp_path / str(count)
        fkp.annotate(
            SAMPLES / "astronaut.jpg", out, keep=f"right_iris_radius {sign} {limit + 0.1}", jobs=1
        )
        table = pd.read_csv(out / "keypoints.csv")
        assert (table.status == "ok").sum() == count
        assert set(IRIS) <= set(table.columns)


def test_the_table_still_has_68_points_to_train_on(whole: Path) -> None:
    header = (whole / "keypoints.csv").read_text().splitlines()[0].split(",")
    found = find_points(header)
    assert found is not None
    assert len(found.names) == 68
    assert not any("iris" in name for name in found.names)


def test_other_points_have_no_irises() -> None:
    with pytest.raises(FkpError, match="irises need the 68 points"):
        fkp.load(scheme="mtfl5", iris=True)


def test_a_clip_has_the_irises_of_each_frame(tmp_path: Path) -> None:
    words = ("video", SAMPLES / "clip.mp4", "--max-frames", "3", "--no-overlays", "--iris")
    assert fkp_here(*words, "--raw", "-o", "out", cwd=tmp_path)[0] == 0
    table = pd.read_csv(tmp_path / "out" / "keypoints.csv")
    raw = pd.read_csv(tmp_path / "out" / "raw.csv")
    assert table[list(IRIS)].notna().all(axis=None)
    assert table[list(IRIS)].equals(raw[list(IRIS)])


def test_a_filled_frame_has_none() -> None:
    results = []
    for i in range(3):
        faces = replace(some_faces(1), iris=np.ones((1, 2, 3), np.float32))
        there = Annotated(faces, 100, 100, "", Moment(i, i / 30), (0,), (False,))
        gone = Annotated(fkp.Faces.empty(faces.scheme), 100, 100, "", Moment(i, i / 30))
        results.append(gone if i == 1 else there)
    steady = Steady(0.0, fill=1)
    before, filled, after = steady.push(results) + steady.flush()
    for result, known in ((before, True), (filled, False), (after, True)):
        assert isinstance(result, Annotated)
        assert result.faces.iris is not None
        assert result.faces.iris.shape == (1, 2, 3)
        assert np.isfinite(result.faces.iris).all() == known
