"""Every frame of a video with its true time, whatever the file is like."""

import json
import shutil
import subprocess
from pathlib import Path

import av
import numpy as np
import pytest

from fkp.errors import ImageError
from fkp.vision.video import Clip, look_through
from tests.helpers import CHANGING, CLIPS, STEADY, encode, fkp, frames


def ffprobe(path: Path) -> list[float]:
    """The times of the frames as FFmpeg's own tool has them."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_frames", "-show_entries",
         "frame=best_effort_timestamp_time", "-of", "json", str(path)],
        capture_output=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout or b"{}").get("frames", [])
    return [float(frame["best_effort_timestamp_time"]) for frame in found]


@pytest.mark.parametrize("name", CLIPS)
def test_every_frame_with_its_time(tmp_path: Path, name: str) -> None:
    path = CLIPS[name](tmp_path / name)
    with Clip(path) as clip:
        times, levels = [], []
        for frame in clip.frames():
            assert frame.problem == ""
            image = frame.bgr()
            times.append(frame.timestamp)
            levels.append(float(image[image.shape[0] // 2 :].mean()))
            assert image[: image.shape[0] // 6, : image.shape[1] // 6].mean() > 200
    wanted = CHANGING if name.startswith("changing") else STEADY
    start = 3.5 if name == "late.ts" else 0.0
    shift = times[0] - start  # a transport stream begins a little later
    assert abs(shift) < 2
    assert len(times) == len(wanted)
    step = 0.0006 if name != "pictures.avi" else 0.04
    assert np.abs(np.array(times) - shift - start - np.array(wanted) / 1000).max() < step
    assert np.all(np.diff(levels) > 0)  # in the order in which they are shown
    if shutil.which("ffprobe"):
        probed = ffprobe(path)
        assert len(probed) == len(times)
        assert np.abs(np.array(probed) - times).max() < 1e-5


def test_what_a_clip_is(tmp_path: Path) -> None:
    facts = look_through(CLIPS["changing.mkv"](tmp_path / "c.mkv"))
    assert (facts.width, facts.height, facts.codec) == (64, 48, "h264")
    assert (facts.frames, facts.broken) == (10, 0)
    assert (facts.first, facts.last) == (0, 1.52)
    assert not facts.steady
    assert not facts.sound
    facts = look_through(CLIPS["sound.mp4"](tmp_path / "s.mp4"))
    assert facts.steady
    assert facts.sound
    assert facts.notes == ()


def test_a_clip_that_is_turned(tmp_path: Path, samples: Path) -> None:
    path = encode(tmp_path / "flat.mp4", STEADY)
    turned = tmp_path / "turned.mp4"
    # The display matrix in the track header: a quarter turn, as phones write it.
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4 + 4 + 20 + 8 + 8
    identity = data[at : at + 36]
    assert identity[:4] == (1 << 16).to_bytes(4, "big")
    matrix = [0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30]
    data[at : at + 36] = b"".join(v.to_bytes(4, "big", signed=True) for v in matrix)
    turned.write_bytes(data)
    (first, *_) = frames(turned)
    image = first.bgr()
    assert image.shape == (64, 48, 3)
    # A quarter turn clockwise takes the mark from the upper left to the upper right.
    assert image[:10, -8:].mean() > 200
    assert image[:10, :8].mean() < 100
    facts = look_through(turned)
    assert (facts.width, facts.height) == (48, 64)
    assert facts.turned


def test_a_clip_that_is_broken_or_cut_off(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.mkv", [40 * i for i in range(60)], options={"g": "10"})
    data = path.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: int(0.6 * len(data))])
    facts = look_through(cut)
    assert 10 < facts.frames < 60
    stream = encode(
        tmp_path / "a.avi", STEADY, "mjpeg", pixels="yuvj420p", size=(128, 96)
    ).read_bytes()
    broken = tmp_path / "broken.avi"
    starts = [i for i in range(len(stream)) if stream.startswith(b"\xff\xd8\xff", i)]
    assert len(starts) == 24
    spoilt = bytearray(stream)
    spoilt[starts[7] : starts[7] + 700] = bytes(700)
    broken.write_bytes(spoilt)
    found = frames(broken)
    assert len(found) == 24
    assert [frame.index for frame in found] == list(range(24))
    problems = [frame.index for frame in found if frame.problem]
    assert problems == [7]
    assert found[7].time == pytest.approx(found[6].time + 1 / 30, abs=0.02)


def test_what_is_no_video_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.m4a"), "w") as out:
        audio = out.add_stream("aac", rate=8000)
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        silence.sample_rate = 8000
        out.mux(audio.encode(silence))
        out.mux(audio.encode(None))
    whole = encode(tmp_path / "whole.mp4", STEADY).read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video " * 500)
    for name, reason in (
        ("a.m4a", "no video stream: audio in it"),
        ("headless.mp4", "invalid data"),
        ("empty.mp4", "invalid data"),
        ("text.mp4", "invalid data"),
        ("gone.mp4", "no such file"),
    ):
        with pytest.raises(ImageError, match=reason):
            look_through(tmp_path / name)
    done = fkp("info", "text.mp4", cwd=tmp_path)
    assert done.returncode == 1
    assert "text.mp4: invalid data" in done.stderr


def test_the_sample_clip(samples: Path) -> None:
    done = fkp("info", samples / "clip.mp4", cwd=samples)
    assert done.returncode == 0, done.stderr
    assert "clip.mp4: a video, 640 x 360, h264" in done.stdout
    assert "120 frames from 0.000 to 4.760 s: 25.000 per second, evenly" in done.stdout
