"""Irises in drawn eyes, whose irises are known."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fkp.keypoints import IBUG68
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.iris import find_irises
from tests.faces68 import FRONTAL

Array = npt.NDArray[np.float64]

SIDE, FINE = 480, 4
"""Side of the drawn pictures, and how many times larger they are drawn, to be averaged down."""

LIDS = np.array([[-1, 0], [-0.45, -0.5], [0.3, -0.5], [1, 0], [0.35, 0.33], [-0.4, 0.33]])
"""The contour of an open eye, in halves of its width, from left to right."""

NOWHERE = CropTransform(1.0, 0.0, 0.0, 0.0, SIDE)
"""The whole picture is the crop."""


def face(width: float = 40) -> Array:
    """68 points (68, 2) of a face whose eyes are so many pixels wide."""
    large = (FRONTAL - FRONTAL.mean(0)) * 3.2 + SIDE / 2
    for first, shape in ((36, LIDS), (42, LIDS)):
        middle = large[first : first + 6].mean(0)
        large[first : first + 6] = middle + shape * width / 2
    return np.asarray(large)


def drawn(points: Array, irises: Array, lid: float = 0.0) -> Image:
    """A gray picture (SIDE, SIDE) of two eyes with irises (2, 3); the share of lids lowered."""
    image = np.full((SIDE * FINE, SIDE * FINE), 165, np.uint8)
    for first, (x, y, radius) in zip((36, 42), irises, strict=True):
        contour = points[first : first + 6]
        width = float(np.linalg.norm(contour[3] - contour[0]))
        opening, ball = np.zeros_like(image), np.full_like(image, 215)
        curve = _curved(contour, lid)
        cv2.fillPoly(opening, [np.rint((curve + 0.5) * FINE - 0.5).astype(np.int32)], 1)
        at = (round((x + 0.5) * FINE - 0.5), round((y + 0.5) * FINE - 0.5))
        cv2.circle(ball, at, round(radius * FINE), 95, cv2.FILLED)
        cv2.circle(ball, at, round(0.42 * radius * FINE), 25, cv2.FILLED)
        glint = (at[0] - round(0.3 * radius * FINE), at[1] - round(0.3 * radius * FINE))
        cv2.circle(ball, glint, max(1, round(0.12 * radius * FINE)), 250, cv2.FILLED)
        image = np.where(opening > 0, ball, image)
        edge = np.rint((curve[:41] + 0.5) * FINE - 0.5).astype(np.int32)
        cv2.polylines(image, [edge], False, 60, max(1, round(width * FINE / 22)), cv2.LINE_AA)
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    noise = np.random.default_rng(0).normal(0, 2, small.shape)
    blurred = cv2.GaussianBlur(small, (0, 0), 0.7)
    return np.asarray(np.clip(blurred + noise, 0, 255), np.uint8)


def _curved(contour: Array, lid: float) -> Array:
    """The lids as smooth lines: the upper one from left to right, then the lower one back."""
    left, right = contour[0], contour[3]
    t = np.linspace(0, 1, 41)
    bow = 4 * t * (1 - t)
    along = left + t[:, None] * (right - left)
    up, down = contour[1:3, 1].mean() - left[1], contour[4:6, 1].mean() - left[1]
    upper = along + np.stack([0 * bow, 1.1 * bow * (up + lid * (down - up))], 1)
    lower = along + np.stack([0 * bow, 1.1 * bow * down], 1)
    return np.concatenate([upper, lower[::-1]])


def irises_of(points: Array, gaze: tuple[float, float] = (0, 0), radius: float = 0.23) -> Array:
    """Irises (2, 3) that look so far aside, in eye widths."""
    found = []
    for first in (36, 42):
        contour = points[first : first + 6]
        width = float(np.linalg.norm(contour[3] - contour[0]))
        x, y = (contour[0] + contour[3]) / 2 + np.array([0, -0.05]) * width + np.array(gaze) * width
        found.append([x, y, radius * width])
    return np.array(found)


def found(image: Image, points: Array) -> Array:
    (own,) = find_irises([image], [NOWHERE], points[None], (SIDE, SIDE))
    return np.asarray(own, np.float64)


@pytest.mark.parametrize("gaze", [(0, 0), (-0.16, 0), (0.16, 0.02), (0.08, -0.05)])
@pytest.mark.parametrize("width", [24, 60])
def test_centre_and_radius(gaze: tuple[float, float], width: float) -> None:
    points = face(width)
    truth = irises_of(points, gaze)
    own = found(drawn(points, truth), points)
    off = np.linalg.norm(own[:, :2] - truth[:, :2], axis=1) / width
    assert (off < 0.06).all(), off
    assert own[:, 2] == pytest.approx(truth[:, 2], rel=0.2)


def test_the_radius_follows_the_iris() -> None:
    points = face()
    pictures = [(drawn(points, irises_of(points, radius=r)), r) for r in (0.17, 0.21, 0.25)]
    radii = [found(image, points)[:, 2] / 40 for image, _ in pictures]
    assert (np.diff(radii, axis=0) > 0.015).all(), radii


def test_a_mirrored_picture_has_mirrored_irises() -> None:
    points = face()
    image = drawn(points, irises_of(points, (0.1, 0)))
    mirrored = np.ascontiguousarray(image[:, ::-1])
    flip = list(IBUG68.flip_order or ())
    others = np.array([SIDE - 1, 0]) + points[flip] * [-1, 1]
    own, other = found(image, points), found(mirrored, others)
    expected = own[::-1] * [-1, 1, 1] + [SIDE - 1, 0, 0]
    assert np.allclose(other, expected, atol=0.05)


def test_a_turned_and_scaled_crop_gives_the_same() -> None:
    points = face()
    truth = irises_of(points, (0.1, 0))
    image = drawn(points, truth)
    turn = 0.6 * np.exp(1j * np.radians(35))
    middle = SIDE / 2 * (1 + 1j)
    shift = 160 * (1 + 1j) - turn * middle
    transform = CropTransform(turn.real, turn.imag, shift.real, shift.imag, 320)
    (own,) = find_irises([transform.cut(image)], [transform], points[None], (SIDE, SIDE))
    assert np.linalg.norm(own[:, :2] - truth[:, :2], axis=1).max() < 0.06 * 40
    assert own[:, 2] == pytest.approx(truth[:, 2], rel=0.2)


def test_closed_eyes_have_none() -> None:
    points = face()
    image = drawn(points, irises_of(points), lid=1.0)
    shut = points.copy()
    for first in (36, 42):
        shut[[first + 1, first + 2], 1] = shut[[first + 5, first + 4], 1] - 1
    assert np.isnan(found(image, shut)).all()
    wink = points.copy()
    wink[36:42] = shut[36:42]
    own = found(drawn(points, irises_of(points)), wink)
    assert np.isnan(own[0]).all()
    assert np.isfinite(own[1]).all()


def test_lids_that_the_points_do_not_show_shut_have_none() -> None:
    points = face()
    assert np.isnan(found(drawn(points, irises_of(points), lid=1.0), points)).all()


def test_outside_the_picture_and_without_points_there_is_none() -> None:
    points = face()
    image = drawn(points, irises_of(points))
    width = round(points[39, 0])  # the subject's left eye lies outside
    cut = find_irises([image], [NOWHERE], points[None], (width, SIDE))[0]
    assert np.isfinite(cut[0]).all()
    assert np.isnan(cut[1]).all()
    assert np.isnan(found(image, np.full((68, 2), np.nan))).all()
    assert found(image, points).shape == (2, 3)
    assert find_irises([], [], np.zeros((0, 68, 2)), (9, 9)).shape == (0, 2, 3)


def test_even_skin_has_none() -> None:
    points = face()
    assert np.isnan(found(np.full((SIDE, SIDE), 120, np.uint8), points)).all()
