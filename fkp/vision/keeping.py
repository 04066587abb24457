"""The metadata of a photo that aligned pictures keep: its date and colour profile."""

import io
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision.images import Image

MADE, ORIGINAL, DIGITIZED = 0x0132, 0x9003, 0x9004
"""EXIF tags of dates: of the file, of the shot, of digitisation."""

OFFSETS = (0x9010, 0x9011, 0x9012, 0x9290, 0x9291, 0x9292)
"""EXIF tags of time zones and fractions of seconds."""

DETAILS = 0x8769
"""The EXIF directory of the shot."""

FORMATS = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP", ".tif": "TIFF",
           ".tiff": "TIFF", ".bmp": "BMP"}  # fmt: skip

NAMED = re.compile(
    r"(?<!\d)((?:19|20)\d\d)([-_. ]?)(\d\d)\2(\d\d)"
    r"(?:[-_ T](\d\d)[-.:_]?(\d\d)[-.:_]?(\d\d))?(?!\d)"
)
"""A date in a file's name, perhaps with its time."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Metadata to keep.

    date: of the shot, from EXIF or the file's name, None if unknown; the camera's own time, marked
    as UTC. exif: a block of only the dates, icc: the colour profile; b"" if there is none.
    """

    date: datetime | None = None
    exif: bytes = b""
    icc: bytes = b""


def kept_of(path: str) -> Kept:
    """The metadata to keep of a picture file; nothing if Pillow cannot read it."""
    try:
        with Pillow.open(path) as picture:
            given = picture.getexif()
            icc = picture.info.get("icc_profile") or b""
            details = given.get_ifd(DETAILS)
    except Exception:  # Pillow raises nearly anything for files that it cannot read
        return Kept(_date_in_name(path))
    dates = Pillow.Exif()
    if MADE in given:
        dates[MADE] = given[MADE]
    own = {tag: details[tag] for tag in (ORIGINAL, DIGITIZED, *OFFSETS) if tag in details}
    if own:
        dates.get_ifd(DETAILS).update(own)
    date = _parsed(own.get(ORIGINAL)) or _parsed(own.get(DIGITIZED)) or _parsed(given.get(MADE))
    rgb = icc if isinstance(icc, bytes) and icc[16:20] == b"RGB " else b""
    exif = dates.tobytes() if own or MADE in dates else b""
    return Kept(date or _date_in_name(path), exif, rgb)


def _parsed(value: object) -> datetime | None:
    """An EXIF date; cameras whose clock was never set write zeros or blanks."""
    try:
        text = f"{str(value).strip(chr(0) + ' ')} +0000"
        return datetime.strptime(text, "%Y:%m:%d %H:%M:%S %z")
    except ValueError:
        return None


def _date_in_name(path: str) -> datetime | None:
    for found in NAMED.finditer(Path(path).stem):
        year, _, month, day, *time = found.groups()
        hour, minute, second = (int(part or 0) for part in time)
        try:
            return datetime(int(year), int(month), int(day), hour, minute, second, tzinfo=UTC)
        except ValueError:
            continue
    return None


def write_kept(path: Path, image: Image, kept: Kept, quality: int = 95) -> None:
    """Write a BGR picture (H, W, 3) with kept metadata, whole or not at all; the suffix chooses the
    format. Raises ImageError.
    """
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise ImageError(f"{path}: cannot be written as {path.suffix or 'a picture'}")
    path.parent.mkdir(parents=True, exist_ok=True)
    more: dict[str, object] = {"exif": kept.exif} if kept.exif and form != "BMP" else {}
    if kept.icc and form != "BMP":
        more["icc_profile"] = kept.icc
    if form in ("JPEG", "WEBP"):
        more["quality"] = quality
    picture = Pillow.fromarray(np.ascontiguousarray(image[..., ::-1]))
    with replacing(path) as part:
        encoded = io.BytesIO()  # Pillow hides why a write to a disk failed
        try:
            picture.save(encoded, form, **more)
        except (ValueError, OSError) as error:
            raise ImageError(f"{path}: cannot be encoded: {error}") from error
        part.write_bytes(encoded.getvalue())
