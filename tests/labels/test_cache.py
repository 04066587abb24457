"""Tables that go straight to training."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.errors import LabelError, UndecidedError
from fkp.labels.cache import prepared
from fkp.labels.cut import Progress
from fkp.labels.reading import read_source
from fkp.labels.table import LabelTable, ReadOptions
from tests.helpers import write_course, write_pictures
from tests.labels.examples import EXAMPLES


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FKP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_the_key_is_the_content(tmp_path: Path, folder: Path, quiet: Progress) -> None:
    write_course(tmp_path, 20)
    first = prepared(tmp_path / "labels.csv", quiet)
    assert first.is_relative_to(folder)
    written = first.stat().st_mtime_ns
    assert prepared(tmp_path / "labels.csv", quiet) == first
    assert first.stat().st_mtime_ns == written
    np.save(tmp_path / "faces.npy", 255 - np.load(tmp_path / "faces.npy"))
    assert prepared(tmp_path / "labels.csv", quiet) != first
    assert prepared(first, quiet) == first
    frame = pd.read_csv(tmp_path / "labels.csv", dtype=str)
    frame.iloc[0, 0] = "abc"
    frame.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(LabelError, match=r"1 malformed rows, the first: .*abc"):
        prepared(tmp_path / "labels.csv", quiet)


def test_changed_pictures_are_seen(tmp_path: Path, quiet: Progress) -> None:
    write_pictures(tmp_path, 40)
    first = prepared(tmp_path / "labels.csv", quiet)
    assert prepared(tmp_path / "labels.csv", quiet) == first
    cv2.imwrite(str(tmp_path / "pictures" / "Ann_a_0000.png"), np.zeros((128, 128), np.uint8))
    assert prepared(tmp_path / "labels.csv", quiet) != first


def test_a_table_is_read_once_and_then_not_again(
    tmp_path: Path, quiet: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path, 40)
    read: list[Path] = []

    def counted(path: Path, options: ReadOptions, format: str | None = None) -> LabelTable:
        read.append(path)
        return read_source(path, options, format)

    for module in ("cache", "prepare"):
        monkeypatch.setattr(f"fkp.labels.{module}.read_source", counted)
    prepared(tmp_path / "labels.csv", quiet)
    prepared(tmp_path / "labels.csv", quiet)
    assert len(read) == 1


def test_files_beside_a_source_count_too(tmp_path: Path, quiet: Progress) -> None:
    path = EXAMPLES["yolo"](tmp_path).path / "data.yaml"
    first = prepared(path, quiet)
    label = next((path.parent / "labels").iterdir())
    label.write_text(label.read_text().replace("0.5 0.5 0.7", "0.5 0.5 0.6"))
    assert prepared(path, quiet) != first


def test_what_only_prepare_can_decide_is_told(tmp_path: Path, quiet: Progress) -> None:
    write_pictures(tmp_path, 4)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame.iloc[:, 1:] = frame.iloc[:, 1:] / 64 - 1
    frame.to_csv(tmp_path / "labels.csv", index=False)
    with pytest.raises(UndecidedError, match="run prepare first") as caught:
        prepared(tmp_path / "labels.csv", quiet)
    assert "--units signed" in caught.value.told(lambda setting: setting.option)
