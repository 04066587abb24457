"""The second look at faces that their crops frame badly."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from fkp.annotate.reframing import reframe
from fkp.keypoints import FKP4, Prediction, Scheme
from fkp.vision.crop import CropTransform

SIZE = 64
LEVELS = (60, 110, 160, 210)
LAYOUT = np.array([[0.35, 0.35], [0.65, 0.35], [0.5, 0.55], [0.4, 0.7], [0.6, 0.7]])


class Spots:
    """Finds four spots by their gray; less confident the further they lie off the layout."""

    def __init__(self, confident: bool = True) -> None:
        self.scheme: Scheme = FKP4
        self.size = SIZE
        self.layout = LAYOUT
        self.confident = confident
        self.asked: list[int] = []

    def predict(
        self, crops: npt.NDArray[np.uint8], batch: int, least: npt.NDArray[np.float32]
    ) -> Prediction:
        self.asked.append(len(crops))
        points = np.array([[_centre(crop, level) for level in LEVELS] for crop in crops])
        off = np.linalg.norm(points[:, 1] - (LAYOUT[0] * SIZE - 0.5), axis=1)
        each = 1 + 0.1 * off if self.confident else np.full(len(off), len(self.asked))
        scale = np.repeat(each[:, None], len(LEVELS), axis=1)
        none = np.full(len(crops), np.nan, np.float32)
        return Prediction(
            points.astype(np.float32), scale.astype(np.float32), none,
            np.full(points.shape[:2], np.nan, np.float32),
        )  # fmt: skip


def _centre(crop: npt.NDArray[np.uint8], level: int) -> npt.NDArray[np.float64]:
    flat = (np.abs(crop.astype(int) - level) < 5).astype(np.uint8)
    rows, columns = np.nonzero(cv2.erode(flat, np.ones((3, 3), np.uint8)))
    return np.array([columns.mean(), rows.mean()])


def face(turn: float, scale: float, shift: float) -> tuple[npt.NDArray[np.uint8], CropTransform]:
    """A crop in which the spots are turned (degrees), scaled and shifted (of the side)."""
    middle = (SIZE - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), turn, scale)
    matrix[:, 2] += np.full(2, shift * SIZE)
    image = np.zeros((SIZE, SIZE), np.uint8)
    anchors = FKP4_SPOTS @ matrix[:, :2].T + matrix[:, 2]
    for (x, y), level in zip(anchors, LEVELS, strict=True):
        image[round(y) - 3 : round(y) + 4, round(x) - 3 : round(x) + 4] = level
    return image, CropTransform(0.5, 0.1, 3.0, -2.0, SIZE)


FKP4_SPOTS = np.array([LAYOUT[1], LAYOUT[0], LAYOUT[2], LAYOUT[3:].mean(0)]) * SIZE - 0.5


@pytest.mark.parametrize(
    ("turn", "scale", "shift"), [(25, 1.0, 0.0), (0, 0.7, 0.0), (0, 1.0, 0.12), (-20, 0.8, 0.05)]
)
def test_a_badly_framed_face_is_framed_by_its_own_points(
    turn: float, scale: float, shift: float
) -> None:
    network = Spots()
    image, transform = face(turn, scale, shift)
    crops, least = image[None], np.zeros(1, np.float32)
    first = network.predict(crops, 8, least)
    said, (framed,) = reframe(crops, [transform], first, network, 8, np.array([True]))
    assert np.abs(said.points[0] - FKP4_SPOTS).max() < 2
    before, after = transform.invert(first.points[0]), framed.invert(said.points[0])
    assert np.abs(before - after).max() < 1.5 / transform.scale  # the same places in the picture


def test_only_badly_framed_faces_are_looked_at_again() -> None:
    network = Spots()
    crops = np.stack([face(t, 1.0, 0.0)[0] for t in (0, 30, 4, 30)])
    transforms = [face(0, 1.0, 0.0)[1]] * 4
    said = network.predict(crops, 8, np.zeros(4, np.float32))
    usable = np.array([True, True, True, False])
    new, framed = reframe(crops, transforms, said, network, 8, usable)
    assert network.asked == [4, 1]
    assert [t is transforms[0] for t in framed] == [True, False, True, True]
    np.testing.assert_array_equal(new.points[[0, 2, 3]], said.points[[0, 2, 3]])


def test_a_second_look_that_is_less_confident_is_not_taken() -> None:
    network = Spots(confident=False)
    image, transform = face(30, 1.0, 0.0)
    said = network.predict(image[None], 8, np.zeros(1, np.float32))
    new, framed = reframe(image[None], [transform], said, network, 8, np.array([True]))
    assert network.asked == [1, 1]
    assert framed == [transform]
    np.testing.assert_array_equal(new.points, said.points)


def test_points_that_frame_nothing_leave_the_crop_as_it_is() -> None:
    network = Spots()
    image, transform = face(30, 1.0, 0.0)
    said = network.predict(image[None], 8, np.zeros(1, np.float32))
    said.points[:] = 20.0
    _, framed = reframe(image[None], [transform], said, network, 8, np.array([True]))
    assert framed == [transform]
