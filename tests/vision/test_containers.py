"""What the containers of pictures say: orientation, several pictures, deep values, damage."""

import io
import os
import re
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from fkp.errors import ImageError
from fkp.vision.headers import look
from fkp.vision.images import Encoded, is_image_name
from tests.helpers import SAMPLES

Tags = dict[int, tuple[int, Sequence[int] | bytes]]

FORMS = {1: "B", 3: "H", 4: "I", 5: "I", 10: "i"}
"""Of TIFF's types of numbers."""


@pytest.fixture(scope="module")
def portrait() -> Image.Image:
    with Image.open(SAMPLES / "astronaut.jpg") as image:
        return image.convert("RGB").crop((100, 0, 356, 256)).resize((96, 128))


def tiff(*pages: tuple[npt.NDArray[Any], Tags], children: bool = False) -> bytes:
    """A TIFF of uncompressed pages; with `children`, those after the first are its children."""
    out = bytearray(b"II*\0\0\0\0\0")
    places = []
    following: list[int] = []
    for i, (values, more) in reversed(list(enumerate(pages))):
        height, width = values.shape[:2]
        channels = values.size // (height * width)
        kind = {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
        tags: Tags = {
            256: (4, [width]), 257: (4, [height]), 258: (3, [8 * values.itemsize] * channels),
            259: (3, [1]), 262: (3, [2 if channels == 3 else 1]), 273: (4, [len(out)]),
            277: (3, [channels]), 278: (4, [height]), 279: (4, [values.nbytes]),
            339: (3, [kind] * channels), **more,
        }  # fmt: skip
        if children and i == 0 and following:
            tags[330] = (4, following)
        out += values.astype(values.dtype.newbyteorder("<")).tobytes()
        entries = b""
        for tag, (form, numbers) in sorted(tags.items()):
            raw = numbers if isinstance(numbers, bytes) else struct.pack(
                f"<{len(numbers)}{FORMS[form]}", *numbers
            )  # fmt: skip
            count = len(raw) if form in (1, 2) else len(numbers) // (2 if form in (5, 10) else 1)
            if len(raw) > 4:
                raw, long = struct.pack("<I", len(out)), raw
                out += long + b"\0" * (len(long) % 2)
            entries += struct.pack("<HHI", tag, form, count) + raw.ljust(4, b"\0")
        places.append(len(out))
        chained = 0 if children or not following else following[0]
        following = [len(out), *following] if children else [len(out)]
        out += struct.pack("<H", len(tags)) + entries + struct.pack("<I", chained)
    out[4:8] = struct.pack("<I", places[-1])
    return bytes(out)


def read(data: bytes, path: Path) -> tuple[npt.NDArray[np.uint8], str]:
    path.write_bytes(data)
    encoded = Encoded.read(path)
    image = encoded.decode()
    assert image.dtype == np.uint8
    assert image.shape[2:] == (3,)
    assert encoded.decode(gray=True).shape == image.shape[:2]
    return image, encoded.note


def saved(image: Image.Image, form: str, **options: Any) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **options)
    return data.getvalue()


def apart(image: npt.NDArray[np.uint8], expected: Image.Image) -> float:
    """Mean difference in gray levels."""
    rgb = np.asarray(expected, float)
    assert image.shape == rgb.shape
    return float(np.abs(image[..., ::-1] - rgb).mean())


def alike(image: npt.NDArray[np.uint8], gray: npt.NDArray[Any]) -> float:
    """Correlation with a gray picture; 0 where black or white of one is far from the other's."""
    assert image.shape[:2] == gray.shape
    ends = np.percentile(image, (1, 99))
    if ends[0] > 20 or ends[1] < 225:
        return 0.0
    return float(np.corrcoef(image.mean(2).ravel(), gray.ravel())[0, 1])


