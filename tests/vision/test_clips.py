"""Clips of unusual kinds: several streams, pictures, animated WebP, odd clocks, what is no file."""

import os
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from fkp.errors import ImageError, NoPicturesError
from fkp.vision.frames import Frame
from fkp.vision.sources import Opening
from fkp.vision.video import Clip
from tests.helpers import STEADY, encode


def read(path: Path | str, opening: Opening | None = None) -> tuple[list[Frame], list[str]]:
    with Clip(path, opening) as clip:
        return list(clip.frames()), clip.notes


def test_of_several_streams_the_largest(tmp_path: Path) -> None:
    path = tmp_path / "two.mkv"
    with av.open(str(path), "w") as out:
        for size in ((64, 48), (96, 64), (32, 24)):
            stream = out.add_stream("ffv1", rate=25)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = *size, "gray"
        for stream in out.streams.video:
            image = np.zeros((stream.height, stream.width), np.uint8)
            for pts in range(3):
                frame = av.VideoFrame.from_ndarray(image, format="gray")
                frame.pts = pts
                out.mux(stream.encode(frame))
            out.mux(stream.encode(None))
    found, (note,) = read(path)
    assert {frame.gray().shape for frame in found} == {(64, 96)}
    assert "3 video streams" in note
    assert "1 (96 x 64)" in note
    found, notes = read(path, Opening(stream=2))
    assert {frame.gray().shape for frame in found} == {(24, 32)}
    assert notes == []
    with pytest.raises(NoPicturesError, match=r"no video stream 3; the file has 0 \(64 x 48\)"):
        read(path, Opening(stream=3))


def test_animated_webp(tmp_path: Path) -> None:
    pictures = [Pillow.new("RGB", (40, 30), (60 * i, 10, 10)) for i in range(4)]
    path = tmp_path / "a.webp"
    durations = [100, 250, 40, 100]
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=durations, lossless=True
    )
    found, notes = read(path)
    assert [frame.time for frame in found] == [0, 0.1, 0.35, 0.39]
    assert [int(frame.bgr()[5, 5, 2]) for frame in found] == [0, 60, 120, 180]
    assert notes == []
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(NoPicturesError, match="WebP"):
        read(path)


def test_pictures_are_a_clip(tmp_path: Path) -> None:
    for number in (1, 2, 3, 10, 11):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((20, 30, 3), 20 * number, np.uint8))
    (tmp_path / "f3.png").write_text("damaged")
    for source in (tmp_path, tmp_path / "f%d.png", tmp_path / "f*.png"):
        found, (missing,) = read(source, Opening(fps=10))
        assert [frame.time for frame in found] == [0, 0.1, 0.2, 0.3, 0.4]
        assert [int(found[i].gray()[0, 0]) for i in (0, 1, 3, 4)] == [20, 40, 200, 220]
        with pytest.raises(ImageError):
            found[2].gray()
        assert "6 numbers are missing" in missing
    _, notes = read(tmp_path / "f%d.png")
    assert any("25 per second is assumed" in note for note in notes)


def test_recordings_that_were_joined(tmp_path: Path) -> None:
    one = encode(tmp_path / "one.ts", STEADY).read_bytes()
    (tmp_path / "twice.ts").write_bytes(one + one)
    found, notes = read(tmp_path / "twice.ts")
    assert [frame.index for frame in found] == list(range(48))
    assert np.allclose(np.diff([frame.time for frame in found]), 0.04, atol=1e-3)
    assert np.diff([frame.timestamp for frame in found]).min() < -0.5
    assert any("timestamps jump" in note for note in notes)


def test_what_is_not_a_file_never_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(NoPicturesError, match="not a regular file"):
        read(tmp_path / "pipe.mp4")
    with pytest.raises(NoPicturesError, match="no pictures found"):
        read(tmp_path / "folder.mp4")
    with pytest.raises(NoPicturesError, match="not a regular file"):
        read("/dev/zero")


def test_a_camera_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoPicturesError, match="camera 97 cannot be opened"):
        read("97")


def test_the_clock_of_a_clip_may_begin_late(tmp_path: Path) -> None:
    path = encode(tmp_path / "late.ts", [12_000 + t for t in STEADY])
    with Clip(path) as clip:
        found = list(clip.frames())
    assert found[0].timestamp == pytest.approx(12, abs=1.5)
    assert np.allclose([f.time for f in found], np.array(STEADY) / 1000, atol=1e-3)
    assert np.allclose([f.timestamp - f.time for f in found], found[0].timestamp, atol=1e-6)
