"""Tables as spreadsheets and statistics programs write them, and what is no table."""

import gzip
import io
import os
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.cells import read_cells
from fkp.labels.columns import find_points
from fkp.labels.reading import read_source
from fkp.labels.table import ReadOptions
from tests.helpers import write_pictures


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    write_pictures(tmp_path, 4)
    return pd.read_csv(tmp_path / "labels.csv").round(3)


def german(frame: pd.DataFrame) -> str:
    return frame.to_csv(sep=";", decimal=",", index=False)


def r_write_csv(frame: pd.DataFrame) -> str:
    text = frame.astype({"image": str}).to_csv(index=False, quoting=2, na_rep="NA")
    lines = text.splitlines()
    named = [f'"{i}",{line}' for i, line in enumerate(lines[1:], start=1)]
    return "\n".join([f'"",{lines[0]}', *named]) + "\n"


def r_write_table(frame: pd.DataFrame) -> str:
    lines = frame.to_csv(index=False, sep="\t", na_rep="NA").splitlines()
    return "\n".join([lines[0], *(f"{i}\t{line}" for i, line in enumerate(lines[1:]))]) + "\n"


def spaces(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, sep=" ", na_rep="NaN")


WAYS: dict[str, Callable[[pd.DataFrame], str | bytes]] = {
    "decimal commas": german,
    "quoted decimal commas": lambda f: f.to_csv(decimal=",", index=False, quoting=1),
    "sep line": lambda f: "sep=;\n" + f.to_csv(sep=";", index=False),
    "byte order mark": lambda f: b"\xef\xbb\xbf" + german(f).encode(),
    "UTF-16": lambda f: f.to_csv(sep="\t", index=False).encode("utf-16"),
    "old Mac": lambda f: f.to_csv(index=False).replace("\n", "\r"),
    "Windows": lambda f: f.to_csv(index=False).replace("\n", "\r\n"),
    "gzip": lambda f: gzip.compress(f.to_csv(index=False).encode()),
    "R's write.csv": r_write_csv,
    "R's write.table": r_write_table,
    "pandas with its index": lambda f: f.to_csv(na_rep="NaN"),
    "white space": spaces,
    "empty rows and columns": lambda f: f.assign(**{" ": ""}).to_csv(index=False) + ",,,,,,,,,\n",
}


@pytest.mark.parametrize("way", WAYS)
def test_the_same_table_in_many_ways(tmp_path: Path, frame: pd.DataFrame, way: str) -> None:
    frame.loc[1, ["nose_tip_x", "nose_tip_y"]] = np.nan
    text = WAYS[way](frame)
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    table = read_source(path, ReadOptions())
    assert table.images == frame["image"].tolist()
    np.testing.assert_allclose(
        table.points.reshape(4, 8), frame[FKP4.columns].to_numpy(), atol=1e-9
    )
    assert table.rejected == []


def test_bad_cells_are_told_by_row_and_column(tmp_path: Path, frame: pd.DataFrame) -> None:
    text = german(frame).splitlines()
    text[2] = text[2].replace(",", "x", 1)
    text[3] += ";1;2"
    (tmp_path / "t.csv").write_text("\n".join(text))
    table = read_source(tmp_path / "t.csv", ReadOptions())
    assert [(r.row, r.column) for r in table.rejected] == [(4, ""), (3, "left_eye_center_x")]


def test_boxes_gaze_and_pose_are_no_points() -> None:
    header = ["image"]
    for name in ("bbox", "face_box", "gaze_0", "pose", "headPose", "boundingBox", "nose", "lip"):
        header += [f"{name}_x", f"{name}_y"]
    header += ["car_x", "car_y", "car_w", "car_h", "x1", "y1", "x2", "y2"]
    found = find_points(header)
    assert found is not None
    assert found.names == ("nose", "lip")
    assert find_points(["image", "x1", "y1", "x2", "y2"]) is None


def test_of_several_readings_the_larger_is_taken_and_said(tmp_path: Path) -> None:
    header = [*(f"{a}_{i}" for i in range(6) for a in "xy"), "eye_x", "eye_y", "mouth_x", "mouth_y"]
    (tmp_path / "t.csv").write_text(
        ",".join(["image", *header]) + "\na.png," + ",".join(map(str, range(10, 26))) + "\n"
    )
    table = read_source(tmp_path / "t.csv", ReadOptions())
    assert table.scheme.names == tuple(f"p{i}" for i in range(6))
    assert table.notes == ["points were taken from 6 pairs of columns, x_0 to y_5; ignored: eye_x"]
    said = read_source(tmp_path / "t.csv", ReadOptions(columns=("eye_*", "mouth_?")))
    assert said.scheme.names == ("eye", "mouth")
    assert said.notes == []


