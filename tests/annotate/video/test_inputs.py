"""Which clips a run is about, and what is told of the rest."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.annotate.video.inputs import absent, find_clips
from fkp.errors import DataError, UsageError
from tests.annotate.video.test_clips import video
from tests.helpers import encode

__all__ = ["video"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders with clips, pictures and other files."""
    monkeypatch.chdir(tmp_path)
    for name in ("in/a.mp4", "in/b/c.mkv", "in/notes.txt", "in/b/x.TXT", "in/.hidden", "in/README",
                 "frames/f1.png", "frames/f2.png", "more/one/1.jpg", "more/two/1.jpg"):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_clips_and_pictures_that_are_frames(tree: Path) -> None:
    found = find_clips(["in"], None, None)
    assert found.paths == ("in/a.mp4", "in/b/c.mkv")
    assert found.skipped == 3
    assert find_clips(["frames/f%d.png"], None, None).paths == ("frames/f%d.png",)
    assert find_clips(["frames/*.png"], None, 25).paths == ("frames/*.png",)
    assert find_clips(["frames/f1.png", "frames/f2.png"], None, 25).paths == ("frames/*.png",)
    assert find_clips(["frames"], None, 25).paths == ("frames",)
    apart = find_clips(["frames/*.png"], None, None)
    assert apart.paths == ("frames/f1.png", "frames/f2.png")
    (note,) = apart.notes
    assert note.startswith("2 pictures are taken as separate clips")
    assert find_clips(["more", "in"], None, 25).paths == (
        "more/one", "more/two", "in/a.mp4", "in/b/c.mkv",
    )  # fmt: skip
    with pytest.raises(DataError, match="give the frame rate"):
        find_clips(["frames"], None, None)
    with pytest.raises(UsageError, match="fps applies only"):
        find_clips(["in/a.mp4"], None, 25)
    with pytest.raises(UsageError, match="in quotes"):
        find_clips(["frames/f1.png"], None, 25)


def test_what_is_not_there() -> None:
    assert absent("gone.mp4") == "no such file or directory"
    assert absent("http://host/a.mp4") is None
    assert absent("f_%d.png") is None
    assert absent("97") == "there is no camera /dev/video97"


def test_a_name_that_is_mistyped_leaves_nothing(
    tmp_path: Path, video: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    encode(tmp_path / "a.mp4", [0, 40])
    capsys.readouterr()
    assert video("b.mp4") == 3
    assert video("97") == 3
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]
    assert video("b.mp4", "a.mp4", "--out", "out", "--no-overlays") == 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    said = capsys.readouterr().err
    assert said.count("unreadable: b.mp4: no such file or directory") == 2
    assert "there is no camera /dev/video97" in said


def test_skipped_files_are_told_by_ending(
    tree: Path, video: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    assert video("in", "--out", "out", "--no-overlays") == 3
    said = capsys.readouterr().out
    assert "skipped 3 files that are not clips: .txt 2, no extension 1" in said


def test_passwords_of_addresses_are_nowhere(
    tmp_path: Path, video: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    address = "http://me:s3cret@127.0.0.1:9/clip.mp4?token=t0ken"
    assert video(address, "--out", "out") == 3
    assert video(address, "--out", "-") == 3
    said = capsys.readouterr()
    assert "unreadable: http://me:***@127.0.0.1:9/clip.mp4?token=***: " in said.err
    written = [path.read_text() for path in (tmp_path / "out").iterdir()]
    assert sum("me:***@" in text for text in written) >= 3  # table, run.json, page
    for text in (said.out, said.err, *written):
        assert "s3cret" not in text
        assert "t0ken" not in text


def test_pictures_as_a_clip(tmp_path: Path, video: Callable[..., int]) -> None:
    (tmp_path / "frames").mkdir()
    for i in range(6):
        picture = np.full((48, 64, 3), 30 * i, np.uint8)
        cv2.imwrite(str(tmp_path / "frames" / f"{i}.png"), picture)
    assert video("frames", "--fps", 12.5) == 0
    table = pd.read_csv("results/frames/keypoints.csv")
    assert list(table["time"]) == [0, 0.08, 0.16, 0.24, 0.32, 0.4]
    assert set(table["image"]) == {"frames"}
    assert (tmp_path / "results/frames/overlay.mp4").exists()
    assert video("frames/%d.png", "--fps", 25, "--out", "out", "--start", 0.1) == 0
    assert list(pd.read_csv("out/keypoints.csv")["time"]) == [0.12, 0.16, 0.2]
