"""Face detectors on real pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.errors import FkpError, ModelError
from fkp.vision.detect import Detections, FaceDetector, YuNetDetector
from fkp.vision.haar import HaarDetector
from fkp.vision.images import Image, read_image

EYES = {"astronaut.jpg": [(203, 101), (246, 103)], "speech.jpg": [(187, 277), (279, 286)]}
"""Right and left eye, read off the pictures by eye."""


def scaled(image: Image, factor: float) -> Image:
    return np.asarray(cv2.resize(image, None, fx=factor, fy=factor), np.uint8)


def confident(found: Detections, score: float = 0.5) -> Detections:
    keep = found.scores >= score
    return Detections(found.boxes[keep], found.scores[keep], found.anchors[keep])


@pytest.mark.parametrize("name", EYES)
def test_a_face_and_its_eyes(samples: Path, name: str) -> None:
    found = confident(YuNetDetector().detect(read_image(samples / name)))
    assert len(found.boxes) == 1
    eyes = found.anchors[0, :2]
    distance = np.linalg.norm(eyes[0] - eyes[1])
    assert np.abs(eyes - EYES[name]).max() < 0.12 * distance
    x, y, w, h = found.boxes[0]
    assert ((found.anchors[0] > [x, y]) & (found.anchors[0] < [x + w, y + h])).all()
    # Right eye, left eye, nose, mouth right, mouth left.
    assert found.anchors[0, 0, 0] < found.anchors[0, 2, 0] < found.anchors[0, 1, 0]
    assert found.anchors[0, 2, 1] < found.anchors[0, 3, 1]
    assert found.anchors[0, 3, 0] < found.anchors[0, 4, 0]


def test_the_size_of_a_picture_is_no_matter(samples: Path) -> None:
    image = read_image(samples / "astronaut.jpg")
    small = confident(YuNetDetector().detect(image))
    large = confident(YuNetDetector(det_size=512).detect(scaled(image, 3)))
    assert np.abs(large.boxes[0] / 3 - small.boxes[0]).max() < 0.08 * small.boxes[0, 3]
    anchors = (large.anchors[0] + 0.5) / 3 - 0.5
    assert np.abs(anchors - small.anchors[0]).max() < 0.08 * small.boxes[0, 2]


def test_several_faces_the_highest_score_first(samples: Path) -> None:
    found = confident(YuNetDetector().detect(read_image(samples / "group.jpg")))
    assert len(found.boxes) == 3
    assert (np.diff(found.scores) <= 0).all()
    assert found.boxes.dtype == found.scores.dtype == np.float32


def test_small_faces_can_be_left_out(samples: Path) -> None:
    image = read_image(samples / "group.jpg")
    found = confident(YuNetDetector().detect(image))
    sides = found.boxes[:, 2:].max(1)
    limit = float(np.sort(sides)[-1]) - 1
    assert len(confident(YuNetDetector(min_face=limit).detect(image)).boxes) == 1


def test_a_face_that_fills_the_picture(samples: Path) -> None:
    image = read_image(samples / "president.jpg")
    face = confident(YuNetDetector().detect(image)).boxes[0].astype(int)
    x, y, w, h = face
    tight = np.ascontiguousarray(image[y : y + h, x : x + w])
    found = YuNetDetector().detect(tight)
    assert len(found.boxes)
    assert np.abs(found.boxes[0] - [0, 0, w, h]).max() < 0.25 * h


def test_pictures_of_odd_sizes(samples: Path) -> None:
    image = read_image(samples / "astronaut.jpg")
    for shape in ((1, 1), (3, 700), (45, 33)):
        found = YuNetDetector().detect(np.ascontiguousarray(image[: shape[0], : shape[1]]))
        assert found.anchors.shape == (len(found.boxes), 5, 2)
    empty = YuNetDetector().detect(np.zeros((100, 100, 3), np.uint8))
    assert len(confident(empty).boxes) == 0


def test_a_file_that_is_no_detector(tmp_path: Path) -> None:
    path = tmp_path / "x.onnx"
    with pytest.raises(ModelError, match="No such file"):
        YuNetDetector(path)
    path.write_bytes(b"junk")
    with pytest.raises(ModelError, match="not a face detector"):
        YuNetDetector(path)


def test_haar_where_opencv_has_it(samples: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if HaarDetector.available():
        detector: FaceDetector = HaarDetector()
        found = detector.detect(read_image(samples / "astronaut.jpg"))
        assert len(found.boxes) == 1
        assert 0.5 < found.scores[0] < 1
        assert np.abs(found.anchors[0, :2] - EYES["astronaut.jpg"]).max() < 10
    monkeypatch.setattr(HaarDetector, "available", staticmethod(lambda: False))
    with pytest.raises(FkpError, match="use the detector fkp"):
        HaarDetector()
