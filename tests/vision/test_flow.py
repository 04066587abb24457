"""Following a part of the picture."""

import cv2
import numpy as np

from fkp.vision.flow import moved, patch


def scene(x: float, y: float, scale: float = 1.0, seed: int = 0) -> np.ndarray:
    """A textured square of 40 pixels at (x, y), on a plain ground."""
    texture = np.random.default_rng(seed).integers(0, 255, (10, 10)).astype(np.uint8)
    square = cv2.resize(texture, (40, 40), interpolation=cv2.INTER_CUBIC)
    turn = np.array([[scale, 0, x], [0, scale, y]])
    image = cv2.warpAffine(square, turn, (160, 120), borderValue=(120,))
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)


def test_a_part_that_moves_is_followed() -> None:
    box = np.array([30.0, 40.0, 40.0, 40.0])
    for x, y, scale in ((34, 38, 1.0), (27.5, 44.0, 1.0), (29, 39, 1.06)):
        now = moved(scene(30, 40), scene(x, y, scale), box)
        assert now is not None
        assert np.abs(now - [x, y, 40 * scale, 40 * scale]).max() < 1.0


def test_what_is_gone_is_lost() -> None:
    box = np.array([30.0, 40.0, 40.0, 40.0])
    noise = np.random.default_rng(9).integers(0, 255, (120, 160)).astype(np.uint8)
    assert moved(scene(30, 40), noise, box) is None
    assert moved(scene(30, 40), scene(30, 40), np.array([500.0, 40.0, 40.0, 40.0])) is None


def test_another_face_looks_unlike() -> None:
    box = np.array([30.0, 40.0, 40.0, 40.0])
    same, other = patch(scene(30, 40), box), patch(scene(30, 40, seed=5), box)
    assert same is not None
    assert other is not None
    assert float((same * same).sum()) > 0.99
    assert float((same * other).sum()) < 0.35
    assert patch(scene(30, 40), np.array([-90.0, 40.0, 40.0, 40.0])) is None
