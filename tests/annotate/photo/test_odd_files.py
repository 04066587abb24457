"""Files as they come: every one is a row with a status, and none ends the run."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from fkp.annotate.inputs import find_inputs
from fkp.annotate.outcome import Failure
from fkp.annotate.photo.cutting import Cut, FaceCutter
from fkp.errors import DataError
from fkp.vision.crop import UPRIGHT_LAYOUT
from fkp.vision.detect import YuNetDetector
from fkp.vision.headers import look
from fkp.vision.images import read_image
from tests.helpers import SAMPLES


@pytest.fixture(scope="module")
def cutter() -> FaceCutter:
    return FaceCutter(YuNetDetector(), UPRIGHT_LAYOUT, 112)


@pytest.fixture(scope="module")
def portrait() -> Pillow.Image:
    path = SAMPLES / "astronaut.jpg"
    return Pillow.open(path).convert("RGB").crop((100, 0, 356, 256))


def save_16_bit(picture: Pillow.Image, path: Path) -> None:
    gray = np.asarray(picture.convert("L")).astype(np.uint16)
    cv2.imwrite(str(path), gray * 257)


FORMS: dict[str, Callable[[Pillow.Image, Path], None]] = {
    "cmyk.jpg": lambda p, path: p.convert("CMYK").save(path, quality=95),
    "gray.jpg": lambda p, path: p.convert("L").save(path),
    "progressive.jpg": lambda p, path: p.save(path, progressive=True),
    "sixteen.png": save_16_bit,
    "palette.png": lambda p, path: p.quantize(255).save(path),
    "alpha.png": lambda p, path: p.convert("RGBA").save(path),
    "gray_alpha.png": lambda p, path: p.convert("LA").save(path),
    "one.tiff": lambda p, path: p.save(path),
    "packed.tif": lambda p, path: p.save(path, compression="tiff_lzw"),
    "one.bmp": lambda p, path: p.save(path),
    "one.webp": lambda p, path: p.save(path, quality=90),
    "one.gif": lambda p, path: p.save(path),
    "one.ppm": lambda p, path: p.save(path),
    "wrong_suffix.jpg": lambda p, path: p.save(path, format="PNG"),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_picture(
    tmp_path: Path, cutter: FaceCutter, portrait: Pillow.Image, name: str
) -> None:
    FORMS[name](portrait, tmp_path / name)
    cut = cutter(str(tmp_path / name))
    assert isinstance(cut, Cut), cut
    assert cut.scores.max() > 0.5
    assert (cut.width, cut.height, cut.note) == (256, 256, "")
    image = read_image(tmp_path / name)
    expected = np.asarray(portrait.convert("L"), float)
    assert np.abs(image.mean(2) - expected).mean() < 12


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame(
    tmp_path: Path, cutter: FaceCutter, portrait: Pillow.Image, format: str
) -> None:
    path = tmp_path / f"moving.{format.lower()}"
    black = Pillow.new("RGB", portrait.size)
    portrait.save(path, format, save_all=True, append_images=[black, black])
    assert look(path.read_bytes()).animated
    cut = cutter(str(path))
    assert isinstance(cut, Cut), cut
    assert cut.scores.max() > 0.5
    assert cut.note == "animated: only the first frame was read"


def test_heif(
    tmp_path: Path,
    cutter: FaceCutter,
    portrait: Pillow.Image,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heif = pytest.importorskip("pillow_heif")
    path = tmp_path / "phone.HEIC"
    heif.from_pillow(portrait).save(path, quality=90)
    assert look(path.read_bytes()).width == 256
    cut = cutter(str(path))
    assert isinstance(cut, Cut), cut
    assert cut.scores.max() > 0.5
    assert np.abs(read_image(path, gray=True) - np.asarray(portrait.convert("L"), float)).mean() < 5
    assert find_inputs([str(tmp_path)]).paths == (str(path),)
    path.write_bytes(path.read_bytes()[:400])
    broken = cutter(str(path))
    assert isinstance(broken, Failure)
    assert "cannot be decoded" in broken.reason
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert cutter(str(path)) == Failure("a HEIF picture: pip install 'fkp[heif]' to read it")


def test_a_picture_of_too_many_pixels(tmp_path: Path, portrait: Pillow.Image) -> None:
    small = FaceCutter(YuNetDetector(), UPRIGHT_LAYOUT, 112, max_pixels=60_000)
    portrait.save(tmp_path / "a.png")
    portrait.resize((200, 300)).save(tmp_path / "b.png")
    result = small(str(tmp_path / "a.png"))
    assert isinstance(result, Failure)
    assert result.reason == "256 x 256 pixels exceed the maximum of 60000"
    assert isinstance(small(str(tmp_path / "b.png")), Cut)
    # 30,000 x 30,000 pixels in a few kilobytes: never decoded.
    header = Pillow.new("1", (30_000, 30_000))
    header.save(tmp_path / "bomb.png")
    bomb = FaceCutter(YuNetDetector(), UPRIGHT_LAYOUT, 112)(str(tmp_path / "bomb.png"))
    assert isinstance(bomb, Failure)
    assert "30000 x 30000" in bomb.reason


def test_files_that_are_not_there_or_not_files(tmp_path: Path, cutter: FaceCutter) -> None:
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.jpg").write_text("no picture")
    (tmp_path / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    found = find_inputs([str(tmp_path)])
    reasons = {Path(path).name: cutter(path) for path in found.paths}
    expected = {
        "zero.jpg": "empty file",
        "text.jpg": "not a picture",
        "dangling.jpg": "no such file",
        "loop.jpg": "too many levels of symbolic links",
        "pipe.jpg": "not a regular file",
    }
    assert set(reasons) == set(expected)  # a folder's name is never a picture
    for name, reason in expected.items():
        result = reasons[name]
        assert isinstance(result, Failure)
        assert reason in result.reason, name
    assert cutter(str(tmp_path / "folder.jpg")) == Failure("not a regular file")
    assert cutter("zero\0byte.jpg") == Failure("not a possible file name: embedded null byte")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path: Path, cutter: FaceCutter, portrait: Pillow.Image) -> None:
    portrait.save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").chmod(0)
    assert cutter(str(tmp_path / "a.jpg")) == Failure("permission denied")
    tmp_path.chmod(0)
    try:
        with pytest.raises(DataError, match="permission denied"):
            find_inputs([str(tmp_path)])
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"])
def test_cut_off_anywhere(
    tmp_path: Path, cutter: FaceCutter, portrait: Pillow.Image, format: str
) -> None:
    whole = tmp_path / "whole"
    portrait.save(whole, format)
    data = whole.read_bytes()
    for share in (0.0005, 0.01, 0.3, 0.7, 0.97):
        path = tmp_path / "part"
        path.write_bytes(data[: max(1, int(share * len(data)))])
        result = cutter(str(path))
        assert isinstance(result, Failure), (share, result)
        assert result.reason
