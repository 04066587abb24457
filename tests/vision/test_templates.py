"""Aligned faces against the reference tools' own formulas, written down here again."""

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fkp.errors import DataError, LabelError
from fkp.keypoints import FKP4, IBUG68, MTFL5
from fkp.vision.templates import TEMPLATES, Framing, framing_of, read_template
from tests.faces68 import FRONTAL

Points = npt.NDArray[np.float64]


def some_points(seed: int) -> Points:
    """A face of 68 points, turned, resized and a little off, as in a photo."""
    rng = np.random.default_rng(seed)
    turn = rng.uniform(0.5, 6) * np.exp(1j * rng.uniform(-np.pi, np.pi))
    moved = FRONTAL @ [1, 1j] * turn + complex(*rng.uniform(0, 1500, 2))
    return np.stack([moved.real, moved.imag], axis=1) + rng.normal(0, abs(turn), (68, 2))


def ffhq_quad(lm: Points) -> Points:
    """The oriented crop rectangle of NVlabs/ffhq-dataset, `recreate_aligned_images`, in the pixels
    of the landmarks."""
    lm_eye_left, lm_eye_right, lm_mouth_outer = lm[36:42], lm[42:48], lm[48:60]
    eye_left, eye_right = np.mean(lm_eye_left, axis=0), np.mean(lm_eye_right, axis=0)
    eye_avg = (eye_left + eye_right) * 0.5
    eye_to_eye = eye_right - eye_left
    mouth_avg = (lm_mouth_outer[0] + lm_mouth_outer[6]) * 0.5
    eye_to_mouth = mouth_avg - eye_avg
    x = eye_to_eye - np.flipud(eye_to_mouth) * [-1, 1]
    x /= np.hypot(*x)
    x *= max(np.hypot(*eye_to_eye) * 2.0, np.hypot(*eye_to_mouth) * 1.8)
    y = np.flipud(x) * [-1, 1]
    c = eye_avg + eye_to_mouth * 0.1
    return np.stack([c - x - y, c - x + y, c + x + y, c + x - y])


def by_quad(quad: Points, side: int, points: Points) -> Points:
    """Where Pillow's QUAD transform, called with `(quad + 0.5).flatten()`, puts points: its corners
    are those of the result, whose pixel centres are halves; solved as an affine map."""
    corners = np.array([[0, 0], [0, side], [side, side], [side, 0]])
    full = np.hstack([quad + 0.5, np.ones((4, 1))])
    matrix = np.linalg.lstsq(full, corners, rcond=None)[0]
    return np.asarray(np.hstack([points + 0.5, np.ones((len(points), 1))]) @ matrix - 0.5)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("side", [512, 1024])
def test_ffhq_is_the_dataset_tool_s_crop(side: int, seed: int) -> None:
    points = some_points(seed)
    framing = Framing(TEMPLATES[f"ffhq-{side}"], enlarge=True)
    warp = framing.warp(points, IBUG68)
    assert (warp.width, warp.height) == (side, side)
    expected = by_quad(ffhq_quad(points), side, points)
    assert np.abs(warp.transform.apply(points) - expected).max() < 0.01


def arcface_matrix(src: Points) -> Points:
    """insightface's `estimate_norm`: Umeyama's similarity by singular values, as skimage has it."""
    dst = np.array(
        [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655],
         [70.7299, 92.2041]]
    )  # fmt: skip
    src_mean, dst_mean = src.mean(0), dst.mean(0)
    a = (dst - dst_mean).T @ (src - src_mean) / 5
    d = np.ones(2)
    if np.linalg.det(a) < 0:
        d[1] = -1
    u, s, v = np.linalg.svd(a)
    rotation = u @ np.diag(d) @ v
    scale = (s @ d) / (src - src_mean).var(axis=0).sum()
    return np.hstack([scale * rotation, (dst_mean - scale * rotation @ src_mean)[:, None]])


@pytest.mark.parametrize("seed", range(8))
def test_arcface_is_insightface_s_crop(seed: int) -> None:
    points = some_points(seed)
    five = np.stack(
        [points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]]
    )
    warp = Framing(TEMPLATES["arcface-112"], enlarge=True).warp(points, IBUG68)
    assert (warp.width, warp.height) == (112, 112)
    matrix = arcface_matrix(five)
    expected = points @ matrix[:, :2].T + matrix[:, 2]
    assert np.abs(warp.transform.apply(points) - expected).max() < 0.01


