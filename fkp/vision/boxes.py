"""Files made of boxes (ISO/IEC 14496-12): HEIF, AVIF, JPEG XL, JPEG 2000, and their sizes."""

import struct
from collections.abc import Iterator

_JXL = b"\0\0\0\x0cJXL \r\n\x87\n"
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_AV1 = (b"avif", b"avis")
_HEVC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
_ANY = (b"mif1", b"mif2", b"mif3", b"msf1", b"miaf", b"jpeg", b"avci", b"j2ki")
"""Brands of pictures: coded as AV1, as HEVC, or as declared by the file's items."""

_HEAD = 1 << 20
"""Number of leading bytes that contain the sizes of a picture."""

_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Aspect ratios (width to height) by their number in a JPEG XL header, from 1."""


def kind(data: bytes) -> str:
    """jxl, jp2, heif, avif, raw (Canon's CR3), or "" for any other file."""
    if data[:2] == b"\xff\x0a" or data.startswith(_JXL):
        return "jxl"
    if data.startswith((_JP2, b"\xff\x4f\xff\x51")):
        return "jp2"
    if data[4:8] != b"ftyp":
        return ""
    (length,) = struct.unpack_from(">I", data)
    brands = [data[8:12], *(data[i : i + 4] for i in range(16, min(length, 256), 4))]
    if brands[0] == b"crx ":
        return "raw"
    for brand in brands:
        if brand in _AV1:
            return "avif"
        if brand in _HEVC:
            return "heif"
    if any(brand in _ANY for brand in brands):
        return "avif" if b"av01" in data[:_HEAD] and b"hvc1" not in data[:_HEAD] else "heif"
    return ""


def top_level(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the content of each top-level box."""
    position = 0
    while position + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        start = position + 8
        if length == 1 and start + 8 <= len(data):
            (length,) = struct.unpack_from(">Q", data, start)
            start += 8
        end = len(data) if length == 0 else position + length
        if end < start:
            return
        yield name, start, min(end, len(data))
        position = end


def has_sequence(data: bytes) -> bool:
    """Whether the file has timed frames, besides or instead of pictures."""
    return any(name == b"moov" for name, _, _ in top_level(data))


def as_still(data: bytes, brand: bytes) -> bytes:
    """The file with a main brand that decoders of single pictures accept, if it holds a picture."""
    if any(name == b"meta" for name, _, _ in top_level(data)):
        return data[:8] + brand + data[12:]
    return data


def heif_size(data: bytes) -> tuple[int, int]:
    """The largest size in the `ispe` boxes, since a main picture may be made of tiles."""
    width = height = 0
    position = data.find(b"ispe", 0, _HEAD)
    while position >= 0:
        sides = struct.unpack_from(">II", data, position + 8)
        if sides[0] * sides[1] > width * height:
            width, height = sides
        position = data.find(b"ispe", position + 4, _HEAD)
    return width, height


def jp2_size(data: bytes) -> tuple[int, int, int]:
    """Width, height and bits per value from the SIZ segment; zeros if there is none."""
    start = data.find(b"\xff\x4f\xff\x51", 0, _HEAD)
    if start < 0:
        return 0, 0, 0
    right, bottom, left, top = struct.unpack_from(">IIII", data, start + 8)
    return right - left, bottom - top, (data[start + 42] & 0x7F) + 1


def jxl_size(data: bytes) -> tuple[int, int]:
    """Width and height from the SizeHeader (ISO/IEC 18181-1, D.2); zeros if there is none."""
    start = 0
    if data[:2] != b"\xff\x0a":
        within = {b"jxlc": 0, b"jxlp": 4}  # a part is preceded by its number
        found = (first + within[name] for name, first, _ in top_level(data) if name in within)
        start = next(found, len(data))
        if data[start : start + 2] != b"\xff\x0a":
            return 0, 0
    bits = _Bits(data[start + 2 : start + 16])
    small = bits.take(1)
    height = _jxl_side(bits, small)
    ratio = bits.take(3)
    if ratio == 0:
        return _jxl_side(bits, small), height
    across, down = _RATIOS[ratio - 1]
    return height * across // down, height


def _jxl_side(bits: "_Bits", small: int) -> int:
    if small:
        return (bits.take(5) + 1) * 8
    return bits.take((9, 13, 18, 30)[bits.take(2)]) + 1


class _Bits:
    """Reads bits of a number, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self.rest = int.from_bytes(data, "little")

    def take(self, count: int) -> int:
        """The next `count` bits."""
        value = self.rest & ((1 << count) - 1)
        self.rest >>= count
        return value
