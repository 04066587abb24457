"""Blinks are found by a face's own usual opening, with their times."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fkp.annotate.outcome import Annotated, Moment
from fkp.annotate.video.blinks import find_blinks, write_blinks
from fkp.keypoints import IBUG68, Faces
from fkp.vision.eyes import CLOSED_SHARE
from tests.faces68 import BLINK, FRONTAL

RATE = 30


def openings(usual: float, shut: dict[int, float], count: int = 60) -> npt.NDArray[np.float64]:
    """Openings of frames, with shares of the usual one in some."""
    values = np.full(count, usual)
    for frame, share in shut.items():
        values[frame] = share * usual
    return values


@pytest.mark.parametrize("usual", [0.2, 0.4])
def test_a_blink_is_measured_by_the_person_s_own_opening(usual: float) -> None:
    times = np.arange(60) / RATE
    nearly = CLOSED_SHARE + 0.02
    (blink,) = find_blinks(times, openings(usual, {20: 0.4, 21: 0.1, 22: 0.4, 40: nearly}))
    assert blink.frames == 3
    assert blink.lowest == pytest.approx(0.1)
    # The share falls from 1 to 0.4 in a frame; it passes the threshold on the way.
    part = (1 - CLOSED_SHARE) / 0.6
    assert blink.start == pytest.approx((19 + part) / RATE)
    assert blink.end == pytest.approx((23 - part) / RATE)


def test_the_first_and_last_frames_and_gaps_bound_a_blink() -> None:
    times = np.arange(60) / RATE
    times[30:] += 2.0
    shut = {0: 0.1, 1: 0.1, 29: 0.1, 30: 0.1, 59: 0.1}
    blinks = find_blinks(times, openings(0.3, shut))
    assert [blink.frames for blink in blinks] == [2, 1, 1, 1]
    assert blinks[0].start == 0
    assert blinks[1].end == times[29]
    assert blinks[2].start == times[30]
    assert blinks[3].end == times[59]


def test_too_little_is_known_for_blinks() -> None:
    assert find_blinks(np.arange(9) / RATE, openings(0.3, {4: 0.1}, 9)) == []
    assert find_blinks(np.arange(0.0), np.arange(0.0)) == []
    assert find_blinks(np.arange(60) / RATE, np.full(60, np.nan)) == []
    holes = openings(0.3, {20: np.nan, 21: 0.1, 22: np.nan})
    (blink,) = find_blinks(np.arange(60) / RATE, holes)
    assert blink.frames == 1


def test_the_table_names_the_face(tmp_path: Path) -> None:
    records = []
    for i in range(40):
        points = np.stack([FRONTAL, FRONTAL + [200, 0] + BLINK * (i in (10, 11, 30))])
        faces = Faces(
            IBUG68,
            np.zeros((2, 4), np.float32),
            np.ones(2, np.float32),
            points.astype(np.float32),
            np.ones((2, 68), np.float32),
        )
        result = Annotated(faces, 640, 360, "", Moment(i, i / RATE), (3, 8), (False, False))
        records.append(("clip.mp4", result))
    write_blinks(tmp_path / "blinks.csv", records)
    table = pd.read_csv(tmp_path / "blinks.csv")
    assert table["face"].tolist() == [8, 8]
    assert table["frames"].tolist() == [2, 1]
    assert (table["end"] > table["start"]).all()
    assert table["lowest_share"].max() < 0.3
    assert table["usual_opening"].nunique() == 1
