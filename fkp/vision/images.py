"""Reading and writing pictures, with every failure turned into a reason."""

import hashlib
import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision.depth import to_8_bits
from fkp.vision.headers import Header, look
from fkp.vision.others import READERS, Values, read_rare_tiff, taken
from fkp.vision.overhear import overheard
from fkp.vision.tiff import beginning_with

Image = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff"}
    | {".gif", ".pbm", ".pgm", ".ppm", ".pnm", ".avif", ".heic", ".heif", ".hif", ".jxl"}
    | {".jp2", ".j2k", ".jpc", ".j2c", ".jpx", ".jpf"}
    | {".dng", ".nef", ".nrw", ".cr2", ".cr3", ".arw", ".raf", ".orf", ".rw2", ".pef", ".srw"}
)
"""Extensions by which pictures are recognised in a folder."""

# The decoders print messages to stderr, which are turned into reasons here.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def is_image_name(name: str) -> bool:
    """Whether the file name has the extension of a picture."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES


WRITABLE = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
"""Formats in which overlays are written."""

LONGEST_NAME = 255
"""Maximum length of a file name in bytes, on nearly all file systems."""


def overlay_name(name: str) -> str:
    """The name for a drawn copy of a picture: its own, where its format can be written.

    Otherwise `.png` is added, and also to names that would then collide: `a.gif.png` is the copy of
    `a.gif`, and `a.gif.png.png` that of `a.gif.png`. A file without a picture's extension gets
    `.overlay.png`. Long names are shortened.
    """
    bare = name
    while bare.lower().endswith(".png"):
        bare = bare[:-4]
    if name.lower().endswith(WRITABLE):
        taken = bare != name and is_image_name(bare) and not bare.lower().endswith(WRITABLE)
        added = ".overlay.png" if name.endswith(".overlay.png") else ".png" if taken else ""
    else:
        added = ".png" if is_image_name(name) else ".overlay.png"
    return fitting_name(name + added)


def fitting_name(name: str) -> str:
    """A path whose last part is shortened to what file systems accept, with ten digits to keep it
    unique.
    """
    folder, last = os.path.split(name)
    data = os.fsencode(last)
    if len(data) <= LONGEST_NAME:
        return name
    suffix = os.path.splitext(last)[1]
    end = f"~{hashlib.sha256(data).hexdigest()[:10]}{suffix}"
    kept = data[: LONGEST_NAME - len(os.fsencode(end))].decode("utf-8", "ignore")
    return os.path.join(folder, kept + end)


REDUCED = {
    1: (cv2.IMREAD_COLOR, cv2.IMREAD_GRAYSCALE),
    2: (cv2.IMREAD_REDUCED_COLOR_2, cv2.IMREAD_REDUCED_GRAYSCALE_2),
    4: (cv2.IMREAD_REDUCED_COLOR_4, cv2.IMREAD_REDUCED_GRAYSCALE_4),
    8: (cv2.IMREAD_REDUCED_COLOR_8, cv2.IMREAD_REDUCED_GRAYSCALE_8),
}
"""OpenCV's flags for decoding at a fraction of the size, in colour and gray."""