@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("form", ["AVIF", "HEIF", "TIFF", "PNG", "JXL"])
def test_orientation(tmp_path: Path, portrait: Image.Image, form: str, turn: int) -> None:
    exif = Image.Exif()
    exif[274] = turn
    stored = tmp_path / "x.jpg"
    portrait.save(stored, quality=95, exif=exif.tobytes())
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if form == "JXL":  # which keeps a JPEG and its orientation
        pytest.importorskip("pillow_jxl")
        data = saved(Image.open(stored), "JXL", lossless_jpeg=True)
    else:
        data = saved(portrait, form, exif=exif.tobytes())
    expected = ImageOps.exif_transpose(Image.open(stored))
    image, note = read(data, tmp_path / "x")
    assert apart(image, expected) < 4
    assert note == ""


@pytest.mark.parametrize(
    ("form", "brand"),
    [
        *(("HEIF", brand) for brand in (b"heim", b"heis", b"hevx", b"mif1")),
        *(("AVIF", brand) for brand in (b"avis", b"mif1", b"msf1")),
    ],
)
def test_brands(tmp_path: Path, portrait: Image.Image, form: str, brand: bytes) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    data = saved(portrait, form, quality=90)
    image, _ = read(data[:8] + brand + data[12:], tmp_path / "x")
    assert apart(image, portrait) < 4


@pytest.mark.parametrize(
    ("name", "form", "options"),
    [
        ("x.hif", "HEIF", {}),
        ("x.mpo", "MPO", {}),
        ("x.jxl", "JXL", {"lossless_jpeg": False}),
        ("x.jp2", "JPEG2000", {}),
        ("x.j2k", "JPEG2000", {"no_jp2": True}),
    ],
)
def test_every_container_is_read_and_listed(
    tmp_path: Path, portrait: Image.Image, name: str, form: str, options: dict[str, Any]
) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    if form == "JXL":
        pytest.importorskip("pillow_jxl")
    data = saved(portrait, form, **options)
    header = look(data)
    sides = {(header.width, header.height)}
    assert sides <= {(96, 128), (128, 96)}  # HEIF may be stored turned
    image, note = read(data, tmp_path / name)
    assert apart(image, portrait) < 5
    assert note == ""
    assert is_image_name(name)


def test_what_is_missing_is_named(
    tmp_path: Path, portrait: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pillow_jxl")
    jxl = saved(portrait, "JXL", lossless_jpeg=False)
    for module, data, extra in (("pillow_jxl", jxl, "jxl"), ("rawpy", dng(portrait), "raw")):
        monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImageError, match=rf"pip install 'fkp\[{extra}\]'"):
            read(data, tmp_path / "x")


def dng(portrait: Image.Image) -> bytes:
    """A DNG with a gray picture on its sensor and a thumbnail, turned by 90 degrees."""
    sensor = np.asarray(portrait.convert("L")).astype(np.uint16) * 16
    thumbnail = np.zeros((12, 16, 3), np.uint8)
    first: Tags = {
        254: (4, [1]), 271: (2, b"fkp\0"), 272: (2, b"test\0"), 274: (3, [6]),
        50706: (1, bytes([1, 4, 0, 0])), 50708: (2, b"fkp test\0"),
        50721: (10, [1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1]),
        50728: (5, [1, 1, 1, 1, 1, 1]), 50778: (3, [21]),
    }  # fmt: skip
    second: Tags = {
        254: (4, [0]), 262: (3, [32803]), 33421: (3, [2, 2]), 33422: (1, bytes([0, 1, 1, 2])),
        50714: (3, [0]), 50717: (4, [4095]),
    }  # fmt: skip
    return tiff((thumbnail, first), (sensor, second), children=True)


def test_a_raw_file_is_developed(tmp_path: Path, portrait: Image.Image) -> None:
    pytest.importorskip("rawpy")
    image, _ = read(dng(portrait), tmp_path / "x.dng")
    turned = np.asarray(portrait.convert("L").rotate(-90, expand=True), float)
    assert image.shape[:2] == turned.shape
    assert np.corrcoef(image.mean(2).ravel(), turned.ravel())[0, 1] > 0.9
    broken = dng(portrait)
    broken = broken.replace(b"fkp\0", b"\0\0\0\0")[: len(broken) - 300] + bytes(300)
    with pytest.raises(ImageError):
        read(broken, tmp_path / "y.dng")


