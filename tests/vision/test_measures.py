"""Openings of eyes and mouth, and the head's pose."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

import fkp
from fkp.vision.measures import _HEAD, _SEEN, MEASURES, measure

WIDTH, HEIGHT = 640, 360


def turned(yaw: float, pitch: float, roll: float) -> npt.NDArray[np.float64]:
    """(3, 3): x to the picture's right, y up, z to the camera."""
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.asarray(np.array(about_y) @ about_x @ about_z)


@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (30, 0, 0), (0, 20, 0), (0, 0, 25), (30, -15, 10), (-50, 10, -20)]
)
def test_the_pose_of_the_generic_head(angles: tuple[float, float, float]) -> None:
    space = (turned(*angles) @ _HEAD.T).T * [1, -1, -1] + [5, -3, 80]
    points = np.full((1, 68, 2), 100.0)
    centre = [(WIDTH - 1) / 2, (HEIGHT - 1) / 2]
    points[0, list(_SEEN)] = space[:, :2] / space[:, 2:] * WIDTH + centre
    found = dict(zip(MEASURES, measure(points, WIDTH, HEIGHT)[0], strict=True))
    assert [found[name] for name in ("yaw", "pitch", "roll")] == pytest.approx(angles, abs=0.01)


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
    assert one["pitch"] == pytest.approx(other["pitch"], abs=2)
    assert one["right_eye_opening"] == pytest.approx(other["left_eye_opening"], abs=0.03)
