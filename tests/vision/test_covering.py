"""Parts of pictures made unrecognisable."""

import numpy as np
import pytest

from fkp.vision.covering import CELLS, METHODS, cover, covered, ellipse, hull, rectangle


def noise(*shape: int, kind: str = "uint8") -> np.ndarray:
    top = {"uint8": 255, "uint16": 65535, "float32": 1}[kind]
    return (np.random.default_rng(0).uniform(0.1, 1, shape) * top).astype(kind)


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("channels", [(), (2,), (3,), (4,)])
@pytest.mark.parametrize("method", METHODS)
def test_only_what_is_inside_changes(kind: str, channels: tuple[int, ...], method: str) -> None:
    before = noise(60, 80, *channels, kind=kind)
    outline = ellipse(np.array([20.0, 15.0, 30.0, 30.0]))
    after = before.copy()
    alpha = channels in ((2,), (4,))
    cover(after, [outline], method, alpha)
    inside = covered([outline], 80, 60)
    assert 700 < inside.sum() < 1300
    assert np.array_equal(after[~inside], before[~inside])
    one, other = (image[inside].reshape(inside.sum(), -1) for image in (before, after))
    colours = one.shape[1] - alpha
    assert (one[:, :colours] != other[:, :colours]).mean() > 0.9
    assert np.array_equal(one[:, colours:], other[:, colours:])


def test_little_is_left_of_a_face() -> None:
    for method, most in (("mosaic", (CELLS + 1) ** 2), ("fill", 1), ("mask", 1)):
        image = noise(200, 200)
        outline = ellipse(np.array([40.0, 30.0, 120.0, 140.0]))
        cover(image, [outline], method)
        assert len(np.unique(image[covered([outline], 200, 200)])) <= most, method


def test_a_face_at_the_edge_is_no_finer() -> None:
    """The cells of a face that is mostly outside are as large as those of a whole one."""
    image = noise(200, 200)
    outline = ellipse(np.array([-80.0, 20.0, 100.0, 120.0]))
    cover(image, [outline], "mosaic")
    assert len(np.unique(image[covered([outline], 200, 200)])) <= CELLS + 3


@pytest.mark.parametrize("box", [[500, 500, 40, 40], [-90, -90, 20, 20], [-1e6, -1e6, 2e6, 2e6]])
def test_any_place_is_possible(box: list[float]) -> None:
    image = noise(50, 60, 3)
    cover(image, [ellipse(np.array(box, float)), rectangle(np.array(box, float))], "fill")
    assert (image == 0).all() == (box[2] > 1e5)


def test_the_hull_holds_the_points() -> None:
    rng = np.random.default_rng(1)
    points = rng.uniform(20, 80, (68, 2)).astype(np.float32)
    points[3] = np.nan
    known = np.rint(points[np.isfinite(points).all(1)]).astype(int)
    inside = covered([hull(points, 0.05)], 100, 100)
    assert inside[known[:, 1], known[:, 0]].all()
    assert len(hull(np.full((68, 2), np.nan, np.float32))) == 0
