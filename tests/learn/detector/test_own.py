"""Training the bundled detector on with labelled pictures of one's own."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.errors import DataError, LabelError
from fkp.labels.boxes import BOX_COLUMNS
from fkp.learn.detector import own
from fkp.learn.detector.network import FaceNet, load_detector
from fkp.learn.detector.own import DetectorTraining, average_network, fit_detector
from fkp.learn.detector.score import iou
from fkp.learn.detector.tables import boxes_around, read_pictures
from fkp.vision.detect import YuNetDetector
from fkp.vision.images import read_image
from tests.helpers import write_boxes


def test_a_detector_is_trained_on_and_measured(tmp_path: Path) -> None:
    table = write_boxes(tmp_path)
    out = tmp_path / "own.onnx"
    steps: list[int] = []
    report = fit_detector(
        DetectorTraining(table, out, iterations=2, threads=1),
        report=lambda done, total, loss: steps.append(total),
    )
    assert report.pictures + report.held_out == 30
    assert report.held_out == 6
    assert report.before.faces == report.after.faces == 6
    found = YuNetDetector(out).detect(read_image(tmp_path / "0.png"))
    assert found.boxes.shape[1] == 4
    assert sorted(p.name for p in tmp_path.glob(".*")) == []


def test_a_training_that_was_stopped_resumes_only_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with another seed, which would go on from weights of other pictures."""
    training = DetectorTraining(write_boxes(tmp_path), tmp_path / "own.onnx", iterations=1)
    with monkeypatch.context() as broken:
        broken.setattr(own, "export_onnx", None)
        with pytest.raises(TypeError):
            fit_detector(training)
    (state,) = tmp_path.glob(".own.onnx.*.state")
    other = replace(training, seed=1, out=tmp_path / "other.onnx")
    fit_detector(other)
    assert state.exists()
    resumed: list[bool] = []

    def train(*given: Any, start: FaceNet) -> FaceNet:
        resumed.append(given[2].exists())
        return start

    monkeypatch.setattr(own, "train_detector", train)
    for one in (training, replace(training, seed=1)):
        state.write_bytes(b"there")
        fit_detector(one)
    assert resumed == [True, False]


def test_weights_of_two_networks_are_mixed() -> None:
    start, other = load_detector(), FaceNet()
    mixed = average_network(start, other, 0.25).state_dict()
    for name, value in start.state_dict().items():
        if value.is_floating_point():
            expected = 0.75 * value + 0.25 * other.state_dict()[name]
            assert mixed[name].allclose(expected, atol=1e-6)


def test_boxes_follow_from_points(samples: Path) -> None:
    found = YuNetDetector().detect(read_image(samples / "astronaut.jpg"))
    boxes = boxes_around(found.anchors[:1])
    assert iou(boxes, found.boxes[:1].astype(np.float64))[0, 0] > 0.75
    mirrored = (found.anchors[:1] * [-1, 1])[:, [1, 0, 2, 4, 3]]
    assert np.allclose(boxes_around(mirrored)[:, 2:], boxes[:, 2:], rtol=0.01)


def test_labels_without_the_five_points_are_refused(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "eyes.csv").write_text(
        "image,left_eye_center_x,left_eye_center_y,right_eye_center_x,right_eye_center_y\n"
        "a.png,30,10,10,10\n"
    )
    with pytest.raises(LabelError, match="no row has both eyes"):
        read_pictures(tmp_path / "eyes.csv", None, lambda done, total: None)


def test_a_face_without_a_mouth_is_named(tmp_path: Path) -> None:
    table = write_boxes(tmp_path, 3)
    names = {
        "right_eye": "right_eye_center", "left_eye": "left_eye_center",
        "mouth_right": "mouth_right_corner", "mouth_left": "mouth_left_corner",
    }  # fmt: skip
    columns = {f"{old}_{axis}": f"{new}_{axis}" for old, new in names.items() for axis in "xy"}
    frame = pd.read_csv(table).rename(columns=columns).drop(columns=list(BOX_COLUMNS))
    frame.loc[1, ["mouth_left_corner_x", "mouth_left_corner_y"]] = np.nan
    frame.to_csv(table, index=False)
    with pytest.raises(LabelError, match=r"row 3: .* has no label"):
        read_pictures(table, None, lambda done, total: None)


def test_too_few_faces_are_refused(tmp_path: Path) -> None:
    table = write_boxes(tmp_path, 10)
    with pytest.raises(DataError, match="at least 20 faces"):
        fit_detector(DetectorTraining(table, tmp_path / "own.onnx"))