def test_the_eyes_lie_where_the_template_says_whatever_the_face() -> None:
    for seed in range(4):
        points = some_points(seed)
        warp = Framing(TEMPLATES["eyes"], enlarge=True).warp(points, IBUG68)
        eyes = warp.transform.apply(IBUG68.anchor_points(points)[:2])
        assert np.abs(eyes - [[409.6, 440.32], [614.4, 440.32]]).max() < 1e-6


def test_faces_are_not_enlarged_unless_asked() -> None:
    small = FRONTAL  # 100 pixels wide
    warp = Framing(TEMPLATES["ffhq-1024"]).warp(small, IBUG68)
    assert warp.width == warp.height < 400
    assert warp.transform.scale == pytest.approx(1, abs=0.01)
    whole = Framing(TEMPLATES["ffhq-1024"], enlarge=True).warp(small, IBUG68)
    shares = (whole.transform.apply(small) + 0.5) / whole.width
    assert np.abs((warp.transform.apply(small) + 0.5) / warp.width - shares).max() < 0.004
    large = Framing(TEMPLATES["ffhq-512"]).warp(small * 20, IBUG68)
    assert large.width == 512


def test_margin_aspect_and_size() -> None:
    points = some_points(1)
    plain = Framing(TEMPLATES["ffhq-512"], enlarge=True).warp(points, IBUG68)
    roomy = Framing(TEMPLATES["ffhq-512"], margin=0.5, enlarge=True).warp(points, IBUG68)
    assert roomy.transform.scale == pytest.approx(plain.transform.scale / 2)
    middle = plain.transform.invert(np.array([255.5, 255.5]))
    assert np.allclose(roomy.transform.apply(middle), [255.5, 255.5])
    tall = Framing(TEMPLATES["ffhq-512"], aspect=4 / 5, size=800, enlarge=True)
    assert tall.size_wh == (640, 800)
    warp = tall.warp(points, IBUG68)
    assert (warp.width, warp.height) == (640, 800)
    assert np.allclose(warp.transform.apply(middle), [319.5, 399.5])
    assert warp.transform.scale == pytest.approx(plain.transform.scale * 640 / 512)


def test_the_way_back_is_the_inverse() -> None:
    points = some_points(2)
    warp = Framing(TEMPLATES["ffhq-512"]).warp(points, IBUG68)
    there = warp.transform.apply(points)
    back = there @ warp.to_picture[:, :2].T + warp.to_picture[:, 2]
    assert np.abs(back - points).max() < 1e-6


def test_a_template_of_one_s_own(tmp_path: Path) -> None:
    places = {"p36": [80, 150], "p45": [220, 150], "mouth_left": [190, 290]}
    told = {"size": [300, 400], "points": places}
    (tmp_path / "mine.json").write_text(json.dumps(told))
    framing = framing_of(tmp_path / "mine.json", enlarge=True)
    warp = framing.warp(FRONTAL, IBUG68)
    assert (warp.width, warp.height) == (300, 400)
    there = warp.transform.apply(FRONTAL)
    assert np.abs((there[36] + there[45]) / 2 - [150, 150]).max() < 15
    (tmp_path / "two.json").write_text(
        json.dumps({"size": [300, 400], "points": {"p36": [80, 150], "p45": [220, 150]}})
    )
    exact = framing_of(tmp_path / "two.json", enlarge=True).warp(FRONTAL, IBUG68)
    found = exact.transform.apply(FRONTAL)[[36, 45]]
    assert np.allclose(found, [[80, 150], [220, 150]])
    with pytest.raises(DataError, match="has no point p36"):
        framing.warp(np.ones((5, 2)), MTFL5)


WRONG = {
    "{": "is not JSON",
    '{"size": [300, 400]}': "expected a template such as",
    '{"size": [300, "x"], "points": {"a": [1, 2], "b": [3, 4]}}': "expected a number",
    '{"size": [3, 4], "points": {"a": [1, 2], "b": [3, 4]}}': "size: expected 16 to 8192",
    '{"size": [300, 400], "points": {"a": [1, 2]}}': "points: expected two or more",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_damaged_template_is_an_error(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(LabelError, match=WRONG[text]):
        read_template(tmp_path / "x.json")


def test_points_that_a_template_needs() -> None:
    with pytest.raises(DataError, match="needs the eyes and the mouth corners"):
        Framing(TEMPLATES["ffhq-512"]).warp(np.ones((4, 2)), FKP4)
    with pytest.raises(DataError, match="expected one of ffhq-512"):
        framing_of("ffhq")
    with pytest.raises(DataError, match="margin"):
        framing_of("eyes", margin=9)
