"""Openings of eyes and mouth, and the head's pose, of points and of pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import fkp
from fkp.vision.measures import MEASURES, measure

WIDTH, HEIGHT = 640, 360


def test_openings() -> None:
    points = np.zeros((1, 68, 2))
    points[0, 36:42] = [(0, 0), (3, -2), (7, -2), (10, 0), (7, 2), (3, 2)]
    points[0, 42:48] = [(20, 0), (23, 0), (27, 0), (30, 0), (27, 0), (23, 0)]
    points[0, 60:68] = [(0, 0), (3, -1), (5, -1), (7, -1), (10, 0), (7, 2), (5, 2), (3, 2)]
    right, left, mouth, *_ = measure(points, WIDTH, HEIGHT)[0]
    assert (right, left, mouth) == pytest.approx((0.4, 0, 0.3))
    points[0, 8] = np.nan
    assert np.isnan(measure(points, WIDTH, HEIGHT)[0, 3:]).all()


def test_a_mirror_turns_the_angles_around(samples: Path) -> None:
    picture = cv2.imread(str(samples / "president.jpg"))
    assert picture is not None
    network = fkp.load("bundled")
    values = []
    for image in (picture, np.ascontiguousarray(picture[:, ::-1])):
        faces = network.annotate(np.asarray(image, np.uint8))
        values.append(measure(faces.points[:1], image.shape[1], image.shape[0])[0])
    one, other = (dict(zip(MEASURES, v, strict=True)) for v in values)
    assert one["yaw"] == pytest.approx(-other["yaw"], abs=2)
    assert one["roll"] == pytest.approx(-other["roll"], abs=1)
    assert one["pitch"] == pytest.approx(other["pitch"], abs=3)
    assert one["right_eye_opening"] == pytest.approx(other["left_eye_opening"], abs=0.05)
