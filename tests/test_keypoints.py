"""Schemes and faces."""

import cv2
import numpy as np
import pytest
from scipy.stats import gamma

from fkp.errors import DataError, ImageError
from fkp.keypoints import (
    FKP4,
    IBUG68,
    KAGGLE15,
    MTFL5,
    RADIUS_90,
    SCHEMES,
    Faces,
    Prediction,
    Scheme,
)


@pytest.mark.parametrize("scheme", SCHEMES.values(), ids=lambda s: s.name)
def test_double_flip_is_identity(scheme: Scheme) -> None:
    assert scheme.flip_order is not None
    order = np.array(scheme.flip_order)
    assert (order[order] == np.arange(len(scheme))).all()


@pytest.mark.parametrize("scheme", [FKP4, MTFL5, KAGGLE15], ids=lambda s: s.name)
def test_flip_swaps_left_and_right_in_the_names(scheme: Scheme) -> None:
    assert scheme.flip_order is not None
    for i, j in enumerate(scheme.flip_order):
        swapped = (
            scheme.names[i].replace("left", "#").replace("right", "left").replace("#", "right")
        )
        assert scheme.names[j] == swapped


def test_flip_of_68_points_mirrors_their_groups() -> None:
    flip = IBUG68.flip_order
    assert flip is not None
    right, left = IBUG68.eyes
    assert {flip[i] for i in right} == set(left)
    assert IBUG68.outer_eyes is not None
    assert flip[IBUG68.outer_eyes[0]] == IBUG68.outer_eyes[1]
    assert [flip[i] for i in (8, 27, 30, 33, 51, 57, 62, 66)] == [8, 27, 30, 33, 51, 57, 62, 66]
    edges = {frozenset(e) for e in IBUG68.edges}
    assert {frozenset((flip[a], flip[b])) for a, b in IBUG68.edges} == edges


@pytest.mark.parametrize("target", [FKP4, MTFL5, KAGGLE15], ids=lambda s: s.name)
def test_68_points_give_the_others(target: Scheme) -> None:
    points = np.random.default_rng(0).normal(size=(3, 68, 2))
    converted = IBUG68.convert(points, target)
    assert converted.shape == (3, len(target), 2)
    eye = target.names.index("left_eye_center")
    assert np.allclose(converted[:, eye], points[:, 42:48].mean(1))
    # Mirroring before or after converting is the same.
    assert IBUG68.flip_order is not None
    assert target.flip_order is not None
    flipped = IBUG68.convert(points[:, list(IBUG68.flip_order)], target)
    assert np.allclose(flipped, converted[:, list(target.flip_order)])


def test_a_missing_point_makes_its_mean_missing() -> None:
    points = np.zeros((68, 2))
    points[43] = np.nan
    converted = IBUG68.convert(points, MTFL5)
    assert np.isnan(converted[1]).all()
    assert np.isfinite(converted[[0, 2, 3, 4]]).all()


def test_convert_refuses_what_is_not_there() -> None:
    with pytest.raises(DataError, match="no point for right_eye_center"):
        Scheme("x", ("a", "b")).convert(np.zeros((2, 2)), MTFL5)


def test_scheme_from_names() -> None:
    assert Scheme.from_names(FKP4.names) is FKP4
    own = Scheme.from_names(["left_eye", "right_eye", "chin", "L_ear", "R_ear"])
    assert own.flip_order == (1, 0, 2, 4, 3)
    assert own.anchors[0] == (1,)
    assert own.anchors[1] == (0,)
    corners = Scheme.from_names(["left_eye_in", "left_eye_out", "left_eyebrow", "nose"])
    assert corners.anchors[1] == (0, 1)
    assert corners.anchors[2] == (3,)


def test_flip_pairs() -> None:
    assert Scheme.from_names(["a", "b", "c"]).flip_order is None
    assert Scheme.from_names(["a", "b", "c"], [("a", "c")]).flip_order == (2, 1, 0)
    with pytest.raises(DataError, match="no point named d"):
        Scheme.from_names(["a", "b"], [("a", "d")])


def test_a_scheme_checks_itself() -> None:
    with pytest.raises(DataError, match="unique"):
        Scheme("x", ("a", "a"))
    with pytest.raises(DataError, match="in pairs"):
        Scheme("x", ("a", "b", "c"), flip_order=(1, 2, 0))
    with pytest.raises(DataError, match="outside"):
        Scheme("x", ("a", "b"), edges=((0, 2),))
    for end in ("\r", "\n", "\0", "\u2028"):
        with pytest.raises(DataError, match="control character in its name"):
            Scheme("x", (f"left{end}eye", "b"))


