"""COCO keypoints."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp.errors import LabelError, UndecidedError
from fkp.keypoints import FKP4
from fkp.labels.reading import read_source
from fkp.labels.table import LabelTable, ReadOptions
from tests.labels.examples import EXAMPLES, write_json

TOO_LARGE = "-1e+06 to 1e+06, got a number that is too large"


@pytest.fixture
def data(tmp_path: Path) -> dict[str, Any]:
    content = json.loads(EXAMPLES["coco"](tmp_path).path.read_text())
    assert isinstance(content, dict)
    return content


def read(tmp_path: Path, data: object, **options: Any) -> LabelTable:
    return read_source(write_json(tmp_path / "labels.json", data), ReadOptions(**options))


def test_bad_annotations_are_told(tmp_path: Path, data: dict[str, Any]) -> None:
    annotations = data["annotations"]
    annotations.append(dict(annotations[0], keypoints=[*annotations[0]["keypoints"]]))
    annotations[0]["keypoints"][3:6] = [0, 0, 0]
    annotations[1]["keypoints"] = [1, 2, 2]
    annotations[2]["image_id"] = 99
    annotations[3]["keypoints"][4] = 10**400
    annotations.append({"id": 9, "image_id": 0, "category_id": 7, "bbox": [1, 2, 3, 4]})
    annotations.append({"id": 10, "image_id": 0, "category_id": 8})
    data["categories"].append({"id": 8, "name": "car"})
    table = read(tmp_path, data)
    assert np.isnan(table.points[0, 1]).all()
    assert [(r.row, r.reason, r.malformed) for r in table.rejected] == [
        (2, "expected 12 numbers, got 3", True),
        (3, "no image has the id 99", True),
        (4, f"annotations[3].keypoints: expected a number from {TOO_LARGE}", True),
        (6, "an annotation without keypoints", False),
    ]
    assert "1 annotations of other categories were skipped" in table.notes


def test_ids_may_be_texts(tmp_path: Path, data: dict[str, Any]) -> None:
    for image in data["images"]:
        image["id"] = str(image["id"])
    data["categories"][0]["id"] = "7"
    assert len(read(tmp_path, data).rows) == 4


def test_several_skeletons_need_a_person(tmp_path: Path, data: dict[str, Any]) -> None:
    data["categories"].append({"id": 8, "name": "hand", "keypoints": ["wrist", "thumb"]})
    hand = {"image_id": 1, "category_id": 8, "keypoints": [1, 2, 2, 30, 40, 2]}
    data["annotations"].append(hand)
    with pytest.raises(UndecidedError, match=r"face \(4 points\), hand \(2 points\)") as caught:
        read(tmp_path, data)
    assert {s.option for s in caught.value.settings} == {"--category face", "--category hand"}
    assert read(tmp_path, data, category="face").scheme is FKP4
    assert read(tmp_path, data, category="hand").points.tolist() == [[[1, 2], [30, 40]]]
    with pytest.raises(LabelError, match="no category foot with keypoints; there are face, hand"):
        read(tmp_path, data, category="foot")


def test_points_without_names_are_numbered(tmp_path: Path, data: dict[str, Any]) -> None:
    data["categories"] = [{"id": 7, "name": "face"}]
    assert read(tmp_path, data).scheme.names == ("p0", "p1", "p2", "p3")
    for annotation in data["annotations"]:
        del annotation["keypoints"]
    with pytest.raises(LabelError, match="no annotation has keypoints"):
        read(tmp_path, data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": 3}, "images: expected a list, got 3"),
        ({"images": [{"id": 1}]}, r"images\[0\]: expected a member file_name"),
        ({"categories": ["face"]}, r"categories\[0\]: expected an object, got .face."),
        ({"annotations": {}}, "annotations: expected a list"),
    ],
)
def test_what_is_not_coco_says_where(
    tmp_path: Path, data: dict[str, Any], change: dict[str, Any], message: str
) -> None:
    with pytest.raises(LabelError, match=message):
        read(tmp_path, data | change)


def test_a_byte_order_mark(tmp_path: Path) -> None:
    path = EXAMPLES["coco"](tmp_path).path
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert len(read_source(path, ReadOptions()).rows) == 4
