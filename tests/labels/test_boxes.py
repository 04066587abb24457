"""Tables of face boxes."""

from pathlib import Path

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.labels.boxes import read_boxes


def test_a_table_of_boxes(tmp_path: Path) -> None:
    names = ("right_eye", "left_eye", "nose_tip", "mouth_right", "mouth_left")
    header = "image,box_x,box_y,box_w,box_h," + ",".join(f"{n}_{a}" for n in names for a in "xy")
    path = tmp_path / "boxes.csv"
    row = ",".join(map(str, range(1, 15)))
    path.write_text(f"{header},score\na.jpg,{row},0.9\nb.jpg,{row},0.5\na.jpg,{row},0.4\n")
    table = read_boxes(path)
    assert table.boxes[0].tolist() == [1, 2, 3, 4]
    assert table.anchors[0, 4].tolist() == [13, 14]
    assert np.isnan(table.second).all()
    assert {name: rows.tolist() for name, rows in table.by_image()} == {
        "a.jpg": [0, 2],
        "b.jpg": [1],
    }
    path.write_text(f"{header}\na.jpg,{row}\n")
    assert read_boxes(path).scores.tolist() == [1.0]
    path.write_text(f"{header.replace(',box_w', ',width')}\na.jpg,{row}\n")
    with pytest.raises(LabelError, match="needs the column box_w"):
        read_boxes(path)
    path.write_text(f"{header},score\na.jpg,{row},\n")
    with pytest.raises(LabelError, match="row 2: a number is missing"):
        read_boxes(path)
    with pytest.raises(LabelError, match="cannot be read"):
        read_boxes(tmp_path / "no.csv")
