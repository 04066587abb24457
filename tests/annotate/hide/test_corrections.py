"""Files of corrections."""

import json
from pathlib import Path

import pytest

from fkp.annotate.hide.corrections import Correction, Corrections
from fkp.annotate.inputs import Inputs
from fkp.errors import DataError

INPUTS = Inputs(("/data/a.jpg", "/data/b/clip.mp4"), 0, "/data")

TABLE = """\
input,action,face,first,last,x,y,width,height
/data/a.jpg,clear,2,,,,,,
b/clip.mp4,hide,,10,40,5,6.5,100,120
b/clip.mp4,clear,1,30,,,,,
"""


def test_csv_and_json_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "c.csv").write_text("\ufeff" + TABLE)
    rows = [
        {"input": "a.jpg", "action": "clear", "face": 2},
        {"input": "b/clip.mp4", "action": "hide", "first": 10, "last": 40, "x": 5, "y": 6.5,
         "width": 100, "height": 120},
        {"input": "/data/b/clip.mp4", "action": "clear", "face": 1, "first": 30, "last": None},
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
        ("c.jpg,hide,1,,,,,,", "line 2, column input: expected one of the inputs"),
        ("a.jpg,remove,1,,,,,,", 'line 2, column action: expected hide or clear, got "remove"'),
        ("a.jpg,hide,one,,,,,,", 'line 2, column face: expected a number, got "one"'),
        ("a.jpg,hide,1.5,,,,,,", "line 2, column face: expected a whole number from 0"),
        ("a.jpg,hide,,,,1,2,3,", "line 2: a box needs all of x, y, width, height"),
        ("a.jpg,hide,,,,1,2,3,0", "line 2: width and height must be over 0"),
        ("a.jpg,hide,,,,,,,", "line 2: expected either a face or a box"),
        ("a.jpg,hide,1,,,1,2,3,4", "line 2: expected either a face or a box"),
        ("b/clip.mp4,clear,1,9,3,,,,", "line 2: the first frame, 9, is after the last one, 3"),
        ("a.jpg,hide,1,,,,,,,more", "line 2: more cells than columns"),
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
        ("c.csv", "file,what\n", "expected the columns input, action"),
        ("c.json", "{}", "expected a list"),
        ("c.json", "[", "not valid JSON"),
        ("c.json", '[{"input": "a.jpg", "colour": 1}]', "item 1: expected members of"),
        ("c.json", '[{"input": "a.jpg", "action": "hide", "face": "x"}]', "expected a number"),
    ],
)
def test_another_file_is_refused(tmp_path: Path, name: str, text: str, said: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=said):
        Corrections.read(tmp_path / name, INPUTS)
