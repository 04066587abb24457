"""Folders as they come: links, folders that cannot be listed, fkp's own results, long names."""

import os
import shutil
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.annotate.inputs import CLIPS, find_inputs
from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.photo import drawing
from fkp.annotate.photo.drawing import DrawConfig
from fkp.errors import DataError
from fkp.keypoints import FKP4, Faces
from fkp.vision.images import fitting_name, overlay_name, read_image
from tests.helpers import SAMPLES, fkp_here


def touched(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def below(folder: Path, paths: tuple[str, ...]) -> list[str]:
    return [os.path.relpath(path, folder) for path in paths]


def test_links_to_folders_are_followed_once(tmp_path: Path) -> None:
    touched(tmp_path, "in/a.jpg", "in/sub/b.jpg", "elsewhere/c.jpg", "elsewhere/deep/d.jpg")
    (tmp_path / "in/link").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/sub/again").symlink_to(tmp_path / "elsewhere/deep")
    (tmp_path / "in/sub/up").symlink_to("..")
    (tmp_path / "elsewhere/back").symlink_to(tmp_path / "in")
    found = find_inputs([str(tmp_path / "in")])
    expected = ["a.jpg", "sub/b.jpg", "link/c.jpg", "link/deep/d.jpg"]
    assert below(tmp_path / "in", found.paths) == expected
    inside = tmp_path / "in"
    again = ", ".join(f"{inside}/{name}" for name in ("sub/again", "sub/up", "link/back"))
    assert found.notes == (
        f"followed 1 link to folders: {inside}/link",
        f"did not follow 3 links to folders that are searched already: {again}",
    )


def test_a_link_to_the_results_is_not_followed(tmp_path: Path) -> None:
    touched(tmp_path, "in/a.jpg", "out/overlays/a.jpg")
    (tmp_path / "in/results").symlink_to(tmp_path / "out")
    found = find_inputs([str(tmp_path / "in")], exclude=tmp_path / "out")
    assert below(tmp_path, found.paths) == ["in/a.jpg"]


def refusing(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Have folders of this name refuse to be listed."""
    real = os.scandir

    def scandir(path: "str | os.PathLike[str]" = ".") -> object:
        if os.path.basename(path) == name:
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)


def test_a_folder_that_cannot_be_listed_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in/lost+found").mkdir(parents=True)
    shutil.copyfile(SAMPLES / "astronaut.jpg", tmp_path / "in/a.jpg")
    refusing(monkeypatch, "lost+found")
    options = ("--no-overlays", "--jobs", "1", "-o", "out")
    code, said = fkp_here("annotate", "in", *options, cwd=tmp_path)
    assert code == 3
    assert "1 folder cannot be listed: in/lost+found (permission denied)" in said
    table = pd.read_csv(tmp_path / "out/keypoints.csv")
    assert table["image"].tolist() == ["in/a.jpg", "in/lost+found"]
    assert table["status"].tolist() == ["ok", "unreadable"]
    assert table["reason"][1] == "permission denied"


def test_nothing_but_a_folder_that_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    refusing(monkeypatch, "mine")
    with pytest.raises(DataError, match=r"no pictures .*mine \(permission denied\)"):
        find_inputs([str(tmp_path)])
    touched(tmp_path, "a.mp4")
    clips = find_inputs([str(tmp_path)], kind=CLIPS)
    assert below(tmp_path, clips.paths) == ["a.mp4"]
    assert "cannot be listed" in clips.notes[0]


def test_own_results_are_not_inputs(tmp_path: Path) -> None:
    shutil.copyfile(SAMPLES / "astronaut.jpg", tmp_path / "a.jpg")
    fkp_here("annotate", "a.jpg", "--crops", "--jobs", "1", "-o", "first", cwd=tmp_path)
    touched(tmp_path, "mine/overlays/b.jpg", "first/c.jpg", "runs/x/best.safetensors")
    touched(tmp_path, "runs/x/results.csv", "runs/x/curves.png", "runs/x/photo.png")
    (tmp_path / "mine/run.json").write_text("{}")
    found = find_inputs([str(tmp_path)])
    expected = ["a.jpg", "first/c.jpg", "mine/overlays/b.jpg", "runs/x/photo.png"]
    assert below(tmp_path, found.paths) == expected
    own = [f"{tmp_path}/{name}" for name in ("first/crops", "first/overlays", "runs/x/curves.png")]
    assert found.notes == (f"skipped 3 files or folders that fkp wrote: {', '.join(own)}",)
    named = find_inputs([str(tmp_path / "first/overlays")])  # which says what is meant
    assert below(tmp_path, named.paths) == ["first/overlays/a.jpg"]


def test_results_of_an_unfinished_run_and_of_clips_are_not_inputs(tmp_path: Path) -> None:
    touched(tmp_path, "a.jpg", "part/journal.jsonl", "part/overlays/a.jpg")
    assert below(tmp_path, find_inputs([str(tmp_path)]).paths) == ["a.jpg"]
    touched(tmp_path, "a.mp4", "clip/overlay.mp4")
    (tmp_path / "clip/run.json").write_text('{"identity": {}, "statuses": {"ok": 1}}')
    clips = find_inputs([str(tmp_path)], kind=CLIPS)
    assert below(tmp_path, clips.paths) == ["a.mp4"]
    assert "clip/overlay.mp4" in clips.notes[0]


LONG = "名" * 82  # 246 bytes


@pytest.mark.parametrize("name", [f"{LONG}.jpg", f"{'x' * 251}.jpg", f"{'x' * 251}.gif"])
def test_long_names(tmp_path: Path, name: str) -> None:
    image = read_image(SAMPLES / "astronaut.jpg")[:256, 90:346]
    (tmp_path / "in").mkdir()
    suffix = name[-4:]
    cv2.imencode(suffix, image)[1].tofile(tmp_path / "in" / name)
    options = ("--crops", "--also", "yolo", "--jobs", "1", "-o", "out")
    code, said = fkp_here("annotate", "in", *options, cwd=tmp_path)
    assert code == 0, said
    table = pd.read_csv(tmp_path / "out/keypoints.csv")
    assert table["image"].tolist() == [f"in/{name}"]
    assert table["reason"].isna().all()
    for folder in ("overlays", "crops", "yolo/labels"):
        (written,) = (tmp_path / "out" / folder).iterdir()
        assert len(os.fsencode(written.name)) <= 255
    assert (tmp_path / "out/overlays" / overlay_name(name)).exists()


def test_a_picture_that_cannot_be_drawn_where_it_belongs_is_a_note(tmp_path: Path) -> None:
    picture = str(SAMPLES / "astronaut.jpg")
    result = Annotated(Faces.empty(FKP4), 512, 512, "animated")
    far = tmp_path.joinpath(*["d" * 200] * 20)
    outcome = DrawConfig(far).draw(picture, "a.jpg", result.faces)
    drawn = outcome.of(result)
    assert isinstance(drawn, Annotated)
    assert drawn.note == "animated; no overlay: file name too long"
    touched(tmp_path, "a.gif.png/b.jpg")
    drawn = DrawConfig(tmp_path).draw(picture, "a.gif", result.faces).of(result)
    assert isinstance(drawn, Annotated)
    assert "no overlay: is a directory" in drawn.note


def test_a_format_that_cannot_hold_the_overlay_is_a_note(tmp_path: Path) -> None:
    wide = np.zeros((16, 17_000, 3), np.uint8)
    assert cv2.imwrite(str(tmp_path / "wide.png"), wide)
    (tmp_path / "wide.png").rename(tmp_path / "wide.webp")
    empty = Faces.empty(FKP4)
    outcome = DrawConfig(tmp_path / "out", None).draw(str(tmp_path / "wide.webp"), "w.webp", empty)
    assert outcome.problem is None
    assert outcome.note == "no overlay: its format cannot hold a picture of this size"


def test_a_full_disk_still_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, image: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drawing, "write_image", full)
    with pytest.raises(OSError, match="No space left"):
        DrawConfig(tmp_path).draw(str(SAMPLES / "coffee.jpg"), "a.jpg", Faces.empty(FKP4))
    gone = DrawConfig(tmp_path).draw(str(tmp_path / "gone.jpg"), "a.jpg", Faces.empty(FKP4))
    assert gone.of(Annotated(Faces.empty(FKP4), 1, 1)) == Failure("no such file or directory")


def test_no_two_pictures_share_an_overlay() -> None:
    endings = ("", ".jpg", ".gif", ".png", ".PNG", ".dat", ".overlay", ".heic")
    names = {f"a{x}{y}{z}" for x in endings for y in endings for z in endings}
    drawn = {name: overlay_name(name) for name in names}
    shared = [pair for pair in combinations(names, 2) if drawn[pair[0]] == drawn[pair[1]]]
    assert shared == []
    assert drawn["a.jpg"] == "a.jpg"
    assert drawn["a.png"] == "a.png"
    assert drawn["a.gif"] == "a.gif.png"
    assert drawn["a.heic"] == "a.heic.png"
    assert drawn["a.gif.png"] == "a.gif.png.png"


def test_long_names_stay_different() -> None:
    one, other = (f"sub/{LONG}{'x' * 20}{i}.jpg" for i in (1, 2))
    cut = [fitting_name(name) for name in (one, other)]
    assert len(set(cut)) == 2
    assert all(len(os.fsencode(name)) <= 255 + 4 for name in cut)
    assert all(name.startswith("sub/名") and name.endswith(".jpg") for name in cut)
    assert fitting_name(f"{LONG}.jpg") == f"{LONG}.jpg"