@pytest.mark.parametrize(
    "header",
    [
        ["noseX", "noseY", "mouthX", "mouthY"],
        ["x_nose", "y_nose", "x_mouth", "y_mouth"],
        ["nose.x", "nose.y", "mouth.x", "mouth.y"],
        ["nose (x)", "nose (y)", "mouth[x]", "mouth[y]"],
        ["nose-X", "nose-Y", "mouth x", "mouth y"],
    ],
)
def test_names_of_columns(header: list[str]) -> None:
    found = find_points(header)
    assert found is not None
    assert found.names == ("nose", "mouth")
    assert found.columns == ((0, 1), (2, 3))


def test_placeholders_for_missing_points(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame.loc[0, ["nose_tip_x", "nose_tip_y"]] = -1
    frame.loc[1, ["nose_tip_x", "nose_tip_y"]] = 0
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = read_source(tmp_path / "t.csv", ReadOptions())
    assert np.isnan(table.points[:2, 2]).all()
    assert np.isfinite(table.points).all(-1).sum() == 14
    assert any(note.startswith("2 points at exactly") for note in table.notes)


def test_a_point_that_no_row_labels_is_left_out(tmp_path: Path, frame: pd.DataFrame) -> None:
    frame[["nose_tip_x", "nose_tip_y"]] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    table = read_source(tmp_path / "t.csv", ReadOptions())
    assert table.scheme.names == tuple(name for name in FKP4.names if name != "nose_tip")
    assert table.scheme.flip_order == (1, 0, 2)
    assert table.notes == ["no row labels nose_tip: left out"]
    frame[["left_eye_center_x", "left_eye_center_y"]] = np.nan
    frame.to_csv(tmp_path / "t.csv", index=False)
    # A mirror would take the right eye for a left one, which is not there.
    assert read_source(tmp_path / "t.csv", ReadOptions()).scheme.flip_order is None


def test_tables_with_very_many_columns_end_soon(tmp_path: Path) -> None:
    for name, count in (("a{}_x,a{}_y", 50_000), ("a{}_x,a{}_y", 9_000), ("c{}", 100_000)):
        columns = ",".join(name.format(i, i) for i in range(count))
        cells = ",".join(["1"] * (columns.count(",") + 1))
        (tmp_path / "t.csv").write_text(f"image,{columns}\n" + f"a.png,{cells}\n" * 3)
        started = time.perf_counter()
        with pytest.raises(LabelError, match=r"(columns|points), expected at most"):
            read_source(tmp_path / "t.csv", ReadOptions())
        assert time.perf_counter() - started < 5


def picture(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.zeros((8, 8), np.uint8))[1].tobytes()


def workbook() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("[Content_Types].xml", "<Types/>")
    return data.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (picture(".png"), r"a picture \(png\)"),
        (picture(".jpg"), r"a picture \(jpeg\)"),
        (b"\0\0\0\x20ftypisom" + bytes(100), "a video"),
        (workbook(), r"an Excel workbook \(.xlsx\); save it as CSV"),
        (b"\xd0\xcf\x11\xe0" + bytes(99), "an old Excel workbook"),
        (b"%PDF-1.7 ...", "a PDF"),
        (b"\x80\x04\x95" + bytes(50), "a Python pickle, which could run code"),
        (b"MATLAB 5.0 MAT-file, Platform", "a MATLAB .mat file"),
        (b"<!DOCTYPE html><html></html>", "a web page"),
        (struct.pack("<Q", 99) + b'{"__metadata__":{}}', "a network"),
        (bytes(range(256)) * 9, "a binary file"),
        (b'{"a": 1, "b": [2]}', "got JSON with a, b"),
        (b'[{"a": 1}]', "got JSON with a list"),
        (b'{"a": ' + b"[" * 40_000, "not valid JSON"),
        (b"x" * 34_000, "the table has no rows"),
        (b"x,y\n" * 3, "expected point columns .* got x, y"),
        (gzip.compress(b"image,a_x,a_y\n" * 99)[:40], "a damaged gzip file"),
        (b'"\n', "the table has no rows"),
        (b",,,\n,,,\n", "the table has no rows"),
        (b"1,2,2\n3,4,5\n", r"expected column names, got numbers \(1, 2, 2\)"),
    ],
)
def test_what_is_no_table_is_named_in_one_sentence(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(data)
    with pytest.raises(LabelError, match=message) as caught:
        read_source(path, ReadOptions())
    text = str(caught.value).replace(str(path), "")
    assert "\n" not in text
    assert len(text) < 250


def test_lines_are_counted_as_editors_do() -> None:
    cells = read_cells('sep=,\na,b\n\n"x\ny",1\nz,2\n', "t.csv")
    assert cells.rows.tolist() == [4, 6]
    assert cells.numbers([1], lambda rejected: None).tolist() == [[1], [2]]


def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "labels.csv")
    with pytest.raises(LabelError, match="not a regular file"):
        read_source(tmp_path / "labels.csv", ReadOptions())
