"""Kaggle's form: pixels as text."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4, KAGGLE15
from fkp.labels.formats.kaggle import KAGGLE
from fkp.labels.formats.pixels import parse_pixels
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions
from tests.helpers import faces, write_kaggle


def read_pixel_csv(path: Path, options: ReadOptions) -> LabelTable:
    assert KAGGLE.recognise(Source(path))
    return KAGGLE.read(Source(path), options)


def slow(text: bytes) -> list[float] | None:
    """What `parse_pixels` must return, word by word; None where it must complain."""
    try:
        values = [float(word) for word in text.split()]
    except ValueError:
        return None
    if not values or not all(0 <= v <= 255 for v in values):
        return None
    if max(values) <= 1 and any(v not in (0, 1) for v in values):
        return [float(np.float32(v)) for v in values]
    return [round(v) for v in values]


def test_parse_pixels_agrees_with_the_slow_way() -> None:
    rng = random.Random(0)
    numbers = [0, 5, 9, 10, 99, 100, 199, 200, 249, 250, 255, 256, 299, 300, 999, 1000]
    disagreed = []
    for _ in range(5000):
        text = b" ".join(b"%d" % rng.choice(numbers) for _ in range(rng.randint(0, 6)))
        if rng.random() < 0.3:
            at = rng.randrange(len(text) + 1)
            text = text[:at] + rng.choice([b" ", b"x", b"-", b"\t", b".", b"\xff"]) + text[at:]
        parsed, expected = parse_pixels(text), slow(text)
        same = isinstance(parsed, str) if expected is None else list(parsed) == expected
        if not same:
            disagreed.append((text, parsed, expected))
    assert not disagreed


def test_reads_training_csv(tmp_path: Path) -> None:
    points = write_kaggle(tmp_path / "training.csv", 12)
    table = read_pixel_csv(tmp_path / "training.csv", ReadOptions())
    assert table.scheme is KAGGLE15
    assert table.pixels is not None
    assert (table.pixels == faces(12)[0]).all()
    assert np.allclose(table.points, points, equal_nan=True)
    assert list(table.rows) == list(range(2, 14))


def test_columns_in_another_order(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    names = ["Image", *reversed(FKP4.columns)]
    path.write_text(",".join(names) + "\n1 2 3 4,8,7,6,5,4,3,2,1\n")
    table = read_pixel_csv(path, ReadOptions(units="pixels"))
    assert table.scheme is FKP4
    assert table.points[0].reshape(-1).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]


def test_reads_test_csv_without_labels(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("ImageId,Image\n1,0 1 2 3\n2,4 5 6 255\n")
    table = read_pixel_csv(tmp_path / "test.csv", ReadOptions())
    assert table.scheme is KAGGLE15
    assert np.isnan(table.points).all()
    assert table.pixels is not None
    assert table.pixels[1].tolist() == [[4, 5], [6, 255]]


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("1,2,1 2 3", "Image", "expected 2x2 = 4 pixels, got 3"),
        ("1,2,1 2 3 4 5", "Image", "expected 2x2 = 4 pixels, got 5"),
        ("1,2,", "Image", "empty cell"),
        ("1,2,1 2 x 4", "Image", 'as pixel 3, got "x"'),
        ("1,2,1 2 256 4", "Image", 'as pixel 3, got "256"'),
        ("1,2,1 -2 3 4", "Image", 'as pixel 2, got "-2"'),
        ("1,abc,1 2 3 4", "nose_tip_y", 'expected a number, got "abc"'),
        ("inf,2,1 2 3 4", "nose_tip_x", 'expected a number, got "inf"'),
        ("1,1 2 3 4", "", "expected 3 fields, got 2"),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_kept(
    tmp_path: Path, row: str, column: str, reason: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"nose_tip_x,nose_tip_y,Image\n1,1,1 2 3 4\n{row}\n,,4 3 2 1\n")
    table = read_pixel_csv(path, ReadOptions())
    assert list(table.rows) == [2, 4]
    assert np.isnan(table.points[1]).all()
    (rejected,) = table.rejected
    assert (rejected.row, rejected.column) == (3, column)
    assert reason in rejected.reason
    assert str(rejected).startswith(f"{path} row 3")


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("nose_tip_x,nose_tip_y,Image\n1,1,1 2 3\n")
    with pytest.raises(LabelError, match="row 2, column Image: expected a square number"):
        read_pixel_csv(tmp_path / "t.csv", ReadOptions())
    (tmp_path / "t.csv").write_text("nose_tip_x,nose_tip_y,Image\n")
    with pytest.raises(LabelError, match="no rows"):
        read_pixel_csv(tmp_path / "t.csv", ReadOptions())


def test_a_short_first_row_does_not_decide_the_size(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("nose_tip_x,nose_tip_y,Image\n1,1,1\n1,1,1 2 3 4\n1,1,1 2 3 4\n")
    table = read_pixel_csv(path, ReadOptions())
    assert list(table.rows) == [3, 4]
    assert [r.row for r in table.rejected] == [2]


def test_pixels_from_0_to_1_are_seen_as_such(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("nose_tip_x,nose_tip_y,Image\n1,1,0 0.5 1 0.25\n1,1,0 1 1 0\n")
    table = read_pixel_csv(path, ReadOptions())
    assert table.pixels is not None
    assert table.pixels.reshape(2, 4).tolist() == [[0, 128, 255, 64], [0, 255, 255, 0]]
    assert table.notes == ["pixels are between 0 and 1 and were scaled to 0 to 255"]
    path.write_text("nose_tip_x,nose_tip_y,Image\n1,1,0 0.5 1 0.25\n1,1,9 1 200 0\n")
    table = read_pixel_csv(path, ReadOptions())
    assert list(table.rows) == [3]
    assert "as in other rows, got fractions" in table.rejected[0].reason


def test_a_packed_table(tmp_path: Path) -> None:
    write_kaggle(tmp_path / "training.csv", 3, size=24)
    packed = tmp_path / "training.csv.gz"
    packed.write_bytes(gzip.compress((tmp_path / "training.csv").read_bytes()))
    pixels = read_pixel_csv(packed, ReadOptions()).pixels
    assert pixels is not None
    assert pixels.shape == (3, 24, 24)