MAX_PIXELS = 300_000_000
"""Pictures with more pixels are not decoded, since a small file could exhaust the memory."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A picture file in memory, to be decoded at one size or several.

    said: notes for the user, as far as it has been decoded.
    """

    data: bytes
    header: Header
    said: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: str | Path, max_pixels: int = MAX_PIXELS) -> "Encoded":
        """Read a file; raises ImageError with the reason alone (the caller knows the path)."""
        data = _read_bytes(path)
        header = look(data)
        if header.problem:  # the decoders would fill missing parts with gray
            raise ImageError(header.problem)
        if header.width * header.height > max_pixels:
            raise ImageError(
                f"{header.width} x {header.height} pixels exceed the maximum of {max_pixels}"
            )
        said = ["animated: only the first frame was read"] if header.animated else []
        if header.pictures > 1:
            said.append(taken(header.pictures))
        return cls(data, header, said)

    def reduction(self, needed: int) -> int:
        """How far a JPEG can be reduced, 1, 2, 4 or 8 times, to a long side above `needed`."""
        longest = max(self.header.width, self.header.height) if self.header.kind == "jpeg" else 0
        return next(f for f in (8, 4, 2, 1) if f == 1 or longest >= f * needed)

    def upright(self, image: Image) -> tuple[int, int]:
        """Width and height of the whole picture, upright, from what was decoded of it."""
        height, width = image.shape[:2]
        stored = self.header.width, self.header.height
        if self.header.kind != "jpeg" or stored == (0, 0):  # it is complete
            return width, height
        return stored if (width < height) == (stored[0] < stored[1]) else stored[::-1]

    @property
    def note(self) -> str:
        """Notes on the file for the user, "" if there are none; complete after decoding."""
        return "; ".join(self.said)

    def decode(self, factor: int = 1, gray: bool = False) -> Image:
        """The picture as uint8 (H, W, 3) BGR, or (H, W) gray, upright.

        `factor` reduces it, which is cheap for a JPEG. Values of more than 8 bits are converted to
        8, alpha is dropped, CMYK becomes BGR. Raises ImageError.
        """
        with overheard() as complaints:
            values, note = self._values(factor, gray)
        self._say(note)
        self._weigh(complaints)
        if values is None:
            raise ImageError("; ".join(["not a picture that can be decoded", *complaints[:1]]))
        image, note = to_8_bits(values)
        self._say(note)
        if self.header.inverted and values.dtype != np.uint8:  # OpenCV turns 8 bits itself
            image = np.asarray(255 - image, np.uint8)
        if gray and image.ndim == 3:
            return to_gray(image)
        return image if gray or image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)

    def _values(self, factor: int, gray: bool) -> tuple[Values | None, str]:
        """The picture as its decoder returns it, None if it fails; and a note."""
        header, data = self.header, self.data
        if header.kind in READERS:
            return READERS[header.kind](data)
        if header.unended:
            data += b"\xff\xd9"
        if header.main:
            data = beginning_with(data, header.main)
        flags = REDUCED[factor][gray]
        if header.deep:
            any_type = cv2.IMREAD_ANYCOLOR if header.kind == "tiff" else cv2.IMREAD_COLOR
            flags = cv2.IMREAD_ANYDEPTH | any_type
        try:
            image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
        except cv2.error as error:
            raise ImageError(f"cannot be decoded: {error.err}") from error
        if image is None and header.deep and header.kind == "tiff":
            return read_rare_tiff(data)
        if image is not None and image.ndim == 3 and image.shape[2] != 3:
            image = image[:, :, :3] if image.shape[2] == 4 else image[:, :, 0]
        return image, ""

    def _weigh(self, complaints: Sequence[str]) -> None:
        """Interpret the decoder's messages: nothing, a note, or ImageError."""
        corrupt = [line for line in complaints if line.startswith("Corrupt JPEG data")]
        bad = [re.sub(r" \d+ ", " ", line) for line in corrupt]  # keeps notes alike
        if bad and self.header.unended:
            raise ImageError("truncated JPEG: the end of the picture is missing")
        if bad:
            self._say(f"damaged: parts of the picture may be missing ({bad[0]})")
        if self.header.unended:
            self._say("the end marker of the JPEG is missing, the picture itself is whole")

    def _say(self, note: str) -> None:
        if note and note not in self.said:
            self.said.append(note)


def read_image(path: str | Path, gray: bool = False) -> Image:
    """Read a whole picture, see Encoded.decode; raises ImageError with the reason alone."""
    return Encoded.read(path).decode(gray=gray)


def to_gray(crop: Image) -> Image:
    """Luma of BGR (H, W, 3), ITU-R BT.601, as OpenCV reads gray pictures."""
    weights = np.array([0.114, 0.587, 0.299], np.float32)
    return np.asarray(np.rint(crop.astype(np.float32) @ weights), np.uint8)


def resized(image: Image, factor: float) -> Image:
    """The picture at `factor` times its size.

    Averaged down by a power of two, as in reduced JPEG decoding, then bilinear: many times faster
    than averaging over fractions of pixels.
    """
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    if size == (width, height):
        return image
    step = 1
    while 2 * step * factor <= 1 and 2 * step <= min(height, width):
        step *= 2
    if step > 1:
        even = image[: height // step * step, : width // step * step]
        small = (even.shape[1] // step, even.shape[0] // step)
        image = np.asarray(cv2.resize(even, small, interpolation=cv2.INTER_AREA), np.uint8)
    along = [side / (new * step) for side, new in zip((width, height), size, strict=True)]
    matrix = np.array([[along[0], 0, along[0] / 2 - 0.5], [0, along[1], along[1] / 2 - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def write_image(path: Path, image: Image, quality: int = 90) -> None:
    """Write a picture atomically; the suffix chooses the format."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality] if path.suffix.lower() in (".jpg", ".jpeg") else []
    try:
        written, data = cv2.imencode(path.suffix, image, flags)
    except cv2.error as error:
        raise ImageError(f"{path}: cannot be encoded: {error.err}") from error
    if not written:
        raise ImageError(f"{path}: cannot be encoded as {path.suffix}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data.tobytes())


def encoded_jpeg(image: Image, quality: int) -> bytes:
    """A picture as the bytes of a JPEG."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _read_bytes(path: str | Path) -> bytes:
    try:
        # Opening a pipe would wait for a writer forever.
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            os.scandir(path).close()  # raises where it cannot be listed
        if not stat.S_ISREG(mode):
            raise ImageError("not a regular file")
        data = Path(path).read_bytes()
    except OSError as error:
        raise ImageError((error.strerror or str(error)).lower()) from error
    except ValueError as error:
        raise ImageError(f"not a possible file name: {error}") from error
    if not data:
        raise ImageError("empty file (0 bytes)")
    return data
