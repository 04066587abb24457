"""DeepLabCut's tables."""

import pickle
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.reading import read_source
from fkp.labels.table import ReadOptions
from tests.helpers import write_pictures
from tests.labels.examples import picture_names, write_csv
from tests.labels.hdf5 import write_fixed, write_table

NAMES = picture_names()


@pytest.mark.parametrize("split_path", [False, True])
def test_a_table_with_faults(tmp_path: Path, split_path: bool) -> None:
    points = write_pictures(tmp_path, 4)
    gap = [""] * split_path
    rows: list[list[Any]] = [
        ["scorer", *gap, *["Ann"] * 8],
        ["bodyparts", *gap, *(n for n in FKP4.names for _ in "xy")],
        ["coords", *gap, *"xyxyxyxy"],
    ]
    for i in range(4):
        cells = [f"{v:.4f}" for v in points[i].reshape(-1)]
        if i == 1:
            cells[2:4] = ["", "NaN"]
        if i == 2:
            cells = [""] * 8
        if i == 3:
            cells[0] = "what"
        rows.append([*(NAMES[i].split("/") if split_path else [NAMES[i]]), *cells])
    table = read_source(write_csv(tmp_path / "CollectedData_Ann.csv", rows), ReadOptions())
    assert table.scheme is FKP4
    assert table.images == NAMES[:2]
    assert np.isnan(table.points[1, 1]).all()
    assert np.allclose(table.points[0], points[0], atol=1e-4)
    assert [(r.row, r.malformed) for r in table.rejected] == [(6, False), (7, True)]


def multi_animal(tmp_path: Path) -> Path:
    rows: list[list[Any]] = [
        ["scorer", *["me"] * 10],
        ["individuals", *["a1"] * 4, *["a2"] * 4, "single", "single"],
        ["bodyparts", *["lefteye", "lefteye", "righteye", "righteye"] * 2, "corner", "corner"],
        ["coords", *["x", "y"] * 5],
        ["a.png", 30, 20, 10, 20, 60, 50, 40, 50, 1, 2],
        ["b.png", 30, 20, 10, 20, *[""] * 4, 1, 2],
    ]
    return write_csv(tmp_path / "CollectedData_me.csv", rows)


def test_several_individuals_and_parts_of_which_there_is_one(tmp_path: Path) -> None:
    path = multi_animal(tmp_path)
    table = read_source(path, ReadOptions())
    assert table.scheme.names == ("lefteye", "righteye")
    assert table.images == ["a.png", "a.png", "b.png"]
    assert table.points[1].tolist() == [[60, 50], [40, 50]]
    assert any("skipped: corner" in note for note in table.notes)
    assert read_source(path, ReadOptions(category="single")).points[0].tolist() == [[1, 2]]
    with pytest.raises(LabelError, match="no individual b; there are a1, a2, single"):
        read_source(path, ReadOptions(category="b"))


def test_rows_that_are_frames_need_their_clip(tmp_path: Path) -> None:
    rows: list[list[Any]] = [
        ["scorer", *["net"] * 6],
        ["bodyparts", *["lefteye"] * 3, *["righteye"] * 3],
        ["coords", *["x", "y", "likelihood"] * 2],
        ["0", 30, 20, 0.9, 10, 20, 0.2],
        ["1", 30, 20, 0.9, 10, 20, 0.9],
    ]
    path = write_csv(tmp_path / "clipDLC_net.csv", rows)
    with pytest.raises(LabelError, match=r"images=CLIP\.mp4"):
        read_source(path, ReadOptions())
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"")
    table = read_source(path, ReadOptions(images=clip))
    assert table.frames is not None
    assert table.frames.tolist() == [0, 1]
    assert np.isnan(table.points[0, 1]).all()


COLUMNS = [("me", part, axis) for part in ("lefteye", "righteye") for axis in "xy"]


def test_hdf5_in_both_layouts(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "fixed.h5", "w") as file:
        index = [("labeled-data", "vid", f"{name}.png") for name in "ab"]
        write_fixed(file, COLUMNS, index)
    with h5py.File(tmp_path / "table.h5", "w") as file:
        names = pickle.dumps(COLUMNS, protocol=0)
        write_table(file, COLUMNS, ["labeled-data/vid/a.png", "labeled-data/vid/b.png"], names)
    for name in ("fixed.h5", "table.h5"):
        table = read_source(tmp_path / name, ReadOptions())
        assert table.images == ["labeled-data/vid/a.png", "labeled-data/vid/b.png"]
        assert table.points.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return print, ("code ran",)


def test_hdf5_runs_no_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with h5py.File(tmp_path / "evil.h5", "w") as file:
        write_table(file, COLUMNS, ["a.png"], pickle.dumps([Evil()], protocol=0))
    with pytest.raises(LabelError, match="unreadable column names"):
        read_source(tmp_path / "evil.h5", ReadOptions())
    assert capsys.readouterr().out == ""


def test_hdf5_as_deeplabcut_writes_it(tmp_path: Path) -> None:
    """By pandas and PyTables, as DeepLabCut calls them."""
    pytest.importorskip("tables")
    import pandas as pd

    columns = pd.MultiIndex.from_tuples(COLUMNS, names=["scorer", "bodyparts", "coords"])
    index = pd.MultiIndex.from_tuples([("labeled-data", "vid", f"{n}.png") for n in "ab"])
    frame = pd.DataFrame([[1.0, 2, 3, 4], [5, 6, np.nan, np.nan]], index=index, columns=columns)
    frame.to_hdf(tmp_path / "CollectedData_me.h5", key="df_with_missing", mode="w")
    table = read_source(tmp_path / "CollectedData_me.h5", ReadOptions())
    assert table.images == ["labeled-data/vid/a.png", "labeled-data/vid/b.png"]
    assert table.points[0].tolist() == [[1, 2], [3, 4]]
    assert np.isnan(table.points[1, 1]).all()


def test_a_damaged_hdf5_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(200))
    with pytest.raises(LabelError, match="the HDF5 file is damaged") as caught:
        read_source(tmp_path / "a.h5", ReadOptions())
    assert "\n" not in str(caught.value)
