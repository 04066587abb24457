"""`fkp video`: every frame in the table, the overlay with the clip's times, whatever the clip."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import click
import numpy as np
import pandas as pd
import pytest
import torch

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.text import TABLES
from fkp.cli.main import cli
from fkp.errors import FkpError, UsageError
from fkp.keypoints import IBUG68
from fkp.vision.head import Camera
from fkp.vision.measures import MEASURES
from fkp.vision.video import Clip
from tests.helpers import CLIPS, STEADY, contents, encode, fkp, long_clip, shown

Video = Callable[..., int]


@pytest.fixture
def video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Video]:
    """`fkp video` in this process and an empty folder; the exit code."""
    monkeypatch.chdir(tmp_path)
    threads = torch.get_num_threads()
    yield lambda *words: int(cli.main(["video", *map(str, words)], standalone_mode=False) or 0)
    torch.set_num_threads(threads)


def test_the_sample_clip(tmp_path: Path, samples: Path, video: Video) -> None:
    assert video(samples / "clip.mp4", "--raw", "--also", "openface", "--series", "s.png") == 0
    out = tmp_path / "results" / "clip"
    table = pd.read_csv(out / "keypoints.csv")
    # Two persons, in two scenes each: a cut to the same person does not change the number.
    assert list(table["frame"]) == list(range(120))
    assert np.allclose(table["timestamp"], np.arange(120) / 25, atol=1e-6)
    assert np.allclose(table["time"], table["timestamp"])
    assert list(table["face"]) == [0] * 60 + [1] * 60
    assert set(table["status"]) == {"ok"}
    raw = pd.read_csv(out / "raw.csv")
    assert list(raw.columns) == list(table.columns)
    moved = np.abs(raw[IBUG68.columns].to_numpy() - table[IBUG68.columns].to_numpy())
    assert 0 < np.median(moved) < 0.5 < moved.max()
    assert np.allclose(shown(out / "overlay.mp4"), np.arange(120) / 25)
    assert (out / "overlay.mp4").stat().st_size < 1.5 * (samples / "clip.mp4").stat().st_size
    openface = pd.read_csv(out / "openface.csv", skipinitialspace=True)
    assert list(openface["face_id"]) == list(table["face"])
    assert np.allclose(openface["timestamp"], table["timestamp"])
    assert set(openface["success"]) == {1}
    with pytest.raises(FkpError, match=r"1 person\(s\) cannot be split"):  # the clip's
        cli.main(["prepare", str(out / "keypoints.csv"), "-o", "data.csv"], standalone_mode=False)
    assert (tmp_path / "s.png").read_bytes().startswith(b"\x89PNG")
    facts = json.loads((out / "run.json").read_text())
    assert facts["statuses"] == {"ok": 120}
    assert not (out / ".parts").exists()
    page = (out / "index.html").read_text()
    assert "overlay.mp4" in page
    with pytest.raises(FkpError, match="holds results"):
        video(samples / "clip.mp4")
    assert video(samples / "clip.mp4", "--resume") == 0


@pytest.mark.parametrize("name", CLIPS)
def test_the_overlay_has_the_times_of_the_clip(tmp_path: Path, name: str, video: Video) -> None:
    path = CLIPS[name](tmp_path / name)
    assert video(path, "--out", "out") == 0
    table = pd.read_csv(tmp_path / "out" / "keypoints.csv")
    times = shown(path)
    assert np.allclose(table["time"], times, atol=1e-6)
    with Clip(path) as clip:
        stamps = [frame.timestamp for frame in clip.frames()]
    assert np.allclose(table["timestamp"], stamps, atol=1e-6)
    assert set(table["status"]) == {"no_face"}
    overlay = tmp_path / "out" / "overlay.mp4"
    assert np.allclose(shown(overlay), times, atol=1e-4)
    with Clip(overlay) as clip:
        assert next(clip.frames()).timestamp == 0
    with av.open(str(overlay)) as film:
        picture = film.streams.video[0]
        assert (picture.codec_context.name, picture.format.name) == ("h264", "yuv420p")
        assert (picture.width, picture.height) == ((66, 50) if name == "odd.mp4" else (64, 48))
        assert bool(film.streams.audio) == (name == "sound.mp4")
    boxes = overlay.read_bytes()
    assert boxes.index(b"moov") < boxes.index(b"mdat")  # plays before all of it is there


def test_the_sound_is_the_clip_s(tmp_path: Path, video: Video) -> None:
    path = encode(tmp_path / "a.mp4", STEADY, sound=True)
    assert video(path, "--out", "out") == 0

    def sound(clip: Path) -> list[bytes]:
        with av.open(str(clip)) as container:
            return [bytes(p) for p in container.demux(audio=0) if p.size]

    assert sound(path) == sound(tmp_path / "out" / "overlay.mp4")


def test_frames_that_are_wanted(tmp_path: Path, samples: Path, video: Video) -> None:
    clip = samples / "clip.mp4"
    for options, wanted in (
        (("--every", 5), range(0, 120, 5)),
        (("--start", "0:01", "--end", "1.5"), range(25, 38)),
        (("--start", 2, "--max-frames", 4), range(50, 54)),
    ):
        assert video(clip, "--out", "out", "--overwrite", "--no-overlays", *options) == 0
        table = pd.read_csv(tmp_path / "out" / "keypoints.csv")
        assert list(dict.fromkeys(table["frame"])) == list(wanted)
        assert set(table["status"]) == {"ok"}
        assert not (tmp_path / "out" / "overlay.mp4").exists()


def test_rows_can_be_read_again(tmp_path: Path, samples: Path, video: Video) -> None:
    clip = samples / "clip.mp4"
    few = ("--max-frames", 6, "--no-overlays", "--measures", "--confidence", "--overwrite")
    read = {}
    for format in ("csv", "jsonl", "parquet"):
        assert video(clip, "--out", "out", "--format", format, *few) == 0
        path = tmp_path / "out" / f"keypoints.{format}"
        if format == "parquet":
            table = pd.read_parquet(path)
            assert list(table["frame"]) == list(range(6))
            assert table["yaw"].abs().max() < 30
            continue
        read[format] = list(TABLES[format](IBUG68, True, Camera()).read(path))
    for (name, one), (_, other) in zip(read["csv"], read["jsonl"], strict=True):
        assert name == str(clip)
        assert isinstance(one, Annotated)
        assert isinstance(other, Annotated)
        assert one.moment == other.moment
        assert one.numbers == other.numbers == (0,)
        assert np.array_equal(one.faces.points, other.faces.points)
        assert np.array_equal(one.faces.confidence, other.faces.confidence)
    for i, (_, one) in enumerate(read["csv"]):
        assert isinstance(one, Annotated)
        assert one.moment is not None
        assert one.moment.frame == i
    with pytest.raises(FkpError, match="68 points"):
        video(clip, "--out", "other", "--measures", "--scheme", "fkp4")


def test_measures_are_columns(
    samples: Path, video: Video, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    away = []
    for lens in ((), ("--fov", 20)):
        few = ("--measures", "--max-frames", 2, *lens)
        assert video(samples / "clip.mp4", "--out", "-", *few) == 0
        header, *rows = capsys.readouterr().out.splitlines()
        names = header.split(",")
        assert names[-len(MEASURES) - 1 : -1] == list(MEASURES)
        assert len(rows) == 2
        for row in rows:
            cells = dict(zip(names, row.split(","), strict=True))
            assert 0.15 < float(cells["left_eye_opening"]) < 0.5
            assert abs(float(cells["roll"])) < 15
        away.append(float(cells["head_z_mm"]))
    assert away[1] == pytest.approx(away[0] * 0.5 / np.tan(np.radians(10)), rel=0.1)


@pytest.mark.parametrize("lens", [("--fov", 60), ("--measures", "--fov", 60, "--focal", 500)])
def test_a_lens_that_makes_no_sense_is_refused(
    samples: Path, video: Video, lens: tuple[object, ...]
) -> None:
    with pytest.raises(UsageError, match="angle of view"):
        video(samples / "clip.mp4", "--out", "-", *lens)


def test_broken_frames_and_clips_are_rows(
    tmp_path: Path, video: Video, capsys: pytest.CaptureFixture[str]
) -> None:
    stream = encode(
        tmp_path / "a.avi", STEADY, "mjpeg", pixels="yuvj420p", size=(128, 96)
    ).read_bytes()
    starts = [i for i in range(len(stream)) if stream.startswith(b"\xff\xd8\xff", i)]
    spoilt = bytearray(stream)
    spoilt[starts[7] : starts[7] + 700] = bytes(700)
    (tmp_path / "a.avi").write_bytes(spoilt)
    assert video("a.avi") == 3
    table = pd.read_csv("results/a/keypoints.csv")
    assert list(table["status"]) == ["no_face"] * 7 + ["unreadable"] + ["no_face"] * 16
    assert table["reason"][7]
    assert len(shown(tmp_path / "results/a/overlay.mp4")) == 23
    whole = encode(tmp_path / "cut.mkv", STEADY, "mjpeg", pixels="yuvj420p").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    encode(tmp_path / "sound.mp4", [0], sound=True)
    (tmp_path / "text.mp4").write_text("no clip")
    (tmp_path / "empty.mp4").write_bytes(b"")
    capsys.readouterr()
    assert video("cut.mkv", "text.mp4", "empty.mp4", "--out", "many") == 3
    assert 0 < len(pd.read_csv("many/cut/keypoints.csv")) < 24
    for name in ("text", "empty"):
        (row,) = pd.read_csv(f"many/{name}/keypoints.csv").to_dict("records")
        assert (row["status"], row["reason"]) == (
            "unreadable", "invalid data found when processing input",
        )  # fmt: skip
        assert not Path(f"many/{name}/overlay.mp4").exists()
    assert "unreadable: text.mp4: invalid data" in capsys.readouterr().err
    assert video("a.avi", "--start", 100, "--out", "late") == 3
    assert "has no frame from 100 s on" in capsys.readouterr().err


def test_folders_of_clips(tmp_path: Path, video: Video) -> None:
    for name in ("in/a.mp4", "in/b/a.mkv", "in/b/c.mp4", "in/b/c.mkv"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        encode(tmp_path / name, STEADY[:3])
    (tmp_path / "in" / "notes.txt").write_text("no clip")
    assert video("in", "--out", "out", "--no-overlays") == 0
    found = sorted(str(p.relative_to("out")) for p in Path("out").rglob("keypoints.csv"))
    folders = ["a", "b/a", "b/c.mkv", "b/c.mp4"]
    assert found == [f"{name}/keypoints.csv" for name in folders]
    with pytest.raises(FkpError, match="share this folder"):
        video("in/a.mp4", "in/a.mp4", "--out", "twice")
    (tmp_path / "none").mkdir()
    with pytest.raises(FkpError, match="no clips"):
        video("none")


def test_options_that_contradict_each_other(samples: Path, tmp_path: Path, video: Video) -> None:
    clip = samples / "clip.mp4"
    for options, said in (
        (("--resume", "--overwrite"), "cannot be combined"),
        (("--out", "-", "--raw"), "need a folder"),
        (("--also", "coco"), "lists picture files"),
        (("--start", "3", "--end", "1"), "is after"),
        (("--start", "soon"), "expected seconds"),
        (("--live", "--fill", "3"), "needs later frames"),
        (("--live", "--resume"), "cannot be resumed"),
        ((clip, "--live"), "give one input"),
        ((clip, "--series", "s.png"), "draws one clip"),
    ):
        with pytest.raises((click.UsageError, UsageError), match=said):
            video(clip, *options)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_who_has_seen_enough(samples: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "fkp", "video", str(samples / "clip.mp4"), "--out", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline().startswith(b"image,frame")
        run.stdout.close()
        assert b"Traceback" not in run.stderr.read()
    assert run.returncode == 0


@pytest.mark.slow
def test_killed_at_any_moment(samples: Path, tmp_path: Path) -> None:
    clip = long_clip(samples, tmp_path / "long.mp4")

    def start(out: str, *options: str) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "fkp", "video", str(clip), "--out", str(tmp_path / out)]
        return subprocess.Popen(
            [*command, "--raw", "--fill", "2", "--det-size", "320", *options],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    whole = start("whole")
    output, _ = whole.communicate()
    assert whole.returncode == 0, output
    parts = tmp_path / "cut" / ".parts"

    def wait_for(run: "subprocess.Popen[bytes]", count: int) -> None:
        """Until there is a state to go on from, and so many parts of the overlay."""
        while run.poll() is None and not (
            list(parts.glob("state-*")) and len(list(parts.glob("*.mp4"))) == count
        ):
            time.sleep(0.005)

    run = start("cut")
    wait_for(run, 2)
    run.kill()
    run.communicate()
    run = start("cut", "--resume")
    wait_for(run, 1)  # the part that was begun is thrown away
    wait_for(run, 2)
    run.send_signal(signal.SIGINT)
    run.communicate()
    assert run.returncode == 130
    last = start("cut", "--resume")
    output, _ = last.communicate()
    assert last.returncode == 0, output
    assert b"resuming after" in output
    assert contents(tmp_path / "cut") == contents(tmp_path / "whole")
    other = fkp("video", clip, "--out", "cut", "--resume", "--smooth", "0", cwd=tmp_path)
    assert "already finished" in other.stdout


def test_no_permission(tmp_path: Path, samples: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    (tmp_path / "shut").mkdir(mode=0o500)
    done = fkp("video", samples / "clip.mp4", "--out", tmp_path / "shut", cwd=tmp_path)
    assert done.returncode == 1
    assert "no permission" in done.stderr
