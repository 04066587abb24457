"""Labels that are plainly wrong as a whole are not accepted in silence."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fkp.errors import LabelError, UndecidedError
from fkp.keypoints import FKP4
from fkp.labels.prepare import PrepareConfig, PrepareReport, prepare
from fkp.labels.table import ReadOptions
from tests.helpers import faces, fkp, label_frame, write_pictures
from tests.labels.examples import picture_names

COUNT = 12
SIDE = 128


@pytest.fixture
def points(tmp_path: Path) -> np.ndarray:
    return write_pictures(tmp_path, COUNT)


def run(tmp_path: Path, points: np.ndarray, **options: Any) -> PrepareReport:
    frame = label_frame(points, FKP4)
    frame.insert(0, "image", picture_names(COUNT))
    frame.to_csv(tmp_path / "labels.csv", index=False)
    config = PrepareConfig(
        (tmp_path / "labels.csv",), tmp_path / "data.csv", crop="none", size=SIDE, val=0, test=0,
        read=ReadOptions(**options),
    )  # fmt: skip
    return prepare(config, lambda done, total: None)


def settings(error: UndecidedError) -> set[str]:
    return {setting.option for setting in error.settings}


@pytest.mark.parametrize("units", ["fraction", "percent", "signed"])
def test_shares_of_the_picture(tmp_path: Path, points: np.ndarray, units: str) -> None:
    scaled = {
        "fraction": points / SIDE, "percent": 100 * points / SIDE, "signed": 2 * points / SIDE - 1,
    }[units]  # fmt: skip
    if units == "signed":
        with pytest.raises(UndecidedError, match="from -1 at one edge of the picture") as caught:
            run(tmp_path, scaled)
        assert "--units signed" in settings(caught.value)
    samples = run(tmp_path, scaled, units=units).samples
    np.testing.assert_allclose(samples.points, points, atol=1e-3)


def test_fractions_with_a_point_outside(tmp_path: Path, points: np.ndarray) -> None:
    shares = points / SIDE
    shares[3, 2] = [1.03, -0.02]
    assert "fractions of width and height" in " ".join(run(tmp_path, shares).notes)


def test_the_exit_code_says_that_a_person_is_needed(tmp_path: Path, points: np.ndarray) -> None:
    with pytest.raises(UndecidedError):
        run(tmp_path, 2 * points / SIDE - 1)
    done = fkp("prepare", "labels.csv", "-o", "d.csv", cwd=tmp_path)
    assert done.returncode == 3
    assert "--units signed (-1 to 1)" in done.stderr
    assert not (tmp_path / "d.csv").exists()
    arguments = ("--units", "signed", "--val", "0", "--test", "0", "--crop", "none")
    assert fkp("prepare", "labels.csv", *arguments, "-o", "d.csv", cwd=tmp_path).returncode == 0


def test_labels_without_their_mean(tmp_path: Path, points: np.ndarray) -> None:
    with pytest.raises(UndecidedError, match="standardised"):
        run(tmp_path, (points - points.mean()) / 15)


def test_per_cent_of_large_pictures(tmp_path: Path, points: np.ndarray) -> None:
    for name in picture_names(COUNT):
        cv2.imwrite(str(tmp_path / name), np.zeros((400, 500), np.uint8))
    with pytest.raises(UndecidedError, match="percentages") as caught:
        run(tmp_path, 100 * points / SIDE)
    assert settings(caught.value) == {"--units percent", "--units pixels"}
    assert len(run(tmp_path, 100 * points / SIDE, units="percent").samples) == COUNT


@pytest.mark.parametrize("digits", [1, 3])
def test_lost_decimal_points(tmp_path: Path, points: np.ndarray, digits: int) -> None:
    with pytest.raises(LabelError, match=f"divided by {10**digits} they would be inside"):
        run(tmp_path, (points * 10**digits).round())


def test_a_row_far_outside_is_left_out(tmp_path: Path, points: np.ndarray) -> None:
    points[2, 1, 0] *= 1000
    report = run(tmp_path, points)
    (rejected,) = report.rejected
    assert rejected.row == 4
    assert rejected.malformed
    assert "right_eye_center is at" in rejected.reason


@pytest.mark.parametrize("scale", [0.5, 2])
def test_pictures_of_another_size(tmp_path: Path, points: np.ndarray, scale: float) -> None:
    """Without sizes in the labels, copies are noticed where points lie outside, or in a corner."""
    side = round(SIDE * scale)
    for name, image in zip(picture_names(COUNT), faces(COUNT, side)[0], strict=True):
        cv2.imwrite(str(tmp_path / name), image)
    word = "outside the picture" if scale < 1 else "upper left quarter"
    with pytest.raises(LabelError, match=word):
        run(tmp_path, points)


def test_heaps(tmp_path: Path, points: np.ndarray) -> None:
    with pytest.raises(
        UndecidedError, match="in 12 of 12 rows, points are in the same place"
    ) as caught:
        run(tmp_path, points / SIDE + 50, units="pixels")
    assert "--units fraction" in settings(caught.value)


def test_the_viewer_s_sides(tmp_path: Path, points: np.ndarray) -> None:
    swapped = points[:, [1, 0, 2, 3]]
    with pytest.raises(UndecidedError, match="in 12 of 12 faces, the left eye is on the left"):
        run(tmp_path, swapped)
    np.testing.assert_allclose(
        run(tmp_path, swapped, sides="viewer").samples.points, points, atol=1e-3
    )
    kept = run(tmp_path, swapped, sides="subject").samples
    np.testing.assert_allclose(kept.points, swapped, atol=1e-3)
    few = points.copy()
    few[:3] = swapped[:3]
    assert (run(tmp_path, few).samples.flags != "").sum() == 3


def test_y_upwards(tmp_path: Path, points: np.ndarray) -> None:
    upwards = points.copy()
    upwards[..., 1] = SIDE - 1 - points[..., 1]
    with pytest.raises(UndecidedError, match="flipped vertically") as caught:
        run(tmp_path, upwards)
    assert "--origin bottom" in settings(caught.value)
    np.testing.assert_allclose(run(tmp_path, upwards, y_up=True).samples.points, points, atol=1e-3)
    assert len(run(tmp_path, upwards, y_up=False, sides="subject").samples) == COUNT


def test_x_and_y_exchanged(tmp_path: Path, points: np.ndarray) -> None:
    with pytest.raises(LabelError, match="x and y seem to be exchanged"):
        run(tmp_path, points[..., ::-1])


@pytest.mark.parametrize("origin", [0.5, 1.0])
def test_origins(tmp_path: Path, points: np.ndarray, origin: float) -> None:
    samples = run(tmp_path, points + origin, origin=origin).samples
    np.testing.assert_allclose(samples.points, points, atol=1e-3)
    shares = (points + origin) / SIDE
    samples = run(tmp_path, shares, origin=origin, units="fraction").samples
    np.testing.assert_allclose(samples.points, points, atol=1e-3)
