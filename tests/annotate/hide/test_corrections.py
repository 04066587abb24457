"""Files of corrections."""

import json
from pathlib import Path

import pytest

from fkp.annotate.hide.corrections import Correction, Corrections
from fkp.annotate.inputs import Inputs
from fkp.errors import DataError

INPUTS = Inputs(("/data/a.jpg", "/data/b/clip.mp4"), 0, "/data")

TABLE = """\
image,action,face,first,last,box_x,box_y,box_w,box_h
/data/a.jpg,clear,2,,,,,,
b/clip.mp4,hide,,10,40,5,6.5,100,120
b/clip.mp4,clear,1,30,,,,,
"""


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("\ufeff" + TABLE)
    rows = [
        {"image": "a.jpg", "action": "clear", "face": 2},
        {"image": "b/clip.mp4", "action": "hide", "first": 10, "last": 40, "box_x": 5,
         "box_y": 6.5, "box_w": 100, "box_h": 120},
        {"image": "/data/b/clip.mp4", "action": "clear", "face": 1, "first": 30, "last": None},
    ]  # fmt: skip
    (tmp_path / "c.json").write_text(json.dumps(rows))
    for name in ("c.csv", "c.json"):
        read = Corrections.read(tmp_path / name, INPUTS)
        assert read.of("/data/a.jpg") == [Correction("clear", face=2)]
        assert read.of("/data/b/clip.mp4") == [
            Correction("hide", None, 10, 40, (5, 6.5, 100, 120)),
            Correction("clear", 1, 30, None),
        ]
        assert read.of("/data/other.jpg") == ()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("c.jpg,hide,1,,,,,,", "row 2, column image: expected one of the inputs"),
        ("a.jpg,remove,1,,,,,,", 'row 2, column action: expected hide or clear, got "remove"'),
        ("a.jpg,hide,one,,,,,,", 'row 2, column face: expected a number, got "one"'),
        ("a.jpg,hide,1.5,,,,,,", "row 2, column face: expected a whole number from 0"),
        ("a.jpg,hide,,,,1,2,3,", "row 2: a box needs all of box_x, box_y, box_w, box_h"),
        ("a.jpg,hide,,,,1,2,3,0", "row 2: expected box_w and box_h over 0"),
        ("a.jpg,hide,,,,,,,", "row 2: expected either a face or a box"),
        ("a.jpg,hide,1,,,1,2,3,4", "row 2: expected either a face or a box"),
        ("b/clip.mp4,clear,1,9,3,,,,", "row 2: the first frame, 9, is after the last one, 3"),
        ("a.jpg,hide,1,,,,,,,more", "row 2: more cells than columns"),
    ],
)  # fmt: skip
def test_a_wrong_row_says_where(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "c.csv"
    path.write_text(TABLE.splitlines()[0] + "\n" + row + "\n")
    with pytest.raises(DataError) as caught:
        Corrections.read(path, INPUTS)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("c.csv", "file,what\n", "expected the columns image and action"),
        ("c.json", "{}", "expected a list"),
        ("c.json", "[", "not valid JSON"),
        ("c.json", '[{"image": "a.jpg", "colour": 1}]', "item 1: expected members of"),
        ("c.json", '[{"image": "a.jpg", "action": "hide", "face": "x"}]', "expected a number"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        Corrections.read(tmp_path / name, INPUTS)
