"""Reading and writing pictures, with every failure turned into a reason."""

import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError

Image = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".gif"}
    | {".pbm", ".pgm", ".ppm", ".pnm", ".jp2", ".avif"}
)
"""What counts as a picture by its name when a folder is listed."""

# The decoders print their own complaints to stderr; each of them becomes a reason here.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for a picture."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


def single_thread() -> None:
    """Keep OpenCV to one thread in this process: the workers are the parallelism."""
    cv2.setNumThreads(1)


def overlay_name(name: str) -> str:
    """The name for a drawn copy of a picture: its own, where its format can be written."""
    writable = name.lower().endswith((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))
    return name if writable else f"{name}.png"


REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture file in memory, to be decoded at one size or several."""

    data: bytes
    longest: int  # long side in pixels where the header tells it cheaply (JPEG), else 0

    @classmethod
    def read(cls, path: str | Path) -> "Encoded":
        """Read a file; raises ImageError with the reason alone (the caller knows the path)."""
        data = _read_bytes(path)
        longest = 0
        if data.startswith(b"\xff\xd8\xff"):
            longest, complete = _look_at_jpeg(data)
            if not complete:
                raise ImageError("truncated JPEG: the end of the picture is missing")
        elif data.startswith(b"\x89PNG\r\n\x1a\n") and not _png_ends(data):
            # The decoders would fill what is missing with gray.
            raise ImageError("truncated PNG: the end of the picture is missing")
        return cls(data, longest)

    def reduction(self, needed: int) -> int:
        """How far a JPEG can be reduced, 1, 2, 4 or 8 times, with a long side of `needed` left."""
        return next(
            factor for factor in (8, 4, 2, 1) if factor == 1 or self.longest >= factor * needed
        )

    def decode(self, factor: int = 1, gray: bool = False) -> Image:
        """The picture as uint8 (H, W, 3) BGR, or (H, W) gray, upright by its EXIF tag.

        `factor` reduces it; a JPEG costs little then. 16-bit pictures are brought to 8 bits, alpha
        is dropped, CMYK becomes BGR. Raises ImageError.
        """
        flags = cv2.IMREAD_GRAYSCALE if gray else REDUCED[factor]
        try:
            image = cv2.imdecode(np.frombuffer(self.data, np.uint8), flags)
        except cv2.error as error:
            raise ImageError(f"cannot be decoded: {error.err}") from error
        if image is None:
            raise ImageError("not a picture that can be decoded")
        return np.asarray(image, np.uint8)


def read_image(path: str | Path, gray: bool = False) -> Image:
    """Read a whole picture, see Encoded.decode; raises ImageError with the reason alone."""
    return Encoded.read(path).decode(gray=gray)


def to_gray(crop: Image) -> Image:
    """Luma of BGR (H, W, 3), ITU-R BT.601, as OpenCV reads gray pictures."""
    weights = np.array([0.114, 0.587, 0.299], np.float32)
    return np.asarray(np.rint(crop.astype(np.float32) @ weights), np.uint8)


def enlarge(image: Image, factor: float) -> Image:
    """The picture at `factor` times its size, bilinear; itself for 1."""
    if factor == 1:
        return image
    larger = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR)
    return np.asarray(larger, np.uint8)


def write_image(path: Path, image: Image, quality: int = 90) -> None:
    """Write a picture whole or not at all; the suffix chooses the format."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    try:
        written, data = cv2.imencode(path.suffix, image, flags)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be encoded: {error.err}") from error
    if not written:
        raise ImageError(f"{path}: cannot be encoded as {path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data.tobytes())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _read_bytes(path: str | Path) -> bytes:
    try:
        # Opening a pipe would wait for a writer for ever.
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise ImageError("not a regular file")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError((error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise ImageError(f"not a possible file name: {error}") from error
    if not data:
        raise ImageError("empty file (0 bytes)")
    return data


def _look_at_jpeg(data: bytes) -> tuple[int, bool]:
    """The long side of a JPEG by its frame header (0 without), and whether its end is there.

    Walks the segments to the start of the scan, then looks for the end marker behind it.
    """
    position, longest = 2, 0
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if (
            0xC0 <= marker <= 0xCF
            and marker not in (0xC4, 0xC8, 0xCC)
            and position + 9 <= len(data)
        ):
            longest = max(struct.unpack_from(">HH", data, position + 5))
        position += 2 + length
        if marker == 0xDA:
            return longest, data.rfind(b"\xff\xd9", position) >= 0
    return longest, False


def _png_ends(data: bytes) -> bool:
    position: int = 8
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        if kind == b"IEND":
            return bool(position <= len(data))
    return False