@pytest.mark.parametrize("children", [True, False])
def test_a_thumbnail_is_not_the_picture(
    tmp_path: Path, portrait: Image.Image, children: bool
) -> None:
    small = np.zeros((16, 12, 3), np.uint8)
    whole = np.asarray(portrait)
    data = tiff((small, {254: (4, [1])}), (whole, {254: (4, [0])}), children=children)
    image, note = read(data, tmp_path / "x.tif")
    assert apart(image, portrait) < 1
    assert note == ""


def test_of_several_pictures_the_first_is_said(tmp_path: Path, portrait: Image.Image) -> None:
    others = [portrait.rotate(90, expand=True), portrait.rotate(180)]
    tif = saved(portrait, "TIFF", save_all=True, append_images=others)
    mpo = saved(portrait, "MPO", save_all=True, append_images=others, quality=95)
    for name, data in (("x.tif", tif), ("x.mpo", mpo)):
        image, note = read(data, tmp_path / name)
        assert apart(image, portrait) < 4
        assert note == "only the first of 3 pictures in the file was read"
    heif = pytest.importorskip("pillow_heif")
    file = heif.from_pillow(portrait)
    for other in others:
        file.add_from_pillow(other)
    file.save(tmp_path / "x.heic", quality=90, primary_index=0)
    _, note = read((tmp_path / "x.heic").read_bytes(), tmp_path / "y.heic")
    assert note == "only the first of 3 pictures in the file was read"
    file.save(tmp_path / "x.heic", quality=90, primary_index=2)
    image, note = read((tmp_path / "x.heic").read_bytes(), tmp_path / "y.heic")
    assert apart(image, others[1]) < 4
    assert note == "only the main one, number 3, of 3 pictures in the file was read"


def test_a_preview_in_a_jpeg_is_not_a_picture(portrait: Image.Image) -> None:
    small = portrait.resize((24, 32))
    data = saved(portrait, "MPO", save_all=True, append_images=[small])
    assert look(data).pictures == 1


