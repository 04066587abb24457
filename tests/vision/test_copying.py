"""Copies of picture files."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from fkp.vision.copying import Original
from fkp.vision.covering import rectangle
from fkp.vision.images import read_image

DATE, GPS, EXIF, MAKER_NOTE, ORIENTATION = 0x0132, 0x8825, 0x8769, 0x927C, 0x0112
SECRET = b"a thumbnail that shows a face"


def smooth(width: int = 64, height: int = 48) -> np.ndarray:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(small, (width, height)), np.uint8)


def photograph(path: Path, orientation: int = 6) -> bytes:
    """A JPEG with EXIF, a place, a maker note, a thumbnail and a colour profile; the profile."""
    exif = Image.Exif()
    exif[DATE], exif[ORIENTATION] = "2024:05:06 07:08:09", orientation
    exif.get_ifd(EXIF)[MAKER_NOTE] = SECRET
    exif.get_ifd(GPS)[1] = "N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = io.BytesIO()
    Image.fromarray(smooth()).save(
        data, "JPEG", quality=83, subsampling=1, exif=exif, icc_profile=profile
    )
    block = b"Photoshop 3.0\0" + SECRET  # where other programs keep thumbnails
    segment = b"\xff\xed" + (len(block) + 2).to_bytes(2, "big") + block
    whole = data.getvalue()
    path.write_bytes(whole[:2] + segment + whole[2:])
    return profile


def tables(image: Any) -> object:
    """The quantisation of a JPEG."""
    return image.quantization


def test_a_photograph_loses_what_it_tells(tmp_path: Path) -> None:
    profile = photograph(tmp_path / "a.jpg")
    Original.read(tmp_path / "a.jpg").write(tmp_path / "b" / "a.jpg")
    data = (tmp_path / "b" / "a.jpg").read_bytes()
    for told in (SECRET, b"2024:05", b"Exif", b"Photoshop"):
        assert told not in data
    with Image.open(tmp_path / "a.jpg") as one, Image.open(tmp_path / "b" / "a.jpg") as other:
        assert (one.size, other.size) == ((64, 48), (48, 64))  # turned upright
        assert tables(one) == tables(other)
        assert other.info["icc_profile"] == profile
    before, after = read_image(tmp_path / "a.jpg"), read_image(tmp_path / "b" / "a.jpg")
    assert np.abs(before.astype(int) - after).mean() < 4


def test_metadata_stays_when_asked_but_no_thumbnail(tmp_path: Path) -> None:
    photograph(tmp_path / "a.jpg")
    Original.read(tmp_path / "a.jpg").write(tmp_path / "b.jpg", metadata=True)
    assert SECRET not in (tmp_path / "b.jpg").read_bytes()
    with Image.open(tmp_path / "b.jpg") as other:
        exif = other.getexif()
        assert exif[DATE] == "2024:05:06 07:08:09"
        assert exif.get_ifd(GPS)[1] == "N"
        assert exif.get(ORIENTATION, 1) == 1


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.png", "RGB", {}), ("a.png", "RGBA", {}), ("a.png", "L", {}), ("a.png", "LA", {}),
        ("a.png", "P", {}), ("a.png", "1", {}), ("a.bmp", "RGB", {}), ("a.tif", "CMYK", {}),
        ("a.tif", "RGB", {"compression": "tiff_lzw"}), ("a.webp", "RGB", {"lossless": True}),
        ("a.gif", "P", {}), ("a.jp2", "RGB", {}), ("a.ppm", "RGB", {}),
    ],
)  # fmt: skip
def test_formats_without_loss_keep_every_pixel(
    tmp_path: Path, name: str, mode: str, options: dict[str, Any]
) -> None:
    path = tmp_path / name
    Image.fromarray(smooth()).convert(mode).save(path, **options)
    Original.read(path).write(tmp_path / "copy")
    with Image.open(path) as one, Image.open(tmp_path / "copy") as other:
        assert other.format == one.format
        form = "RGBA" if mode in ("RGBA", "LA") else "RGB"
        difference = np.asarray(one.convert(form)).astype(int) - np.asarray(other.convert(form))
        assert np.abs(difference).max() <= (8 if name == "a.gif" else 0)  # another palette
        if "compression" in options:
            assert other.info["compression"] == "tiff_lzw"


def test_all_inks_are_hidden(tmp_path: Path) -> None:
    """Of CMYK the fourth channel is a colour, of RGBA it is none."""
    for mode, name in (("CMYK", "a.tif"), ("RGBA", "a.png")):
        Image.fromarray(smooth()).convert(mode).save(tmp_path / name)
        original = Original.read(tmp_path / name)
        original.cover([rectangle(np.array([10.0, 10.0, 20.0, 20.0]))], "fill")
        original.write(tmp_path / f"copy{name[1:]}")
        with Image.open(tmp_path / f"copy{name[1:]}") as copy:
            assert copy.mode == mode
            assert np.asarray(copy.convert("RGB"))[12:28, 12:28].max() == 0
            assert mode == "CMYK" or np.asarray(copy)[..., 3].min() == 255


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits_stay(tmp_path: Path, name: str) -> None:
    deep = smooth().astype(np.uint16) * 257 - 100
    assert cv2.imwrite(str(tmp_path / name), deep)
    original = Original.read(tmp_path / name)
    assert original.bgr().dtype == np.uint8
    original.write(tmp_path / f"copy{name[1:]}")
    again = cv2.imread(str(tmp_path / f"copy{name[1:]}"), cv2.IMREAD_UNCHANGED)
    assert again is not None
    assert np.array_equal(again, deep)


def test_only_the_first_picture_of_an_animation_is_copied(tmp_path: Path) -> None:
    pictures = [Image.fromarray(smooth()), Image.fromarray(255 - smooth())]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    original = Original.read(tmp_path / "a.gif")
    original.write(tmp_path / "b.gif")
    assert "first frame" in original.note
    with Image.open(tmp_path / "b.gif") as copy:
        assert getattr(copy, "n_frames", 1) == 1
