"""Copies in which faces cannot be recognised: whole runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

import fkp
from fkp.annotate.hide import finding
from fkp.annotate.hide.clip import HideClip
from fkp.errors import DataError, FkpError, UsageError
from fkp.vision.video import Clip
from tests.helpers import SAMPLES, contents, fkp_here

FRAMES = 10


def portrait(width: int = 200, height: int = 160, shift: int = 0) -> np.ndarray:
    """A part of a sample with one face."""
    image = cv2.imread(str(SAMPLES / "astronaut.jpg"))
    assert image is not None
    return np.asarray(
        cv2.resize(image[20:260, 100 + shift : 400 + shift], (width, height)), np.uint8
    )


def plain(width: int = 200, height: int = 160) -> np.ndarray:
    """Nothing that could be a face."""
    return np.asarray(np.full((height, width, 3), (90, 120, 150), np.uint8))


def film(path: Path) -> Path:
    """A face that moves, with a tone and a title; it is hidden behind gray in two frames."""
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "Interview with Ms. Secret"
        stream = out.add_stream("libx264", rate=25, options={"crf": "18"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 200, 160, "yuv420p"
        audio = out.add_stream("aac", rate=8000)
        for i in range(FRAMES):
            image = portrait(shift=3 * i)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
        tone = np.sin(np.arange(3200) / 5).astype(np.float32)[None] / 2
        sound = av.AudioFrame.from_ndarray(tone, "fltp", "mono")
        sound.sample_rate = 8000
        out.mux(audio.encode(sound))
        out.mux(audio.encode(None))
    return path


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos, one of them with EXIF, a broken one, and a clip."""
    folder = tmp_path_factory.mktemp("given")
    exif = Image.Exif()
    exif[0x0132] = "2024:05:06 07:08:09"
    rgb = Image.fromarray(portrait()[..., ::-1])
    rgb.save(folder / "face.jpg", quality=92, exif=exif)
    (folder / "inner").mkdir()
    assert cv2.imwrite(str(folder / "inner" / "nobody.png"), plain())
    (folder / "broken.jpg").write_bytes(b"no picture")
    film(folder / "film.mp4")
    return folder


