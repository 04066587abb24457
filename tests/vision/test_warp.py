"""Cutting faces out of photos: the pixels and the border."""

import numpy as np
import pytest

from fkp.errors import DataError
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.warp import Warp, colour_from


def picture() -> Image:
    y, x = np.mgrid[:60, :80]
    return np.stack([x * 3, y * 4, x + y], axis=-1).astype(np.uint8)


def moved(x: float, y: float, scale: float = 1.0, size: tuple[int, int] = (80, 60)) -> Warp:
    return Warp(CropTransform(scale, 0, x, y, max(size)), *size)


def test_a_shift_by_whole_pixels_keeps_the_pixels() -> None:
    cut = moved(10, 5).cut(picture())
    assert np.array_equal(cut[5:, 10:], picture()[:-5, :-10])


def test_borders() -> None:
    image = picture()
    mirrored = moved(10, 0).cut(image, "reflect")
    assert np.array_equal(mirrored[:, :10], image[:, :10][:, ::-1])
    red = moved(10, 0).cut(image, "#ff0000")
    assert (red[:, :9] == (0, 0, 255)).all()
    soft = moved(40, 0).cut(image, "blur")
    assert np.array_equal(soft[:, 42:], image[:, 2:40])
    rows = np.ascontiguousarray(image[:, ::-1] ^ 64)
    rough, smooth = (
        np.abs(np.diff(moved(40, 0).cut(rows, border)[:, :20].astype(int), axis=0)).max()
        for border in ("reflect", "blur")
    )
    assert smooth < rough


def test_a_large_photo_is_averaged_down() -> None:
    """A checkerboard of single pixels becomes gray; it does not alias."""
    board = (np.indices((400, 400)).sum(0) % 2 * 255).astype(np.uint8)
    image = np.repeat(board[..., None], 3, axis=2)
    small = moved(-0.375, -0.375, 0.25, (100, 100)).cut(image)
    assert np.abs(small.astype(int) - 127).max() <= 2


def test_down_and_up_agree_on_places() -> None:
    """A ramp tells where each pixel came from, also where the photo was averaged down first."""
    ramp = np.repeat(np.repeat(np.arange(250, dtype=np.uint8)[None], 250, 0)[..., None], 3, 2)
    warp = moved(3.25, 1, 0.5, (100, 100))
    x = warp.transform.invert(np.stack([np.arange(10, 90), np.full(80, 50)], axis=1))[:, 0]
    assert np.abs(warp.cut(ramp)[50, 10:90, 0] - x).max() < 1.01


@pytest.mark.parametrize("border", ["mirror", "#12", "#gg0000", ""])
def test_a_border_that_is_none(border: str) -> None:
    with pytest.raises(DataError, match="border: expected reflect, blur, black"):
        colour_from(border)
