"""Head pose from points of known pose: an independent head, the mean head, and what is no face."""

from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fkp.errors import DataError
from fkp.keypoints import IBUG68
from fkp.vision.head import HEAD, POSES, RIGID, Camera, head_pose
from tests.faces68 import rotation

Array = npt.NDArray[np.float64]

WIDTH, HEIGHT = 640, 360
CAMERA = Camera().matrix(WIDTH, HEIGHT)


def canonical() -> Array:
    """(68, 3): MediaPipe's canonical head at the vertices nearest to the 68 points, in the frame of
    HEAD, millimetres; Apache-2.0, The MediaPipe Authors. It had no part in making HEAD.
    """
    table = pd.read_csv(Path(__file__).with_name("canonical_head.csv"))
    head = table[["x", "y", "z"]].to_numpy() * [10, -10, -10]
    right, left = head[36:42].mean(0), head[42:48].mean(0)
    return np.asarray(head - (right + left) / 2)


def seen(
    head: Array, angles: tuple[float, float, float], at: tuple[float, float, float] = (30, -20, 700)
) -> Array:
    """(68, 2): where the points of a head with that pose are in the picture."""
    space = head @ rotation(*angles).T + at
    return np.asarray(space[:, :2] / space[:, 2:] * CAMERA[0, 0] + CAMERA[:2, 2])


def test_an_independent_head_is_told_within_three_degrees() -> None:
    errors = []
    for yaw, pitch, roll in product(range(-40, 41, 10), range(-20, 21, 10), (-25, 0, 25)):
        found = head_pose(seen(canonical(), (yaw, pitch, roll)), CAMERA)[:3]
        errors.append(found - [yaw, pitch, roll])
    assert (np.abs(errors).mean(0) < 1.5).all()
    assert np.abs(errors).max() < 4


@pytest.mark.parametrize("yaw", [0, 45, -80, 90])
@pytest.mark.parametrize("pitch", [0, 40, -40])
@pytest.mark.parametrize("roll", [0, 90, 180, -135])
def test_the_mean_head_is_found_at_any_turn(yaw: float, pitch: float, roll: float) -> None:
    place = (120.0, -60.0, 900.0)
    found = head_pose(seen(HEAD, (yaw, pitch, roll), place), CAMERA)
    off = (found[:3] - [yaw, pitch, roll] + 180) % 360 - 180
    assert off == pytest.approx(np.zeros(3), abs=0.1)
    assert found[3:] == pytest.approx(place, abs=1)


def test_signs() -> None:
    """Yaw to the picture's right, pitch up, roll clockwise: by where points go, not by matrices."""
    nose, chin, brow = 30, 8, 27
    right = seen(HEAD, (20, 0, 0), (0, 0, 700))
    assert right[nose, 0] > right[[36, 45], 0].mean()
    up, level = (seen(HEAD, (0, p, 0), (0, 0, 700)) for p in (15, 0))
    assert up[nose, 1] - up[36, 1] < level[nose, 1] - level[36, 1]
    leaning = seen(HEAD, (0, 0, 20), (0, 0, 700))
    assert leaning[brow, 0] > leaning[chin, 0]
    assert np.degrees(np.arctan2(*(leaning[45] - leaning[36])[::-1])) == pytest.approx(20, abs=1)
    for points, which, value in ((right, 0, 20), (up, 1, 15), (leaning, 2, 20)):
        assert head_pose(points, CAMERA)[which] == pytest.approx(value, abs=0.1)


def test_a_mirror_turns_yaw_roll_and_x_around() -> None:
    points = seen(canonical(), (25, -10, 8))
    mirrored = points[list(IBUG68.flip_order or ())] * [-1, 1] + [WIDTH - 1, 0]
    one, other = head_pose(points, CAMERA), head_pose(mirrored, CAMERA)
    assert other == pytest.approx(one * [-1, 1, -1, -1, 1, 1], abs=1e-3)


def test_what_is_no_face_has_no_pose() -> None:
    points = seen(HEAD, (20, 5, 3))
    swapped = points * [-1, 1] + [WIDTH - 1, 0]  # left and right of the subject are swapped
    noise = np.random.default_rng(0).uniform(0, 300, (68, 2))
    few = np.where(np.isin(np.arange(68), RIGID[:7])[:, None], points, np.nan)
    for wrong in (swapped, noise, few, np.zeros((68, 2)), np.full((68, 2), np.nan)):
        assert np.isnan(head_pose(wrong, CAMERA)).all()
        assert len(head_pose(wrong, CAMERA)) == len(POSES)


def test_some_missing_points_do_not_matter() -> None:
    points = seen(HEAD, (30, -15, 10))
    points[[8, 27, 39, 48]] = np.nan
    assert head_pose(points, CAMERA)[:3] == pytest.approx((30, -15, 10), abs=0.1)


def test_the_lens_decides_the_distance() -> None:
    points = seen(HEAD, (0, 0, 0), (0, 0, 700))
    assert Camera(fov=53.1301).matrix(WIDTH, HEIGHT) == pytest.approx(CAMERA, abs=0.01)
    assert Camera(focal=320).matrix(HEIGHT, WIDTH)[0, 0] == 320
    near = head_pose(points, Camera(focal=320).matrix(WIDTH, HEIGHT))
    assert near[5] == pytest.approx(350, rel=0.05)
    off = seen(HEAD, (0, 0, 0), (300, 0, 700))
    assert head_pose(off, CAMERA)[0] == pytest.approx(0, abs=0.1)
    assert abs(head_pose(off, Camera(fov=30).matrix(WIDTH, HEIGHT))[0]) > 5


@pytest.mark.parametrize("given", [{"focal": 0}, {"fov": 180}, {"focal": 500, "fov": 60}])
def test_impossible_lenses_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(DataError, match=r"focal length|angle of view"):
        Camera(**given)


def test_the_head_is_an_adult_s_and_symmetric() -> None:
    eyes = HEAD[42:48].mean(0) - HEAD[36:42].mean(0)
    assert eyes == pytest.approx((63, 0, 0), abs=0.02)
    assert HEAD[list(IBUG68.flip_order or ())] * [-1, 1, 1] == pytest.approx(HEAD, abs=0.02)
    assert 83 < np.linalg.norm(HEAD[45] - HEAD[36]) < 95  # biocular width: Farkas, 1994