@pytest.fixture(scope="module")
def out(given: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a run makes of them."""
    folder = tmp_path_factory.mktemp("run") / "hidden"
    report = fkp.hide(given, folder, jobs=1)
    assert (report.inputs, report.exit_code) == (4, 3)
    assert report.hidden >= 2
    return folder


def again(out: Path, folder: Path) -> Path:
    """A copy of a run, so that a test can change it."""
    shutil.copytree(out, folder)
    return folder


def images(path: Path) -> list[np.ndarray]:
    with Clip(path) as clip:
        return [frame.bgr() for frame in clip.frames()]


def table(out: Path, name: str) -> pd.DataFrame:
    rows = pd.read_csv(out / name, keep_default_na=False)
    rows["image"] = rows["image"].map(lambda path: Path(path).name)
    return rows.set_index("image")


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """Which pixels are clearly others."""
    return np.asarray(np.abs(before.astype(int) - after).max(2) > 40)


def tables(image: Any) -> object:
    """The quantisation of a JPEG."""
    return image.quantization


def test_every_input_has_a_row_and_every_readable_one_a_copy(given: Path, out: Path) -> None:
    rows = table(out, "hidden.csv")
    assert list(rows.index) == ["broken.jpg", "face.jpg", "film.mp4", "nobody.png"]
    assert list(rows.status) == ["unreadable", "ok", "ok", "no_face"]
    assert list(rows.kind) == ["photo", "photo", "clip", "photo"]
    assert rows.loc["broken.jpg", "reason"]
    assert rows.loc["film.mp4", "frames"] == str(FRAMES)
    for name in ("face.jpg", "film.mp4", "inner/nobody.png"):
        assert (out / "copies" / name).is_file()
    assert not (out / "copies" / "broken.jpg").exists()
    assert not (out / ".parts").exists()


def test_faces_are_not_found_in_the_copies(out: Path) -> None:
    network = fkp.load()
    assert len(network.annotate(out / "copies" / "face.jpg")) == 0
    assert all(len(network.annotate(image)) == 0 for image in images(out / "copies/film.mp4")[::3])


def test_a_photo_stays_as_it_is_but_for_the_face(given: Path, out: Path) -> None:
    before, after = (cv2.imread(str(f / "face.jpg")) for f in (given, out / "copies"))
    assert before is not None
    assert after is not None
    faces = table(out, "hidden_faces.csv").loc[["face.jpg"]]
    mask = changed(before, after)
    assert 0.05 < mask.mean() < 0.4
    best = faces.sort_values("score").iloc[-1]
    x, y, width, height = (float(best[name]) for name in ("box_x", "box_y", "box_w", "box_h"))
    away = np.ones(mask.shape, bool)
    for _, row in faces.iterrows():
        w, h = float(row.box_w), float(row.box_h)
        left, top = float(row.box_x) - 0.4 * w, float(row.box_y) - 0.4 * h
        right, bottom = left + 1.8 * w, top + 1.8 * h
        away[max(0, int(top)) : int(bottom) + 1, max(0, int(left)) : int(right) + 1] = False
    assert mask[away].mean() < 0.001
    assert np.abs(before.astype(int) - after)[away].mean() < 1.5
    middle = mask[int(y) : int(y + height), int(x) : int(x + width)]
    assert middle.mean() > 0.2
    assert b"2024:05" not in (out / "copies" / "face.jpg").read_bytes()
    with Image.open(given / "face.jpg") as one, Image.open(out / "copies" / "face.jpg") as other:
        assert tables(one) == tables(other)


def test_a_clip_keeps_its_frames_times_and_sound(given: Path, out: Path) -> None:
    before, after = given / "film.mp4", out / "copies" / "film.mp4"
    with Clip(before) as one, Clip(after) as other:
        times = [[frame.time for frame in clip.frames()] for clip in (one, other)]
    assert times[0] == pytest.approx(times[1], abs=1e-6)
    with av.open(str(before)) as one_file, av.open(str(after)) as other_file:
        assert other_file.metadata.get("title") is None
        assert len(one_file.streams.audio) == len(other_file.streams.audio) == 1
        packets = [
            [bytes(p) for p in f.demux(f.streams.audio[0]) if p.size]
            for f in (one_file, other_file)
        ]
    assert packets[0] == packets[1]
    for old, new in zip(images(before), images(after), strict=True):
        assert old.shape == new.shape
        assert changed(old, new).mean() > 0.04  # in every frame
        assert np.abs(old[-25:].astype(int) - new[-25:]).mean() < 4


def test_options(given: Path, out: Path, tmp_path: Path) -> None:
    """Without sound, with tags, with black."""
    for name in ("face.jpg", "film.mp4"):
        (tmp_path / name).symlink_to(given / name)
    folder = tmp_path / "out"
    inputs = [tmp_path / "face.jpg", tmp_path / "film.mp4"]
    fkp.hide(inputs, folder, jobs=1, method="fill", sound=False, metadata=True)
    image = cv2.imread(str(folder / "copies" / "face.jpg"))
    assert image is not None
    assert 0.05 < (image.max(2) < 12).mean() < 0.5
    with Image.open(folder / "copies" / "face.jpg") as copy:
        assert copy.getexif()[0x0132] == "2024:05:06 07:08:09"
    with av.open(str(folder / "copies" / "film.mp4")) as file:
        assert len(file.streams.audio) == 0
        assert file.metadata["title"] == "Interview with Ms. Secret"


def test_a_mask_covers_less_than_the_whole(given: Path, tmp_path: Path) -> None:
    black = {}
    for method in ("mask", "fill"):
        fkp.hide(given / "face.jpg", tmp_path / method, jobs=1, method=method, min_score=0.4)
        image = cv2.imread(str(tmp_path / method / "copies" / "face.jpg"))
        assert image is not None
        black[method] = (image.max(2) < 12).mean()
    assert 0.02 < black["mask"] < 0.8 * black["fill"]


def test_a_second_run_takes_corrections_and_finds_nothing_anew(
    given: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = again(out, tmp_path / "out")
    faces = table(folder, "hidden_faces.csv")
    best = faces.loc[["face.jpg"]].sort_values("score").iloc[-1]
    rows = [
        f"face.jpg,clear,{best.face},,,,,,",
        "inner/nobody.png,hide,,,,20,30,50,40",
        "film.mp4,hide,,4,5,150,120,30,30",
    ]
    (tmp_path / "c.csv").write_text(
        "image,action,face,first,last,box_x,box_y,box_w,box_h\n" + "\n".join(rows)
    )
    monkeypatch.setattr(finding, "to_folder", None)  # is not called
    with pytest.raises(FkpError, match="overwrite"):
        fkp.hide(given, folder, jobs=1, corrections=tmp_path / "c.csv")
    report = fkp.hide(given, folder, jobs=1, corrections=tmp_path / "c.csv", overwrite=True)
    assert report.clear == 1
    nobody = cv2.imread(str(folder / "copies/inner/nobody.png"))
    assert nobody is not None
    cleared = table(folder, "hidden_faces.csv").loc[["face.jpg"]]
    assert list(cleared[cleared.face == best.face].status) == ["clear"]
    before, after = (cv2.imread(str(f / "face.jpg")) for f in (given, folder / "copies"))
    assert before is not None
    assert after is not None
    x, y = (round(float(best[f"box_{a}"]) + float(best[f"box_{s}"]) / 2) for a, s in ("xw", "yh"))
    assert (
        np.abs(
            before[y - 9 : y + 9, x - 9 : x + 9].astype(int) - after[y - 9 : y + 9, x - 9 : x + 9]
        ).mean()
        < 3
    )
    old, new = images(out / "copies/film.mp4"), images(folder / "copies/film.mp4")
    differ = [changed(a, b)[120:150, 150:180].mean() > 0.02 for a, b in zip(old, new, strict=True)]
    assert [i for i, one in enumerate(differ) if one] == [4, 5]


def test_a_run_that_was_stopped_continues_to_the_same(
    given: Path, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    shutil.copytree(out / "found", folder / "found")
    with monkeypatch.context() as broken:

        def stop(self: HideClip) -> Any:
            raise KeyboardInterrupt

        broken.setattr(HideClip, "outcome", stop)
        with pytest.raises(KeyboardInterrupt) as caught:
            fkp.hide(given, folder, jobs=1)
        assert "resume" in str(caught.value.__notes__)
    assert (folder / "journal.jsonl").exists()
    with pytest.raises(FkpError, match="unfinished"):
        fkp.hide(given, folder, jobs=1)
    with pytest.raises(FkpError, match="differs in with: 'mosaic' then, 'blur' now"):
        fkp.hide(given, folder, jobs=1, method="blur", resume=True)
    told: list[str] = []
    fkp.hide(given, folder, jobs=1, resume=True, say=told.append)
    assert told == ["resuming after 2 inputs"]
    once, twice = contents(out), contents(folder)
    assert [name for name in {*once, *twice} if once.get(name) != twice.get(name)] == []
    report = fkp.hide(given, folder, jobs=1, resume=True)
    assert report.finished_before
    assert report.exit_code == 3
    assert report.statuses == {"ok": 2, "no_face": 1, "unreadable": 1}


def test_a_changed_photo_is_looked_at_again(tmp_path: Path) -> None:
    photo = tmp_path / "a.png"
    assert cv2.imwrite(str(photo), plain())
    assert fkp.hide(photo, tmp_path / "out", jobs=1).hidden == 0
    assert cv2.imwrite(str(photo), portrait())
    assert fkp.hide(photo, tmp_path / "out", jobs=1, overwrite=True).hidden > 0
    assert fkp.hide(photo, tmp_path / "out", jobs=1, overwrite=True, keep=["0"]).clear == 1


def test_known_faces_stay_clear(given: Path, tmp_path: Path) -> None:
    """By a picture of the same occasion, and by the number; another's does not help."""
    image = portrait(260, 208)
    assert cv2.imwrite(str(tmp_path / "me.png"), image)
    found = given / "film.mp4"
    one = fkp.hide(found, tmp_path / "one", jobs=1, keep=tmp_path / "me.png")
    assert one.clear == 1
    row = table(tmp_path / "one", "hidden_faces.csv").sort_values("score").iloc[-1]
    assert (row.status, float(row.likeness) > 0.6) == ("clear", True)
    assert row.reason.startswith("left clear")
    shutil.copytree(tmp_path / "one" / "found", tmp_path / "two" / "found")
    two = fkp.hide(found, tmp_path / "two", jobs=1, keep=[int(row.face)])
    assert two.clear == 1
    shutil.copytree(tmp_path / "one" / "found", tmp_path / "three" / "found")
    other = fkp.hide(found, tmp_path / "three", jobs=1, keep=SAMPLES / "president.jpg")
    assert (other.clear, other.hidden > 0) == (0, True)


def test_wrong_arguments_are_told(given: Path, tmp_path: Path) -> None:
    photo = given / "face.jpg"
    with pytest.raises(UsageError, match="method"):
        fkp.hide(photo, tmp_path / "o", method="paint")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="start_score"):
        fkp.hide(photo, tmp_path / "o", min_score=0.6)
    with pytest.raises(UsageError, match="single photo or clip"):
        fkp.hide(given, tmp_path / "o", keep=["3"])
    with pytest.raises(DataError, match="no whole face"):
        fkp.hide(photo, tmp_path / "o", keep=given / "inner" / "nobody.png")
    with pytest.raises(DataError, match="no photos or clips"):
        fkp.hide(tmp_path, tmp_path / "o")
    assert not (tmp_path / "o").exists()


def test_the_page_shows_what_to_check(out: Path) -> None:
    page = (out / "index.html").read_text()
    cards = json.loads(page.partition("const CARDS = ")[2].partition(";\n")[0])
    said = {(Path(card["image"]).name, card["reason"]) for card in cards}
    assert ("nobody.png", "no face was found") in said
    assert any(name == "broken.jpg" and "unreadable" in reason for name, reason in said)
    for card in cards:
        assert not card["picture"] or (out / card["picture"]).is_file()


def test_the_command_says_whose_risk_it_is(given: Path, tmp_path: Path) -> None:
    code, said = fkp_here("hide", given / "inner", "-o", "out", "--jobs", "1", cwd=tmp_path)
    assert code == 0
    assert said.splitlines()[-1].startswith("faces that were not found are still visible")
    assert "1 inputs without a face" in said
