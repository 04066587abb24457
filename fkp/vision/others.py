"""Pictures that OpenCV cannot decode or does not turn upright: HEIF, AVIF, JPEG XL, raw files.

They are decoded by Pillow and by the extras pillow-heif, pillow-jxl-plugin and rawpy.
"""

import importlib
import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError
from fkp.vision import boxes

Values = npt.NDArray[Any]
"""(H, W) gray or (H, W, 3) BGR, of any type."""

_REFUSALS = (ValueError, RuntimeError, EOFError, SyntaxError, OSError, MemoryError, IndexError)
"""Exceptions of these libraries for a broken file."""

_PILLOW = Lock()


def read_heif(data: bytes) -> tuple[Values, str]:
    """The main picture of a HEIF file, upright, and a note; raises ImageError."""
    try:
        import pillow_heif
    except ImportError as error:
        raise _missing("a HEIF picture", "heif") from error
    try:
        file = pillow_heif.open_heif(
            boxes.as_still(data, b"heic"), convert_hdr_to_8bit=True, bgr_mode=True
        )
        image = np.asarray(file)
        count, main = len(file), file.primary_index
    except _REFUSALS as error:
        raise ImageError(f"cannot be decoded: {error}") from error
    return _colours(image), taken(count, main)


def read_avif(data: bytes) -> tuple[Values, str]:
    """The main picture of an AVIF file, upright, and a note; raises ImageError."""
    from PIL import ImageOps

    with opened(boxes.as_still(data, b"avif")) as image:
        return _from_pillow(ImageOps.exif_transpose(image)), ""


def read_jxl(data: bytes) -> tuple[Values, str]:
    """A JPEG XL picture, upright, and a note; raises ImageError."""
    try:
        importlib.import_module("pillow_jxl")  # registers the format with Pillow
    except ImportError as error:
        raise _missing("a JPEG XL picture", "jxl") from error
    from PIL import ImageOps

    with opened(data) as image:
        # Of a JPEG in a JPEG XL file the plugin gives the JPEG, not turned; all else it turns.
        return _from_pillow(ImageOps.exif_transpose(image) if image.jpeg else image), ""


def read_raw(data: bytes) -> tuple[Values, str]:
    """The picture of a camera's raw file, developed and upright, and a note; raises ImageError."""
    try:
        import rawpy
    except ImportError as error:
        raise ImageError(
            "a raw photograph: pip install 'fkp[raw]' to read it, or export it as JPEG or TIFF"
        ) from error
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            image = raw.postprocess(use_camera_wb=True, output_bps=8)
    except (rawpy.LibRawError, *_REFUSALS) as error:
        raise ImageError(
            f"a raw file that cannot be decoded ({_said(error)}): export it as JPEG or TIFF"
        ) from error
    return _colours(image[..., ::-1]), ""


def read_rare_tiff(data: bytes) -> tuple[Values, str]:
    """A TIFF with values of a type that OpenCV does not read, such as unsigned 32 bits, and a note.

    Raises ImageError.
    """
    try:
        with opened(data) as image:
            return _from_pillow(image), ""
    except ImageError as error:
        raise ImageError(
            "a TIFF that is damaged, or has a type of values that cannot be decoded: "
            "save it with 8 or 16 bits, or as 32-bit floating point"
        ) from error


READERS: dict[str, Callable[[bytes], tuple[Values, str]]] = {
    "heif": read_heif,
    "avif": read_avif,
    "jxl": read_jxl,
    "raw": read_raw,
}
"""Decoders by kind of file, see `fkp.vision.headers.Header`."""


def taken(count: int, main: int = 0) -> str:
    """The note on a file from which picture number `main` was read; "" if it has only one."""
    if count <= 1:
        return ""
    which = "the first" if main == 0 else f"the main one, number {main + 1},"
    return f"only {which} of {count} pictures in the file was read"


def _missing(what: str, extra: str) -> ImageError:
    return ImageError(f"{what}: pip install 'fkp[{extra}]' to read it")


def _said(error: BaseException) -> str:
    """The message of an error; LibRaw's are bytes."""
    first = error.args[0] if error.args else ""
    return first.decode("utf-8", "replace") if isinstance(first, bytes) else str(error)


@contextmanager
def opened(data: bytes) -> "Iterator[Any]":
    """A picture opened by Pillow; ImageError for whatever goes wrong, there or within.

    Pillow's own limit on the number of pixels is lifted, since the caller has one.
    """
    from PIL import Image

    with _PILLOW:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            with Image.open(io.BytesIO(data)) as image:
                yield image
        except _REFUSALS as error:
            raise ImageError(f"cannot be decoded: {error}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _from_pillow(image: Any) -> Values:
    """The values of a Pillow picture: deep gray values unchanged, all others as 8 bits."""
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return np.asarray(image)
    return _colours(np.asarray(image.convert("RGB"))[..., ::-1])


def _colours(image: Values) -> Values:
    """(H, W, 3) of a picture (H, W) or (H, W, C), without its alpha."""
    colour = image[..., :3] if image.ndim == 3 else np.repeat(image[..., None], 3, 2)
    return np.ascontiguousarray(colour)
