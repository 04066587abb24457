"""Crop geometry: the way there, the way back, and the pixels between."""

import numpy as np
import numpy.typing as npt
import pytest

from fkp.errors import DataError
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import to_gray

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("turn", [0.0, 0.4, -2.0])
@pytest.mark.parametrize("scale", [0.05, 0.7, 3.0])
def test_the_way_back_is_exact(turn: float, scale: float) -> None:
    crop = CropTransform(scale * np.cos(turn), scale * np.sin(turn), -40.5, 7.25, 96)
    points = RNG.uniform(-500, 4000, (20, 5, 2))
    assert np.allclose(crop.invert(crop.apply(points)), points, atol=1e-8)
    assert crop.scale == pytest.approx(scale)


def test_fit_recovers_a_similarity_and_leaves_out_what_is_missing() -> None:
    true = CropTransform(0.8, -0.3, 5.0, -9.0, 64)
    points = RNG.uniform(0, 100, (5, 2))
    targets = true.apply(points)
    points[3] = np.nan
    fitted = CropTransform.fit(points, targets, 64)
    assert np.allclose(fitted.matrix, true.matrix)


def test_fit_needs_two_places() -> None:
    with pytest.raises(DataError, match="two points"):
        CropTransform.fit(np.array([[1.0, 1.0], [np.nan, 2.0]]), np.zeros((2, 2)), 64)
    with pytest.raises(DataError, match="two points"):
        CropTransform.fit(np.ones((2, 2)), np.zeros((2, 2)), 64)


def blob(size: tuple[int, int], at: tuple[float, float], width: float) -> npt.NDArray[np.uint8]:
    y, x = np.mgrid[: size[0], : size[1]]
    light = 250 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * width**2))
    return np.asarray(light, np.uint8)


def centroid(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    y, x = np.mgrid[: image.shape[0], : image.shape[1]]
    weight = image.astype(float)
    moments = [(x * weight).sum(), (y * weight).sum()]
    return np.asarray(moments / weight.sum(), np.float64)


@pytest.mark.parametrize("scale", [0.09, 0.21, 0.5, 0.79, 0.81, 1.0, 2.5])
@pytest.mark.parametrize("turn", [0.0, 0.35, -1.2])
def test_pixels_go_where_points_go(scale: float, turn: float) -> None:
    at = (603.3, 417.8)
    image = blob((900, 1200), at, 4 / scale)
    a, b = scale * np.cos(turn), scale * np.sin(turn)
    start = CropTransform(a, b, 0.0, 0.0, 96).apply(np.array(at))
    crop = CropTransform(a, b, 50.3 - start[0], 44.6 - start[1], 96)
    assert np.abs(centroid(crop.cut(image)) - [50.3, 44.6]).max() < 0.06


@pytest.mark.parametrize("scale", [0.2, 0.5, 1.0, 3.0])
@pytest.mark.parametrize("centre", [(70, 60), (5, 115)])
def test_a_gray_crop_is_the_crop_in_gray(scale: float, centre: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (120, 140, 3)).astype(np.uint8)
    turn = scale * np.exp(0.3j)
    shift = 20 - turn * complex(*centre)
    crop = CropTransform(turn.real, turn.imag, shift.real, shift.imag, 40)
    wanted = to_gray(crop.cut(image)).astype(int)
    assert np.abs(wanted - crop.cut_gray(image)).max() <= 3
    assert np.abs(wanted - crop.cut_gray(image)).mean() < 0.6
    gray = to_gray(image)
    np.testing.assert_array_equal(crop.cut_gray(gray), crop.cut(gray))


def test_a_crop_beyond_the_border_repeats_it() -> None:
    image = np.full((40, 40, 3), 77, np.uint8)
    crop = CropTransform(1.0, 0.0, 500.0, -500.0, 32).cut(image)
    assert crop.shape == (32, 32, 3)
    assert (crop == 77).all()
    small = CropTransform(0.2, 0.0, 500.0, -500.0, 32).cut(image)
    assert (small == 77).all()


def test_one_crop_after_another() -> None:
    first, second = CropTransform(0.4, 0.2, 5, -3, 64), CropTransform(1.1, -0.3, -2, 8, 48)
    both, points = second.after(first), np.array([[3.0, 4.0], [50.0, -7.0]])
    np.testing.assert_allclose(both.apply(points), second.apply(first.apply(points)))
    assert both.size == 48


def test_framed_puts_the_anchors_on_the_layout() -> None:
    face = UPRIGHT_LAYOUT * 300 + [100, 50]
    crop = CropTransform.framed(face, UPRIGHT_LAYOUT, 112)
    assert np.allclose((crop.apply(face) + 0.5) / 112, UPRIGHT_LAYOUT)


def test_whole_picture() -> None:
    crop = CropTransform.whole(200, 100, 50)
    corners = crop.apply(np.array([[-0.5, -0.5], [199.5, 99.5]]))
    assert np.allclose(corners, [[-0.5, 12.0], [49.5, 37.0]])
    same = CropTransform.whole(96, 96, 96)
    assert np.allclose(same.matrix, [[1, 0, 0], [0, 1, 0]])


def test_around_keeps_the_points_inside() -> None:
    points = np.array([[10.0, 20.0], [110.0, 40.0], [np.nan, np.nan]])
    inside = CropTransform.around(points, 96).apply(points[:2])
    assert inside.min() > 0
    assert inside.max() < 95
    assert np.allclose(inside.mean(0), 47.5)
