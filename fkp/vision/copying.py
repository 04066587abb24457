"""Copies of picture files: same size, format and quality, without metadata."""

import importlib
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision import boxes
from fkp.vision.covering import Outline, cover
from fkp.vision.images import MAX_PIXELS, Encoded
from fkp.vision.others import opened

FORMS = {
    "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP", "tiff": "TIFF",
    "pnm": "PPM", "jp2": "JPEG2000", "avif": "AVIF", "heif": "HEIF", "jxl": "JXL",
}  # fmt: skip
"""Pillow's names of the kinds of files (see `Header.kind`) that can be written."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".webp", ".tif"}
    | {".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".j2k", ".jpc", ".j2c", ".jpx", ".jpf"}
    | {".avif", ".heic", ".heif", ".hif", ".jxl"}
)
"""Suffixes that a copy keeps; other names, such as those of raw files, get `.png`."""

PLUGINS = {"HEIF": "pillow_heif", "JXL": "pillow_jxl"}
"""Packages that Pillow needs for a format."""

FINE = 95
"""Quality for formats whose files do not record it."""

ORIENTATION, MAKER_NOTE, THUMBNAILS = 0x0112, 0x927C, 1
"""EXIF tags of the orientation and of possible previews, and the directory of thumbnails."""

EXIF_DIRECTORY = 0x8769


@dataclass(frozen=True, slots=True, eq=False)
class Original:
    """The original pixels of a file, upright, to be changed and written again.

    pixels: (H, W) or (H, W, C) of the file's own type. mode: Pillow's name of the colours, "" if
    OpenCV writes them (BGR). form: Pillow's name of the format. options: for writing. exif: bytes
    without orientation, maker notes and thumbnails, b"" if the file has none. note: what the copy
    lacks.
    """

    pixels: npt.NDArray[Any]
    mode: str
    form: str
    options: dict[str, Any] = field(default_factory=dict)
    exif: bytes = b""
    note: str = ""

    @classmethod
    def read(cls, path: str | Path, max_pixels: int = MAX_PIXELS) -> "Original":
        """Read a file; raises ImageError with only the reason."""
        encoded = Encoded.read(path, max_pixels)
        kind = encoded.header.kind
        form = FORMS.get(kind, "")
        if encoded.header.deep and kind in ("png", "tiff"):
            deep = _deep(encoded, form)
            if deep is not None:
                return deep
        if form and not encoded.header.main and _known(form):
            try:
                return replace(_native(encoded, form), note=encoded.note)
            except ImageError:
                form = ""
        pixels = encoded.decode()[..., ::-1]
        note = "written anew as 8-bit RGB: its own format cannot be written"
        notes = "; ".join(filter(None, (encoded.note, note)))
        known = form if form and _known(form) else "PNG"
        return cls(np.ascontiguousarray(pixels), "RGB", known, _fine(known), note=notes)

    @property
    def size_wh(self) -> tuple[int, int]:
        """Width and height, upright."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def cover(self, outlines: Iterable[Outline], method: str) -> None:
        """Hide what is inside the outlines, see `fkp.vision.covering.cover`."""
        black = (0, 0, 0, 255) if self.mode == "CMYK" else 0
        cover(self.pixels, outlines, method, self.mode in ("RGBA", "LA"), black)

    def bgr(self) -> npt.NDArray[np.uint8]:
        """The pixels as (H, W, 3) uint8 BGR, for display."""
        pixels = self.pixels
        if pixels.dtype != np.uint8:
            low, high = float(np.nanmin(pixels)), float(np.nanmax(pixels))
            top = max(high - low, 1e-9)
            pixels = np.rint((pixels - low) * (255.0 / top)).astype(np.uint8)
        if self.mode == "CMYK":
            inks = 255 - pixels.astype(np.float32)
            pixels = np.rint(inks[..., :3] * inks[..., 3:] / 255).astype(np.uint8)
        gray = pixels if pixels.ndim == 2 else pixels[..., 0]
        if pixels.ndim == 2 or pixels.shape[2] < 3:
            return np.ascontiguousarray(np.repeat(gray[..., None], 3, 2))
        return np.ascontiguousarray(pixels[..., :3] if not self.mode else pixels[..., 2::-1])

    def write(self, path: Path, metadata: bool = False) -> None:
        """Write the picture whole or not at all.

        The colour profile is kept, without which colours would change. metadata: also keep EXIF,
        except thumbnails and maker notes. Raises ImageError if the format cannot hold the picture,
        and OSError if the disk cannot be written.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part:
            if not self.mode:
                part.write_bytes(self._deep_bytes())
                return
            options = dict(self.options)
            if metadata and self.exif:
                options["exif"] = self.exif
            from PIL import Image

            encoded = io.BytesIO()  # Pillow hides why a write to a disk failed
            try:
                image = Image.fromarray(self.pixels, self.mode)
                image.save(encoded, format=self.form, **options)
            except (ValueError, KeyError, RuntimeError, SystemError, OSError) as error:
                raise ImageError(f"cannot be written as {self.form}: {error}") from error
            part.write_bytes(encoded.getvalue())

    def _deep_bytes(self) -> bytes:
        try:
            written, data = cv2.imencode({"PNG": ".png", "TIFF": ".tiff"}[self.form], self.pixels)
        except cv2.error as error:
            raise ImageError(f"cannot be written as {self.form}: {error.err}") from error
        if not written:
            raise ImageError(f"cannot be written as {self.form}")
        return data.tobytes()


def _known(form: str) -> bool:
    """Whether Pillow can write the format here."""
    from PIL import Image

    Image.init()
    if form in PLUGINS:
        try:
            plugin = importlib.import_module(PLUGINS[form])
        except ImportError:
            return False
        if form == "HEIF":
            plugin.register_heif_opener()
    return form in Image.SAVE


def _deep(encoded: Encoded, form: str) -> Original | None:
    """Read a picture of more than 8 bits with OpenCV; None if it has 8 bits or cannot be read."""
    flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        pixels = cv2.imdecode(np.frombuffer(encoded.data, np.uint8), flags)
    except cv2.error:
        return None
    if pixels is None or pixels.dtype == np.uint8:
        return None
    note = encoded.note
    if b"iCCP" in encoded.data[: 1 << 16] or (form == "TIFF" and b"acsp" in encoded.data):
        note = "; ".join(filter(None, (note, "the copy has no colour profile")))
    return Original(np.asarray(pixels), "", form, note=note)


def _native(encoded: Encoded, form: str) -> Original:
    """Read a picture with Pillow, in its own colours."""
    from PIL import ImageOps

    data = encoded.data
    if form == "AVIF":
        data = boxes.as_still(data, b"avif")
    with opened(data) as image:
        options = _options(image, form, encoded)
        turned = form != "JXL" or bool(getattr(image, "jpeg", False))
        upright = ImageOps.exif_transpose(image) if turned else image
        exif = _exif(image)  # which removes the orientation
        if upright.mode in ("P", "PA"):
            upright = upright.convert("RGBA" if "transparency" in image.info else "RGB")
        elif upright.mode == "1":
            upright = upright.convert("L")
        if form == "GIF" and upright.mode == "RGBA":
            upright = upright.convert("RGB")
        return Original(np.array(upright), upright.mode, form, options, exif)


def _options(image: Any, form: str, encoded: Encoded) -> dict[str, Any]:
    """The options with which a picture was written."""
    options = _fine(form)
    if form == "JPEG" and hasattr(image, "quantization"):
        from PIL import JpegImagePlugin

        options = {"qtables": image.quantization}
        sampling = JpegImagePlugin.get_sampling(image)
        if image.mode != "L":
            options["subsampling"] = max(sampling, 0)
        options["progressive"] = bool(image.info.get("progressive"))
    elif form == "TIFF" and image.mode != "1" and image.info.get("compression"):
        options = {"compression": image.info["compression"]}
    elif form == "WEBP" and b"VP8L" in encoded.data and b"VP8 " not in encoded.data[: 1 << 20]:
        options = {"lossless": True}
    elif form == "JPEG2000" and encoded.header.kind == "jp2":
        options = {"irreversible": False}
    profile = image.info.get("icc_profile")
    return {**options, "icc_profile": profile} if profile else options


def _fine(form: str) -> dict[str, Any]:
    """The options for a format whose files do not record their quality."""
    return {"quality": FINE} if form in ("JPEG", "WEBP", "AVIF", "HEIF", "JXL") else {}


def _exif(image: Any) -> bytes:
    """The EXIF data of a picture that was turned upright, without possible previews."""
    exif = image.getexif()
    if not len(exif):
        return b""
    exif.pop(ORIENTATION, None)
    exif.get_ifd(EXIF_DIRECTORY).pop(MAKER_NOTE, None)
    exif.get_ifd(THUMBNAILS).clear()
    data: bytes = exif.tobytes()
    return data
