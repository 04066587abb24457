"""Streams: stdin, frames that are dropped, Ctrl-C, and the page that shows the pictures."""

import json
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import av
import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.annotate.video.live import Live
from fkp.vision.frames import Frame
from fkp.vision.sources import is_live, is_stream
from tests.helpers import STEADY, encode, fkp, shown


def transport_stream(samples: Path, path: Path) -> bytes:
    """The sample clip as FFmpeg pipes it."""
    with av.open(str(samples / "clip.mp4")) as clip, av.open(str(path), "w") as out:
        moving = clip.streams.video[0]
        stream = out.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = moving.width, moving.height, "yuv420p"
        for frame in clip.decode(moving):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path.read_bytes()


def test_what_is_a_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [is_stream(name) for name in ("-", "0", "rtsp://a/b", "http://a/b.mp4")] == [True] * 4
    assert [is_live(name) for name in ("-", "0", "rtsp://a/b", "http://a/b.mp4")] == [
        False, True, True, False,
    ]  # fmt: skip
    assert not is_stream("clip.mp4")
    (tmp_path / "0").write_text("a file")
    assert not is_stream("0")


@pytest.mark.slow
def test_a_stream_on_stdin(tmp_path: Path, samples: Path) -> None:
    data = transport_stream(samples, tmp_path / "a.ts")
    done = fkp("video", "-", "--out", "out", cwd=tmp_path, data=data)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out" / "keypoints.csv").drop_duplicates("frame")
    assert list(table["frame"]) == list(range(120))
    assert np.allclose(np.diff(table["timestamp"]), 0.04, atol=1e-6)
    assert set(table["status"]) == {"ok"}
    # The stream's clock may begin anywhere; the overlay begins at 0.
    assert np.allclose(shown(tmp_path / "out" / "overlay.mp4"), np.arange(120) / 25, atol=1e-4)
    done = fkp("video", "-", "--out", "-", cwd=tmp_path, data=b"no video")
    assert done.returncode == 3
    assert "unreadable: -: invalid data" in done.stderr


def test_frames_are_dropped_and_counted() -> None:
    live, came, taken = Live(), list[int](), list[int]()

    def camera() -> Iterator[Frame]:
        for i in range(40):
            came.append(i)
            yield Frame(i, i, i / 200, i / 200, "", None)
            while len(came) >= 4 * (len(taken) + 1) and i < 39:
                time.sleep(0.001)

    with live.newest(camera()) as frames:
        for frame in frames:
            while len(came) < min(40, 4 * (len(taken) + 1)):  # four come while one is worked on
                time.sleep(0.001)
            taken.append(frame.index)
            live.told(frame)
    assert taken == sorted(set(taken))
    assert taken[-1] == 39
    assert live.done == len(taken)
    assert live.dropped == 40 - len(taken) > 10
    median, high = live.latency()
    assert 0 < median <= high


def test_a_camera_that_fails_says_so() -> None:
    def broken() -> Iterator[Frame]:
        yield Frame(0, 0, 0.0, 0.0, "", None)
        raise ValueError("unplugged")

    with Live().newest(broken()) as frames, pytest.raises(ValueError, match="unplugged"):
        list(frames)


def test_a_file_plays_at_its_speed(tmp_path: Path) -> None:
    encode(tmp_path / "a.mp4", STEADY)
    done = fkp("video", "a.mp4", "--live", "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    facts = json.loads((tmp_path / "out" / "run.json").read_text())
    rows = len(pd.read_csv(tmp_path / "out" / "keypoints.csv"))
    assert rows + facts["dropped"] == 24
    assert facts["seconds"]["total"] > 0.9
    assert f"{facts['dropped']} frames dropped" in done.stdout


def lines(stream: IO[str], into: list[str]) -> threading.Thread:
    """Read a pipe in the background, lest it fill up."""
    thread = threading.Thread(target=lambda: into.extend(stream), daemon=True)
    thread.start()
    return thread


def wait_for(text: str, said: list[str]) -> str:
    """The line with `text`, soon."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        for line in list(said):
            if text in line:
                return line
        time.sleep(0.02)
    raise AssertionError(f"no {text} in {said}")


@pytest.mark.slow
def test_ctrl_c_ends_a_live_run_with_whole_results(tmp_path: Path, samples: Path) -> None:
    said: list[str] = []
    out, stream = tmp_path / "out", tmp_path / "a.ts"
    transport_stream(samples, stream)
    # A pipe that falls silent, but is not closed.
    feeder = subprocess.Popen(
        ["sh", "-c", f"cat '{stream}'; exec sleep 60"], stdout=subprocess.PIPE
    )
    command = [sys.executable, "-m", "fkp", "video", "-", "--live", "--view"]
    with subprocess.Popen(
        [*command, "--out", str(out), "--also", "dlc"], stdin=feeder.stdout,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    ) as run:  # fmt: skip
        assert run.stdout is not None
        reader = lines(run.stdout, said)
        address = wait_for("http://127.0.0.1:", said).split()[-1]
        until = time.monotonic() + 20
        while first_picture(address) is None and time.monotonic() < until:
            time.sleep(0.05)
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=20) == 0, said
        reader.join()
    feeder.kill()
    feeder.communicate()
    table = pd.read_csv(out / "keypoints.csv")
    assert 0 < len(table) < 120
    assert len(shown(out / "overlay.mp4")) == len(table)
    assert (out / "dlc.csv").exists()
    assert json.loads((out / "run.json").read_text())["frames"] == len(table)


def first_picture(address: str) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None":
    """What the page's picture shows first."""
    with urllib.request.urlopen(address + "pictures", timeout=10) as answer:
        assert answer.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        length = None
        while line := answer.readline():
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
            elif line in (b"\r\n", b"\n") and length is not None:
                data = np.frombuffer(answer.read(length), np.uint8)
                picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
                return None if picture is None else np.asarray(picture, np.uint8)
    return None


@pytest.mark.slow
def test_the_page_shows_pictures_also_when_loaded_again(tmp_path: Path, samples: Path) -> None:
    said: list[str] = []
    command = [sys.executable, "-m", "fkp", "video", str(samples / "clip.mp4"), "--live", "--view"]
    with subprocess.Popen(
        [*command, "--out", "-"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert run.stderr is not None
        lines(run.stderr, said)
        address = wait_for("http://127.0.0.1:", said).split()[-1]
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", address)
        assert (picture := first_picture(address)) is not None  # the first one may take a while
        for _ in range(2):
            picture = first_picture(address)
            assert picture is not None
            assert picture.shape == (360, 640, 3)
            assert picture.std() > 20
        with urllib.request.urlopen(address) as answer:
            assert b"<img" in answer.read()
        with urllib.request.urlopen(address + "facts") as answer:
            assert json.load(answer)["frames"] > 0
        root = address[: address.index("/", 8)]
        for wrong in (root + "/", root + "/wrong/pictures", address + "../x", address + "other"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(wrong)
        assert run.wait(timeout=30) == 0
