"""Reading pictures: every form, and every way to be broken."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fkp.errors import ImageError
from fkp.vision.images import read_image, write_image


def test_exif_orientation(samples: Path) -> None:
    upright = read_image(samples / "astronaut.jpg")
    turned = read_image(samples / "rotated_by_exif.jpg")
    assert turned.shape == upright.shape
    assert np.abs(turned.astype(float) - upright).mean() < 3
    gray = read_image(samples / "rotated_by_exif.jpg", gray=True)
    assert gray.shape == upright.shape[:2]


@pytest.mark.parametrize("mode", ["L", "LA", "RGBA", "P", "I;16", "1"])
def test_png_of_any_kind_is_bgr(tmp_path: Path, samples: Path, mode: str) -> None:
    source = Image.open(samples / "coffee.jpg").resize((90, 60))
    expected = np.asarray(source.convert("L"), float)
    if mode == "I;16":
        Image.fromarray((expected * 257).astype(np.uint16)).save(tmp_path / "x.png")
    else:
        source.convert(mode).save(tmp_path / "x.png")
    image = read_image(tmp_path / "x.png")
    assert image.shape == (60, 90, 3)
    assert image.dtype == np.uint8
    gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(float)
    assert np.abs(cv2.blur(gray, (9, 9)) - cv2.blur(expected, (9, 9))).mean() < 12


def test_cmyk_jpeg_has_its_colours(tmp_path: Path, samples: Path) -> None:
    source = Image.open(samples / "astronaut.jpg").resize((64, 64))
    source.convert("CMYK").save(tmp_path / "x.jpg", quality=95)
    expected = np.asarray(source)[:, :, ::-1].astype(float)
    assert np.abs(read_image(tmp_path / "x.jpg") - expected).mean() < 12


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("keep", [0.97, 0.5, 0.1])
def test_a_truncated_picture_is_refused(
    tmp_path: Path, samples: Path, suffix: str, keep: float
) -> None:
    whole = tmp_path / f"whole{suffix}"
    write_image(whole, read_image(samples / "astronaut.jpg"))
    data = whole.read_bytes()
    part = tmp_path / f"part{suffix}"
    part.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(ImageError, match="truncated"):
        read_image(part)


def test_a_jpeg_with_bytes_behind_its_end_is_read(tmp_path: Path, samples: Path) -> None:
    path = tmp_path / "x.jpg"
    path.write_bytes((samples / "coffee.jpg").read_bytes() + b"\0" * 100)
    assert read_image(path).shape == (400, 600, 3)


def test_reasons(tmp_path: Path) -> None:
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "link.jpg").symlink_to("nowhere")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    reasons = {
        "zero": "empty file", "text": "not a picture", "folder": "not a regular file",
        "link": "no such file", "loop": "symbolic links", "pipe": "not a regular file",
        "absent": "no such file",
    }  # fmt: skip
    for name, reason in reasons.items():
        with pytest.raises(ImageError, match=reason):
            read_image(tmp_path / f"{name}.jpg")


def test_broken_png_data_is_refused(tmp_path: Path, samples: Path) -> None:
    write_image(tmp_path / "x.png", read_image(samples / "coffee.jpg"))
    data = bytearray((tmp_path / "x.png").read_bytes())
    data[5000:5200] = b"\xff" * 200
    (tmp_path / "x.png").write_bytes(data)
    with pytest.raises(ImageError):
        read_image(tmp_path / "x.png")


def test_writing_leaves_no_temporary_file(tmp_path: Path) -> None:
    write_image(tmp_path / "a" / "x.png", np.zeros((4, 4, 3), np.uint8))
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["x.png"]
    with pytest.raises(ImageError, match="encoded"):
        write_image(tmp_path / "x.unknown", np.zeros((4, 4, 3), np.uint8))
