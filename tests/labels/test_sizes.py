"""Labels of pictures in another size, or unturned."""

import json
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.prepare import PrepareConfig, PrepareReport, prepare
from tests.helpers import faces
from tests.labels.examples import EXAMPLES, picture_names

SIDE, COUNT = 128, 4


def run(path: Path) -> PrepareReport:
    config = PrepareConfig((path,), path.parent / "data.csv", crop="none", size=64, val=0, test=0)
    return prepare(config, lambda done, total: None)


def labels(report: PrepareReport) -> np.ndarray:
    s = report.samples
    return np.array([s.transform(i).invert(s.points[i]) for i in range(len(s))])


def test_smaller_copies(tmp_path: Path) -> None:
    made = EXAMPLES["coco"](tmp_path)
    for name, image in zip(picture_names(), faces(COUNT, SIDE)[0], strict=True):
        cv2.imwrite(str(tmp_path / name), cv2.resize(image, (64, 64)))
    report = run(made.path)
    np.testing.assert_allclose(labels(report), (made.points + 0.5) / 2 - 0.5, atol=1e-3)
    assert any("4 rows: labels were scaled" in note for note in report.notes)


def test_another_shape_is_refused(tmp_path: Path) -> None:
    made = EXAMPLES["coco"](tmp_path)
    cv2.imwrite(str(tmp_path / picture_names()[1]), np.zeros((64, 100), np.uint8))
    (rejected,) = run(made.path).rejected
    assert "a picture of 128 x 128 pixels, the file has 100 x 64" in rejected.reason


def jpeg(upright: np.ndarray, orientation: int) -> tuple[bytes, np.ndarray]:
    """A JPEG that is stored turned, with the tag that turns it back; and the stored picture."""
    stored = {6: np.rot90(upright), 8: np.rot90(upright, -1), 5: upright.T}[orientation]
    data = cv2.imencode(".jpg", np.ascontiguousarray(stored))[1].tobytes()
    tag = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + struct.pack(
        "<HHI", orientation, 0, 0
    )
    return data[:2] + b"\xff\xe1" + struct.pack(">H", len(tag) + 2) + tag + data[2:], stored


def to_stored(points: np.ndarray, width: int, height: int, orientation: int) -> np.ndarray:
    x, y = points[..., 0], points[..., 1]
    turned = {6: (y, width - 1 - x), 8: (height - 1 - y, x), 5: (y, x)}[orientation]
    return np.stack(turned, -1)


@pytest.mark.parametrize("orientation", [5, 6, 8])
@pytest.mark.parametrize("seen", ["stored", "upright"])
def test_labels_of_the_picture_as_it_is_stored(tmp_path: Path, orientation: int, seen: str) -> None:
    """A tool may label the stored picture, or the upright one and only say the stored size."""
    images, points = faces(COUNT, SIDE)
    content = []
    annotations = []
    points -= [10, 0]
    for i, (image, own) in enumerate(zip(images, points, strict=True)):
        file, stored = jpeg(image[:, 10:118], orientation)
        (tmp_path / f"{i}.jpg").write_bytes(file)
        height, width = stored.shape
        content.append({"id": i, "file_name": f"{i}.jpg", "width": width, "height": height})
        said = to_stored(own, 108, 128, orientation) if seen == "stored" else own
        flat = [v for x, y in said.tolist() for v in (x, y, 2)]
        annotations.append({"image_id": i, "category_id": 1, "keypoints": flat})
    categories = [{"id": 1, "name": "face", "keypoints": list(FKP4.names)}]
    data = {"images": content, "annotations": annotations, "categories": categories}
    (tmp_path / "coco.json").write_text(json.dumps(data))
    report = run(tmp_path / "coco.json")
    np.testing.assert_allclose(labels(report), points, atol=1e-3)
    assert any("labels were rotated" in n for n in report.notes) == (seen == "stored")


def test_a_source_of_wrong_sizes_alone_is_an_error(tmp_path: Path) -> None:
    made = EXAMPLES["coco"](tmp_path)
    for name in picture_names():
        cv2.imwrite(str(tmp_path / name), np.zeros((64, 100), np.uint8))
    with pytest.raises(LabelError, match="no row can be used; the first"):
        run(made.path)
