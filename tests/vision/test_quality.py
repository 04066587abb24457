"""What the quality of a face's picture says."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from fkp.keypoints import IBUG68
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import Image, read_image
from fkp.vision.quality import QUALITY, picture_quality, quality
from tests.faces68 import FRONTAL, rotation
from tests.helpers import SAMPLES

FACE = IBUG68.anchor_points(FRONTAL)


def crop() -> Image:
    """A sharp face, 96 pixels wide, from a larger one in a photograph."""
    photo = read_image(SAMPLES / "astronaut.jpg", gray=True)
    anchors = np.array([[204, 108], [243, 107], [225, 130], [207, 150], [243, 149]])
    return CropTransform.framed(anchors, UPRIGHT_LAYOUT, 96).cut(photo)


def test_sharpness_falls_with_blur_and_not_with_contrast() -> None:
    sharp = crop()
    blurs = (cv2.GaussianBlur(sharp, (0, 0), sigma) for sigma in (1, 2, 4))
    blurred = [np.asarray(one, np.uint8) for one in blurs]
    values = [float(picture_quality(one)[0]) for one in (sharp, *blurred)]
    assert all(a > b + 0.05 for a, b in pairwise(values)), values
    assert 0 < values[-1] < values[0] < 1
    faint = np.asarray(np.rint(sharp * 0.4 + 60), np.uint8)
    assert picture_quality(faint)[0] == pytest.approx(values[0], abs=0.05)


def test_sharpness_sees_a_shake_in_either_direction() -> None:
    sharp = crop()
    for size in ((9, 1), (1, 9)):
        shaken = np.asarray(cv2.blur(sharp, size), np.uint8)
        assert picture_quality(shaken)[0] < picture_quality(sharp)[0] - 0.1


def test_exposure_is_the_luma_of_the_face() -> None:
    gray = np.full((112, 112), 51, np.uint8)
    sharpness, exposure = picture_quality(gray)
    assert exposure == pytest.approx(0.2)
    assert np.isnan(sharpness)


def test_size_border_and_occlusion() -> None:
    boxes = np.array([[-20.5, 9.5, 40, 50], [10, 10, 30, 20]], np.float32)
    confidence = np.ones((2, 68), np.float32)
    confidence[1, :17] = 0.1
    points = np.stack([FRONTAL, FRONTAL])
    values = quality(boxes, points, confidence, None, (200, 150))
    named = dict(zip(QUALITY, values.T, strict=True))
    assert named["face_size"].tolist() == [50, 30]
    assert named["border_cut"] == pytest.approx([0.5, 0])
    assert named["occluded"] == pytest.approx([0, 0.25])
    assert np.isnan(named["sharpness"]).all()


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (0, -20), (25, 15)])
def test_the_angle_out_of_the_plane(yaw: float, pitch: float) -> None:
    from fkp.vision.head import HEAD, Camera

    camera = Camera().matrix(400, 400)
    at = HEAD @ rotation(yaw, pitch, 40).T + [0, 0, 600]
    points = (at @ camera.T)[:, :2] / at[:, 2:]
    (values,) = quality(np.ones((1, 4)), points[None], np.ones((1, 68)), None, (400, 400))
    y, p = np.radians([yaw, pitch])
    assert values[-1] == pytest.approx(np.degrees(np.arccos(np.cos(y) * np.cos(p))), abs=0.5)


def test_other_points_have_no_angle() -> None:
    boxes, nan = np.ones((1, 4)), np.full((1, 4), np.nan)
    (values,) = quality(boxes, np.ones((1, 4, 2)), nan, None, (9, 9))
    named = dict(zip(QUALITY, values, strict=True))
    assert np.isnan([named["out_of_plane"], named["occluded"]]).all()
