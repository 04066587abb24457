"""`fkp info` on clips of every ending, and on pictures."""

from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import SAMPLES, STEADY, encode, fkp_here

CLIPS = {
    "clip.m2ts": "libx264",
    "clip.mjpeg": "mjpeg",
    "clip.y4m": "wrapped_avframe",
    "clip.MP4": "libx264",
}


@pytest.mark.parametrize("name", CLIPS)
def test_clips(tmp_path: Path, name: str) -> None:
    pixels = "yuvj420p" if CLIPS[name] == "mjpeg" else "yuv420p"
    encode(tmp_path / name, STEADY, CLIPS[name], pixels=pixels)
    code, said = fkp_here("info", name, cwd=tmp_path)
    assert code == 0
    assert said.startswith(f"{name}: a video, 64 x 48")
    assert "frames that cannot be decoded: 0" in said


def test_a_clip_is_read_by_its_content(tmp_path: Path) -> None:
    encode(tmp_path / "clip.ts", STEADY).rename(tmp_path / "clip.vob")
    _, said = fkp_here("info", "clip.vob", cwd=tmp_path)
    assert said.startswith("clip.vob: a video, 64 x 48")


def test_pictures(tmp_path: Path) -> None:
    _, said = fkp_here("info", SAMPLES / "rotated_by_exif.jpg", cwd=tmp_path)
    assert said == "rotated_by_exif.jpg: a picture, 512 x 512, upright, jpeg\n"
    first = Image.new("L", (40, 30))
    first.save(tmp_path / "album.tif", save_all=True, append_images=[first])
    _, said = fkp_here("info", "album.tif", cwd=tmp_path)
    assert said.splitlines() == [
        "album.tif: a picture, 40 x 30, upright, tiff",
        "only the first of 2 pictures in the file was read",
    ]