DEEP: dict[str, Any] = {
    "ten bits": lambda gray: np.uint16(gray) * 4,
    "twelve bits": lambda gray: np.uint16(gray) * 16,
    "thermal": lambda gray: 29000 + np.uint16(gray) * 8,
    "tomogram": lambda gray: np.int16(gray) * 8 - 1024,
    "eight bits with a sign": lambda gray: np.int8(np.int16(gray) // 2 - 64),
    "long": lambda gray: np.int32(gray) * 1000 - 100_000,
    "long without a sign": lambda gray: np.uint32(gray) * 1000,
    "float": lambda gray: np.float32(gray / 255),
    "double": lambda gray: np.float64(gray) * 1e6,
}


@pytest.mark.parametrize("kind", DEEP)
def test_values_are_stretched(tmp_path: Path, portrait: Image.Image, kind: str) -> None:
    gray = np.asarray(portrait.convert("L"))
    image, note = read(tiff((DEEP[kind](gray), {})), tmp_path / "x.tif")
    assert alike(image, gray) > 0.99
    assert note == "values were stretched: percentiles 0.1 and 99.9 became black and white"


def test_colours_are_stretched_alike(tmp_path: Path, portrait: Image.Image) -> None:
    rgb = np.asarray(portrait)
    for values in (rgb.astype(np.uint16) * 16, (rgb / 255).astype(np.float32)):
        image, note = read(tiff((values, {})), tmp_path / "x.tif")
        grown = image[..., ::-1] / np.maximum(rgb, 1.0)
        assert np.ptp(np.median(grown[rgb.min(2) > 60], axis=0)) < 0.02
        assert "stretched" in note


def test_a_hot_pixel_and_a_missing_one_do_not_matter(tmp_path: Path, portrait: Image.Image) -> None:
    gray = np.asarray(portrait.convert("L")).astype(np.float32)
    gray[0, :3] = 1e6, np.nan, -np.inf
    image, _ = read(tiff((gray, {})), tmp_path / "x.tif")
    assert image[0, :3, 0].tolist() == [255, 0, 0]
    assert alike(image[1:], gray[1:]) > 0.99


def test_sixteen_bits_that_are_used_are_not_stretched(
    tmp_path: Path, portrait: Image.Image
) -> None:
    gray = np.asarray(portrait.convert("L"))
    image, note = read(tiff((gray.astype(np.uint16) * 257, {})), tmp_path / "x.tif")
    assert np.array_equal(image[..., 0], gray)
    assert note == ""


@pytest.mark.parametrize("factor", [1, 16])
def test_white_may_be_the_lowest_value(tmp_path: Path, portrait: Image.Image, factor: int) -> None:
    gray = np.asarray(portrait.convert("L"))
    negative = np.asarray((255 - gray) if factor == 1 else np.uint16(255 - gray) * factor)
    image, _ = read(tiff((negative, {262: (3, [0])})), tmp_path / "x.tif")
    assert np.corrcoef(image[..., 0].ravel(), gray.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("form", ["pgm", "png", "jp2"])
def test_twelve_bits_in_other_containers(tmp_path: Path, portrait: Image.Image, form: str) -> None:
    values = np.asarray(np.asarray(portrait.convert("L")).astype(np.uint16) * 16)
    if form == "pgm":
        data = b"P5\n# of a camera\n96 128\n4095\n" + values.astype(">u2").tobytes()
    else:
        data = saved(Image.fromarray(values), "PNG" if form == "png" else "JPEG2000")
    assert look(data).deep
    image, note = read(data, tmp_path / "x")
    assert alike(image, values) > 0.99
    assert "stretched" in note


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_without_its_end_marker(
    tmp_path: Path, portrait: Image.Image, progressive: bool
) -> None:
    data = saved(portrait, "JPEG", quality=95, progressive=progressive)
    image, note = read(data[:-2], tmp_path / "x.jpg")
    whole, _ = read(data, tmp_path / "y.jpg")
    assert np.array_equal(image, whole)
    assert note == "the end marker of the JPEG is missing, the picture itself is whole"
    with pytest.raises(ImageError, match="truncated JPEG"):
        read(data[: len(data) * 2 // 3], tmp_path / "x.jpg")


DECODE = (
    "from fkp.vision.images import Encoded; e = Encoded.read('x.jpg'); e.decode(); print(e.note)"
)


def test_a_damaged_jpeg_is_read_with_a_note_and_says_nothing_else(
    tmp_path: Path, portrait: Image.Image
) -> None:
    data = bytearray(saved(portrait.resize((384, 512)), "JPEG", quality=95))
    data[len(data) // 2 : -2] = b"\x55" * (len(data) - 2 - len(data) // 2)
    (tmp_path / "x.jpg").write_bytes(data)
    done = subprocess.run(
        [sys.executable, "-c", DECODE], cwd=tmp_path, capture_output=True, check=True, text=True,
        env={**os.environ, "PYTHONPATH": str(SAMPLES.parent)},
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.startswith("damaged: parts of the picture may be missing (Corrupt JPEG data")
    assert not re.search(r" \d+ ", done.stdout)


def test_what_others_write_to_stderr_meanwhile_is_passed_on(
    capfd: pytest.CaptureFixture[str],
) -> None:
    from fkp.vision.overhear import overheard

    with overheard() as complaints:
        os.write(2, b"Corrupt JPEG data: bad Huffman code\nanother thread\n")
    assert complaints == ["Corrupt JPEG data: bad Huffman code"]
    assert capfd.readouterr().err == "another thread\n"


def test_an_endless_chain_of_directories_ends(portrait: Image.Image) -> None:
    data = bytearray(tiff((np.asarray(portrait), {})))
    (start,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, start)
    struct.pack_into("<I", data, start + 2 + 12 * count, start)
    assert look(bytes(data)).pictures == 1


@pytest.mark.parametrize("form", [np.float16, np.uint64])
def test_rare_values_are_decoded_or_refused_with_what_to_do(
    tmp_path: Path, portrait: Image.Image, form: Any
) -> None:
    gray = np.asarray(portrait.convert("L"))
    data = tiff(((gray / 255 if form is np.float16 else gray).astype(form), {}))
    try:
        said, image = "", read(data, tmp_path / "x.tif")[0]
    except ImageError as error:
        said, image = str(error), gray
    assert "save it with 8 or 16 bits" in said if said else alike(image, gray) > 0.99
