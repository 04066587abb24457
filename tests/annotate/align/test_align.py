"""`fkp align`: photos and clips to aligned faces, resumed and chosen again."""

import csv
import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image as Pillow

import fkp
from fkp.errors import FkpError, UsageError
from fkp.keypoints import IBUG68
from fkp.vision.images import read_image
from fkp.vision.video import Clip
from tests.helpers import SAMPLES, contents, fkp_here


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two portraits of two weeks, a group, a picture without a face, and a broken one."""
    folder = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(("astronaut", "speech")):
        exif = Pillow.Exif()
        exif[0x0132] = f"2024:05:{1 + 10 * i:02d} 10:00:00"
        with Pillow.open(SAMPLES / f"{name}.jpg") as picture:
            picture.save(folder / f"{name}.jpg", exif=exif)
    for name in ("group.jpg", "coffee.jpg"):
        shutil.copyfile(SAMPLES / name, folder / name)
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def aligned(photos: Path) -> Path:
    """The faces of the photos, aligned once."""
    out = photos / "aligned"
    (outcome,) = fkp.align(photos, out, jobs=1)
    assert outcome.exit_code == 3
    assert outcome.statuses["aligned"] == 3
    return out


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "choices.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def told(out: Path) -> list[dict[str, Any]]:
    pictures: list[dict[str, Any]] = json.loads((out / "transforms.json").read_text())["pictures"]
    return pictures


def test_every_input_has_a_row_and_every_face_a_file(photos: Path, aligned: Path) -> None:
    listed = {Path(row["image"]).name: row for row in rows(aligned) if row["face"] in ("", "0")}
    assert set(listed) == {p.name for p in photos.glob("*.jpg")}
    assert listed["bad.jpg"]["status"] == "unreadable"
    assert listed["bad.jpg"]["reason"]
    assert listed["coffee.jpg"]["status"] == "no_face"
    assert listed["speech.jpg"]["date"] == "2024-05-11T10:00:00"
    assert len([row for row in rows(aligned) if "group" in row["image"]]) == 3
    for row in rows(aligned):
        assert (row["status"] == "aligned") == bool(row["file"])
        assert not row["file"] or (aligned / row["file"]).is_file()
    page = (aligned / "index.html").read_text()
    assert page.count("<figure") == 3
    assert page.count("<li>") == 4


def test_faces_lie_where_the_template_says(aligned: Path) -> None:
    """Faces are found again in the aligned pictures, where the transforms say they are."""
    network = fkp.load(max_faces=1)
    for one in told(aligned):
        path = aligned / one["file"]
        height, width = read_image(path).shape[:2]
        assert (width, height) == (one["width"], one["height"])
        faces = network.annotate(path)
        original = fkp.load().annotate(one["image"])[one["face"]]
        matrix = np.array(one["to_aligned"])
        expected = original.points @ matrix[:, :2].T + matrix[:, 2]
        eyes = IBUG68.anchor_points(faces.points[0])[:2] - IBUG68.anchor_points(expected)[:2]
        assert np.abs(eyes).max() < 0.02 * width, path
        back = np.array(one["to_picture"])
        assert np.allclose(expected @ back[:, :2].T + back[:, 2], original.points, atol=1e-3)


def test_dates_are_kept(aligned: Path) -> None:
    with Pillow.open(aligned / "faces" / "speech.jpg") as picture:
        assert picture.getexif()[0x0132] == "2024:05:11 10:00:00"


def test_another_choice_and_template_without_looking_again(
    photos: Path, aligned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(aligned, out)
    text = (out / "choices.csv").read_text()
    group = next(row for row in rows(out) if "group" in row["image"] and not row["file"])
    before = f"{group['image']},{group['face']},,"
    assert before in text
    (out / "choices.csv").write_text(text.replace(before, before[:-1] + "yes,", 1))
    with pytest.raises(FkpError, match="holds results"):
        fkp.align(photos, out, jobs=1)
    (outcome,) = fkp.align(photos, out, jobs=1, resume=True, template="arcface-112", enlarge=True)
    assert outcome.statuses["aligned"] == 3
    (other,) = [one for one in told(out) if "group" in one["image"]]
    assert str(other["face"]) == group["face"]
    assert (other["width"], other["height"]) == (112, 112)
    (outcome,) = fkp.align(photos, out, jobs=1, overwrite=True)  # which keeps the choices
    (again,) = [one for one in told(out) if "group" in one["image"]]
    assert str(again["face"]) == group["face"]
    fkp.align(photos, out, jobs=1, resume=True, faces="each")
    names = {path.name for path in (out / "faces").iterdir()}
    assert names == {Path(one["file"]).name for one in told(out)}  # the others are gone


def test_a_killed_run_resumes_to_the_same_bytes(
    photos: Path, aligned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"

    class StopError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if total == 3:  # of aligned pictures
            raise StopError

    with pytest.raises(StopError):
        fkp.align(photos, out, jobs=1, progress=stop)
    assert not (out / "transforms.json").exists()
    fkp.align(photos, out, jobs=1, resume=True)
    assert contents(out) == contents(aligned)


def test_one_per_week_and_a_timelapse(photos: Path, aligned: Path, tmp_path: Path) -> None:
    out, video = tmp_path / "out", tmp_path / "weeks.mp4"
    shutil.copytree(aligned, out)
    words = ("align", photos, "-o", out, "--resume", "--one-per", "week", "--timelapse", video)
    more = ("--hold", "0.2", "--fade", "0.1", "--size", "128", "--jobs", "1")
    code, said = fkp_here(*words, *more, cwd=tmp_path)
    assert code == 3
    assert "2 faces aligned" in said
    group = [row for row in rows(out) if "group" in row["image"]]
    assert any(row["reason"].startswith("no date") for row in group)
    with Clip(video) as clip:
        frames = list(clip.frames())
    assert len(frames) == 6 + 3 + 6
    with av.open(str(video)) as opened:
        stream = opened.streams.video[0]
        assert (stream.width, stream.height) == (128, 128)
    first, middle, last = (frames[i].bgr().astype(float) for i in (2, 7, 13))
    for shown, name in ((first, "astronaut.jpg"), (last, "speech.jpg")):
        assert np.abs(shown - read_image(out / "faces" / name)).mean() < 6
    assert np.abs(middle - (first + last) / 2).mean() < 5


def beginning(path: Path, frames: int) -> Path:
    """The first frames of the sample clip."""
    with av.open(str(SAMPLES / "clip.mp4")) as clip, av.open(str(path), "w") as out:
        moving = clip.streams.video[0]
        stream = out.add_stream_from_template(moving)
        for packet in islice(clip.demux(moving), frames):
            packet.stream = stream
            out.mux(packet)
    return path


def test_a_clip_stays_in_its_place(tmp_path: Path) -> None:
    """The eyes of the aligned video move far less than those of the clip."""
    clip = beginning(tmp_path / "talk.mp4", 30)
    words = ("align", clip, "-o", tmp_path / "out", "--template", "eyes", "--size", "256")
    code, said = fkp_here(*words, "--faces", "first", cwd=tmp_path)
    assert code == 0
    (name,) = {one["file"] for one in told(tmp_path / "out")}
    frames = [one["frame"] for one in told(tmp_path / "out")]
    video = tmp_path / "out" / name
    network = fkp.load()
    eyes = [
        IBUG68.anchor_points(frame.faces.points[0])[:2]
        for frame in network.video(video, every=6, smooth=0)
        if len(frame.faces)
    ]
    with Clip(video) as opened:
        assert len(list(opened.frames())) == frames[-1] - frames[0] + 1
    assert len(eyes) >= 4
    assert np.ptp(np.array(eyes), axis=0).max() < 0.04 * 256
    assert "1 faces aligned" in said


def test_photos_and_clips_in_one_run(photos: Path, tmp_path: Path) -> None:
    """Each kind has its results, and a clip that is not there has a row as well."""
    folder, out = tmp_path / "both", tmp_path / "out"
    folder.mkdir()
    shutil.copyfile(photos / "speech.jpg", folder / "speech.jpg")
    beginning(folder / "talk.mp4", 3)
    words = ("align", folder, tmp_path / "gone.mp4", "-o", out, "--jobs", "1", "--size", "128")
    code, said = fkp_here(*words, "--timelapse", tmp_path / "film.mp4", cwd=tmp_path)
    assert code == 3
    assert "gone.mp4: no such file" in said
    assert [(row["status"], row["file"]) for row in rows(out)] == [("aligned", "faces/speech.jpg")]
    (film,) = {one["file"] for one in told(out / "clips" / "both" / "talk")}
    assert (out / "clips" / "both" / "talk" / film).is_file()
    (row,) = rows(out / "clips" / "gone")
    assert (row["status"], row["reason"]) == ("unreadable", "no such file or directory")
    with Clip(tmp_path / "film.mp4") as clip:
        assert next(clip.frames()).bgr().shape == (128, 128, 3)
    code, said = fkp_here(*words, "--resume", cwd=tmp_path)  # nothing is looked for again
    assert code == 3
    assert len(rows(out)) == 1


def test_choices_of_a_clip_that_is_away_are_kept(tmp_path: Path) -> None:
    clip, out = beginning(tmp_path / "talk.mp4", 2), tmp_path / "out"
    fkp.align(clip, out, size=64)
    before = (out / "choices.csv").read_bytes()
    clip.rename(tmp_path / "away.mp4")
    (outcome,) = fkp.align(clip, out, size=64, resume=True)
    assert (outcome.exit_code, outcome.statuses["unreadable"]) == (3, 1)
    assert (out / "choices.csv").read_bytes() == before


def test_a_timelapse_needs_photos(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there are only clips"):
        fkp.align(tmp_path / "a.mp4", tmp_path / "out", one_per="day")
