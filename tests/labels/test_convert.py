"""Labels out to other tools and back."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.errors import DataError, LabelError
from fkp.keypoints import FKP4
from fkp.labels.convert import convert
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source
from fkp.labels.store import Samples, read_samples
from fkp.labels.table import ReadOptions
from tests.helpers import fkp, write_kaggle, write_pictures


def prepared(folder: Path, source: Path, size: int = 96) -> Samples:
    prepare(PrepareConfig((source,), folder / "data.csv", size=size), lambda done, total: None)
    return read_samples(folder / "data.csv")


@pytest.mark.parametrize(
    ("format", "name"), [("coco", "labels.json"), ("dlc", "CollectedData_x.csv"), ("pts", "faces")]
)
def test_labels_come_back_as_they_went(tmp_path: Path, format: str, name: str) -> None:
    points = write_pictures(tmp_path, 12)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    (tmp_path / "out").mkdir()
    assert convert(samples, format, tmp_path / "out" / name) == []
    scheme = FKP4 if format == "pts" else None
    table = read_source(tmp_path / "out" / name, ReadOptions(scheme=scheme))
    assert len(table.rows) == 12
    assert table.rejected == []
    names = [Path(image).stem for image in table.images or []]
    order = [names.index(Path(image).stem) for image in samples.image]
    back = table.scheme.convert(table.points, FKP4)[order]
    assert np.abs(back - points).max() < 1e-3
    again = PrepareConfig(
        (tmp_path / "out" / name,), tmp_path / "again.csv", read=ReadOptions(scheme=scheme)
    )
    prepare(again, lambda done, total: None)
    if format == "coco":  # who is in the picture goes along
        assert set(read_samples(tmp_path / "again.csv").person) == set(samples.person)


def test_missing_points_and_several_faces(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame.loc[1, ["nose_tip_x", "nose_tip_y"]] = np.nan
    images = frame["image"].tolist()
    frame["image"] = [*images[:3], images[2], *images[4:]]
    frame.to_csv(tmp_path / "labels.csv", index=False)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    for format, name in (("coco", "l.json"), ("dlc", "l.csv")):
        assert convert(samples, format, tmp_path / name) == []
        table = read_source(tmp_path / name, ReadOptions())
        found = table.scheme.convert(table.points, FKP4)
        assert found.shape == (6, 4, 2)
        assert np.isnan(found[1, 2]).all()
        assert np.isfinite(found).all(2).sum() == 23
        assert np.allclose(found[[0, 2, 3, 4]], points[[0, 2, 3, 4]], atol=1e-3)
    (rejected,) = convert(samples, "pts", tmp_path / "pts")
    assert rejected.reason == "nose_tip is not labelled; .pts files need all points"
    assert len(list((tmp_path / "pts").glob("*.pts"))) == 5
    assert len(list((tmp_path / "pts").glob("*.png"))) == 5


def test_pictures_without_files_get_some(tmp_path: Path) -> None:
    write_kaggle(tmp_path / "training.csv", 10, size=96, empty=0.1)
    samples = prepared(tmp_path, tmp_path / "training.csv")
    convert(samples, "coco", tmp_path / "labels.json")
    table = read_source(tmp_path / "labels.json", ReadOptions())
    assert np.allclose(table.points, samples.points, atol=1e-3, equal_nan=True)
    picture = cv2.imread(str(tmp_path / str((table.images or [])[4])), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert np.array_equal(picture, samples.crops[4])
    convert(samples, "kaggle", tmp_path / "kaggle.csv")
    back = read_source(tmp_path / "kaggle.csv", ReadOptions())
    assert back.pixels is not None
    assert np.array_equal(back.pixels, samples.crops)
    assert np.allclose(back.points, samples.points, atol=1e-3, equal_nan=True)


def test_what_cannot_be_converted_is_told(tmp_path: Path) -> None:
    write_pictures(tmp_path, 6)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    with pytest.raises(DataError, match="Kaggle's 15 points cannot be made"):
        convert(samples, "kaggle", tmp_path / "k.csv")
    next((tmp_path / "pictures").iterdir()).unlink()
    with pytest.raises(LabelError, match="file not found; 1 of the data's pictures are missing"):
        convert(samples, "coco", tmp_path / "l.json")
    done = fkp("convert", "data.csv", "--to", "coco", "-o", "data.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "is the data set itself" in done.stderr