def test_faces() -> None:
    none = Faces.empty(FKP4)
    assert len(none) == 0
    assert none.points.shape == (0, 4, 2)
    with pytest.raises(ValueError, match="points"):
        Faces(FKP4, none.boxes, none.scores, np.zeros((0, 5, 2), np.float32), none.confidence)


def test_confidence_is_a_probability() -> None:
    scale = np.array([[1.0, 4.0, np.nan]], np.float32)
    seen = np.array([[np.nan, 1.0, 1.0]], np.float32)
    said = Prediction(np.zeros((1, 3, 2), np.float32), scale, np.ones(1, np.float32), seen)
    confidence = said.confidence(RADIUS_90)
    assert confidence[0, 0] == pytest.approx(0.9, abs=1e-4)
    assert 0 < confidence[0, 1] < 0.5
    assert np.isnan(confidence[0, 2])
    hidden = Prediction(said.points, scale, said.face, np.full((1, 3), 0.5, np.float32))
    assert hidden.confidence(RADIUS_90)[0, 0] == pytest.approx(0.45, abs=1e-4)


def three() -> Faces:
    """Three faces of four points, numbered as in a clip; the second has no mouth."""
    rng = np.random.default_rng(0)
    boxes = np.array([[10, 20, 30, 40], [60, 20, 30, 40], [110, 20, 30, 40]], np.float32)
    points = (boxes[:, None, :2] + rng.uniform(5, 25, (3, 4, 2))).astype(np.float32)
    points[1, 3] = np.nan
    scores = np.array([0.9, 0.5, 0.7], np.float32)
    return Faces(FKP4, boxes, scores, points, np.full((3, 4), 0.8, np.float32)).numbered([4, 7, 5])


def test_faces_are_counted_iterated_and_selected() -> None:
    faces = three()
    assert len(faces) == 3
    assert [face.number for face in faces] == [4, 7, 5]
    second = faces[1]
    assert (second.score, second.box.tolist()) == (0.5, [60, 20, 30, 40])
    assert np.array_equal(second.point("nose_tip"), faces.points[1, 2])
    for rows, numbers in (
        (slice(1, None), [7, 5]), (faces.scores > 0.6, [4, 5]), ([2, 0], [5, 4]), ([], []),
        (np.array([1]), [7]), (faces.scores > 1, []),
    ):  # fmt: skip
        some = faces[rows]
        assert some.numbers is not None
        assert some.numbers.tolist() == numbers
        assert len(some.points) == len(some.confidence) == len(numbers)
    assert faces[-1].number == 5
    with pytest.raises(IndexError):
        faces[3]
    assert repr(faces) == "<Faces: 3 faces, 4 points each (fkp4)>"
    assert repr(second) == "<Face: number 7, 30x40 at (60, 20), score 0.50, 4 points (fkp4)>"
    assert Faces.empty(FKP4)[:0].numbers is None


def test_faces_are_drawn() -> None:
    faces = three()
    blank = np.zeros((80, 160), np.uint8)
    drawn = faces.draw(blank)
    assert drawn.shape == (80, 160, 3)
    assert not blank.any()
    x, y = faces.points[0, 2].round().astype(int)
    assert drawn[y, x].max() > 100
    without = faces.draw(blank, boxes=False)
    assert without[20, 15:35].max() == 0 < drawn[20, 15:35].max()
    # Without a picture, a blank one that holds them all; a notebook shows a small copy.
    assert faces.draw().shape[:2] == (64, 140)
    wide = faces.scaled(40)
    shown = cv2.imdecode(np.frombuffer(wide._repr_jpeg_(), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert max(shown.shape[:2]) == 800
    with pytest.raises(ImageError, match="no such file"):
        faces.draw("nothing.png")


def test_faces_as_a_table() -> None:
    table = three().to_frame(confidence=True)
    assert list(table.columns) == [
        "face", "score", "box_x", "box_y", "box_w", "box_h", *FKP4.columns,
        *(f"{name}_confidence" for name in FKP4.names), "rotation", "confidence",
    ]  # fmt: skip
    assert list(table["face"]) == [4, 7, 5]
    assert table["mouth_center_bottom_lip_x"].isna().tolist() == [False, True, False]
    assert Faces.empty(FKP4).to_frame().empty


def test_the_radius_is_that_of_the_distribution() -> None:
    assert pytest.approx(gamma.ppf(0.9, 2), abs=5e-5) == RADIUS_90
