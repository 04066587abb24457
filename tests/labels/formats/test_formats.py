"""All label formats: each knows its own files, reads them, and survives bad rows in them."""

import os
from pathlib import Path

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.formats.known import FORMATS
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source, recognised
from fkp.labels.source import Source
from fkp.labels.table import ReadOptions
from tests.helpers import SAMPLES, fkp
from tests.labels.examples import EXAMPLES, OWN, Example, picture_names, write_csv


@pytest.fixture(params=[*EXAMPLES, *(f"own {name}" for name in OWN)])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Example]:
    own, _, name = str(request.param).rpartition(" ")
    if name == "parquet":
        pytest.importorskip("pyarrow")
    return name, (OWN if own else EXAMPLES)[name](tmp_path)


def test_each_format_is_recognised_and_read(example: tuple[str, Example]) -> None:
    """As the first that recognises it, and with the points that were written."""
    name, made = example
    assert recognised(Source(made.path)).name == name
    table = read_source(made.path, ReadOptions())
    assert table.scheme is made.scheme
    assert table.format == FORMATS[name].title
    assert not any(rejected.malformed for rejected in table.rejected)
    found = np.stack([table.in_pixels(i, (128, 128)) for i in range(len(table.rows))])
    np.testing.assert_allclose(found, made.points, atol=0.051 if name == "openface" else 1e-3)


def test_each_format_becomes_a_data_set(example: tuple[str, Example], tmp_path: Path) -> None:
    name, made = example
    config = PrepareConfig((made.path,), tmp_path / "data.csv", size=64, val=0, test=0)
    samples = prepare(config, lambda done, total: None).samples
    assert len(samples) == len(made.points)
    if samples.folders:
        paths = samples.paths()
        assert all(Path(path).is_file() for path in paths)
        back = [samples.transform(i).invert(samples.points[i]) for i in range(len(samples))]
        np.testing.assert_allclose(back, made.points, atol=0.06 if name == "openface" else 2e-3)


def test_the_format_that_is_said_is_taken(tmp_path: Path) -> None:
    made = EXAMPLES["pts"](tmp_path)
    one = min(made.path.glob("*.pts"))
    assert len(read_source(one, ReadOptions(), "pts").rows) == 1
    with pytest.raises(LabelError, match="the label files have no lines"):
        read_source(made.path, ReadOptions(), "yolo")
    (tmp_path / "b").mkdir()
    table = EXAMPLES["paths"](tmp_path / "b")
    with pytest.raises(LabelError, match="expected points between"):
        read_source(table.path, ReadOptions(), "pts")
    with pytest.raises(LabelError, match="is a directory"):
        read_source(made.path, ReadOptions(), "coco")


def test_help_names_all_formats(tmp_path: Path) -> None:
    text = fkp("prepare", "--help", cwd=tmp_path).stdout
    for name, format in FORMATS.items():
        assert f"\n  {name} " in text
        assert format.title in text


def test_settings_that_a_format_does_not_know_are_refused(tmp_path: Path) -> None:
    made = EXAMPLES["coco"](tmp_path)
    with pytest.raises(LabelError, match="which has no columns to choose"):
        read_source(made.path, ReadOptions(columns=("x_*",)))
    (tmp_path / "c").mkdir()
    made = EXAMPLES["paths"](tmp_path / "c")
    with pytest.raises(LabelError, match="which has no category to choose"):
        read_source(made.path, ReadOptions(category="face"))


def test_the_folder_of_a_run_is_read_by_its_table(tmp_path: Path) -> None:
    made = EXAMPLES["jsonl"](tmp_path)
    (tmp_path / "run.json").write_text("{}")
    table = read_source(tmp_path, ReadOptions())
    assert table.source == str(made.path)
    assert len(table.rows) == len(made.points)


def test_rows_about_frames_need_their_clip(tmp_path: Path) -> None:
    """As SLEAP's CSVs, and others without a column for the clip."""
    path = tmp_path / "tracks.csv"
    path.write_text(
        "track,frame_idx,left.x,left.y,right.x,right.y\n,2,60,30,20,31\n,5,61,30,21,31\n"
    )
    with pytest.raises(LabelError, match="the clip is not named"):
        read_source(path, ReadOptions())
    table = read_source(path, ReadOptions(images=SAMPLES / "clip.mp4"))
    assert table.frames is not None
    assert table.frames.tolist() == [2, 5]
    config = PrepareConfig(
        (path,), tmp_path / "d.csv", val=0, test=0, read=ReadOptions(images=SAMPLES / "clip.mp4")
    )
    samples = prepare(config, lambda done, total: None).samples
    assert [Path(p).name for p in samples.paths()] == ["clip_000002.png", "clip_000005.png"]


def test_the_table_of_a_clip_becomes_its_frames(tmp_path: Path) -> None:
    header = ["image", "frame", "timestamp", "face", "status", "score", *FKP4.columns]
    points = [300, 100, 250, 101, 275, 130, 276, 150]
    rows = [
        ["clip.mp4", 3, 0.1, 0, "ok", 0.9, *points],
        ["clip.mp4", 3, 0.1, 1, "ok", 0.9, *(v + 9 for v in points)],
        ["clip.mp4", 4, 0.2, 0, "filled", "", *points],
        ["clip.mp4", 9999, 0.2, 0, "ok", 0.9, *points],
    ]
    path = write_csv(tmp_path / "keypoints.csv", [header, *rows])
    config = PrepareConfig(
        (path,), tmp_path / "d.csv", val=0, test=0, read=ReadOptions(images=SAMPLES)
    )
    report = prepare(config, lambda done, total: None)
    assert [Path(p).name for p in report.samples.paths()] == ["clip_000003.png"] * 2
    reasons = " ".join(rejected.reason for rejected in report.rejected)
    assert "no face: filled" in reasons
    assert "no readable frame 9999" in reasons


def test_names_in_fkp_s_tables_may_be_any_bytes(tmp_path: Path) -> None:
    made = EXAMPLES["paths"](tmp_path)
    odd = os.fsdecode(b"pictures/\xff.png")
    (tmp_path / picture_names()[0]).rename(tmp_path / odd)
    header = ["image", "frame", "timestamp", "face", "status", *FKP4.columns]
    lines = [
        ",".join([name, "", "", "0", "ok", *map(str, p.reshape(-1))])
        for name, p in zip([odd, *picture_names()[1:]], made.points, strict=True)
    ]
    path = tmp_path / "keypoints.csv"
    path.write_bytes(os.fsencode("\n".join([",".join(header), *lines]) + "\n"))
    config = PrepareConfig((path,), tmp_path / "d.csv", val=0, test=0)
    assert len(prepare(config, lambda done, total: None).samples) == 4
