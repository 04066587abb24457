"""`--quality`, `--keep` and `--order`: from the options to the rows."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fkp
from fkp.annotate.output.keep import Keep
from fkp.annotate.output.rows import Columns
from fkp.errors import UsageError
from fkp.keypoints import IBUG68
from fkp.vision.head import Camera
from fkp.vision.quality import QUALITY
from tests.helpers import SAMPLES, contents, fkp_here

ALL = Columns(IBUG68, True, Camera(), True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a group and a picture without a face, with quality."""
    out = tmp_path_factory.mktemp("whole") / "out"
    pictures = [SAMPLES / "group.jpg", SAMPLES / "coffee.jpg"]
    fkp.annotate(pictures, out, quality=True, measures=True, jobs=1)
    return out


def test_the_columns_are_in_the_table_and_on_the_page(whole: Path) -> None:
    table = pd.read_csv(whole / "keypoints.csv")
    faces = table[table.status == "ok"]
    assert faces[list(QUALITY)].notna().all(axis=None)
    assert faces.sharpness.between(0, 1).all()
    assert np.allclose(faces.face_size, faces[["box_w", "box_h"]].max(axis=1), atol=0.01)
    assert table[table.status == "no_face"][list(QUALITY)].isna().all(axis=None)
    page = (whole / "index.html").read_text()
    names = json.loads(page.split("const COLUMNS = ")[1].split(";")[0])
    assert names[-len(QUALITY) :] == list(QUALITY)
    card = json.loads(page.split("const CARDS = [\n")[1].split(",\n")[0])
    first = faces.iloc[0]
    assert card[-1] == pytest.approx([first[name] for name in names], abs=0.002, rel=1e-4)


def test_kept_are_the_faces_for_which_it_is_true(whole: Path, tmp_path: Path) -> None:
    before = pd.read_csv(whole / "keypoints.csv")
    faces = before[before.status == "ok"]
    assert len(faces) > 1
    limit = float(faces.face_size.max()) - 0.5
    keep = ("--keep", f"face_size > {limit}")
    words = ("annotate", SAMPLES / "group.jpg", SAMPLES / "coffee.jpg", "--jobs", "1", *keep)
    code, _ = fkp_here(*words, "-o", "out", cwd=tmp_path)
    assert code == 0
    after = pd.read_csv(tmp_path / "out" / "keypoints.csv")
    own = after[after.status == "ok"]
    wanted = faces[faces.face_size > limit]
    assert own.box_x.tolist() == wanted.box_x.tolist()
    assert "sharpness" in after.columns  # as keep names a column of --quality
    gone = len(faces) - len(wanted)
    assert f"{gone} faces discarded by keep" in own.reason.iloc[0]
    assert list(after.image) == [str(SAMPLES / "group.jpg"), str(SAMPLES / "coffee.jpg")]
    fkp_here(*words, "-o", "none", "--keep", "face_size > 99999", cwd=tmp_path)
    none = pd.read_csv(tmp_path / "none" / "keypoints.csv")
    assert none.status.tolist() == ["no_face", "no_face"]


def test_a_killed_run_resumes_to_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    """Sharpness is read back from the table, as the picture is not looked at again."""
    pictures = [SAMPLES / "group.jpg", SAMPLES / "coffee.jpg"]
    out, options = tmp_path / "out", {"quality": True, "measures": True, "jobs": 1}

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        raise StopError

    with pytest.raises(StopError):
        fkp.annotate(pictures, out, progress=stop, **options)  # type: ignore[arg-type]
    fkp.annotate(pictures, out, resume=True, **options)  # type: ignore[arg-type]
    assert contents(out) == contents(whole)


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_other_formats_have_the_same_values(form: str, whole: Path, tmp_path: Path) -> None:
    fkp.annotate(SAMPLES / "group.jpg", tmp_path, quality=True, jobs=1, format=form)  # type: ignore[arg-type]
    csv = pd.read_csv(whole / "keypoints.csv")
    csv = csv[csv.status == "ok"][list(QUALITY)].reset_index(drop=True)
    if form == "jsonl":
        lines = (tmp_path / "keypoints.jsonl").read_text().splitlines()
        own = pd.DataFrame([json.loads(line)["quality"] for line in lines])
    else:
        own = pd.read_parquet(tmp_path / "keypoints.parquet")[list(QUALITY)]
    assert np.allclose(own, csv, atol=0.01)


def test_orders(whole: Path) -> None:
    network = fkp.load(order="left", quality=True)
    faces = network.annotate(SAMPLES / "group.jpg")
    centres = faces.boxes[:, 0] + faces.boxes[:, 2] / 2
    assert (np.diff(centres) > 0).all()
    table = pd.read_csv(whole / "keypoints.csv").query("status == 'ok'")
    table = table[["box_x", "box_w", "sharpness"]]
    assert faces.quality is not None
    by_place = table.assign(x=table.box_x + table.box_w / 2).sort_values("x")
    assert np.allclose(faces.quality[:, 0], by_place.sharpness, atol=1e-3)
    areas = fkp.load(order="largest").annotate(SAMPLES / "group.jpg").boxes[:, 2:].prod(1)
    assert (np.diff(areas) <= 0).all()


def test_a_clip_has_the_quality_of_each_frame(tmp_path: Path) -> None:
    words = ("video", SAMPLES / "clip.mp4", "--max-frames", "4", "--no-overlays", "--smooth", "0")
    fkp_here(*words, "--quality", "-o", "all", cwd=tmp_path)
    every = pd.read_csv(tmp_path / "all" / "keypoints.csv")
    assert every.sharpness.between(0.01, 1).all()
    limit = float(every.sharpness.median())
    fkp_here(*words, "--keep", f"sharpness > {limit}", "-o", "some", cwd=tmp_path)
    some = pd.read_csv(tmp_path / "some" / "keypoints.csv")
    assert some.frame.tolist() == every.frame.tolist()
    assert ((some.status == "ok") == (every.sharpness > limit)).all()


@pytest.mark.parametrize(
    "said", ["yaww < 30", "yaw < ", "score = 3", "score + 1", "3 > 2", "@x > 1"]
)
def test_what_it_cannot_mean_is_an_error(said: str) -> None:
    with pytest.raises(UsageError, match="keep: "):
        Keep(said, ALL)


def test_an_unknown_value_is_not_kept() -> None:
    from fkp.annotate.outcome import Annotated
    from tests.annotate.faces import some_faces

    faces = some_faces(2)
    faces.confidence[0] = np.nan
    result = Annotated(faces, 100, 100)
    (kept,) = Keep("confidence >= 0", ALL)(["a.jpg"], [result])
    assert isinstance(kept, Annotated)
    assert len(kept.faces) == 1
