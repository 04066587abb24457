"""What the first bytes of a picture file tell before anything is decoded."""

import struct
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Header:
    """kind: jpeg, png, gif, bmp, webp, tiff, heif, or "" for others.

    width, height: pixels as stored, 0 where not known. problem: why the file is incomplete, ""
    where it is not known to be. animated: whether there is more than one frame.
    """

    kind: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""
    animated: bool = False


def look(data: bytes) -> Header:
    """The header of a picture file; never raises."""
    try:
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
        if data.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png(data)
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return _gif(data)
        if data.startswith(b"BM") and data[6:10] == bytes(4):
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("bmp", abs(width), abs(height))
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            return _tiff(data)
        if data[4:8] == b"ftyp" and data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc"):
            return _heif(data)
    except (struct.error, IndexError):
        return Header(problem="the header is cut off")
    return Header()


def _jpeg(data: bytes) -> Header:
    """Walk the segments to the start of the scan, then look for the end marker behind it."""
    position, width, height = 2, 0, 0
    cut_off = "truncated JPEG: the end of the picture is missing"
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, position + 5)
        position += 2 + length
        if marker == 0xDA:
            ended = data.rfind(b"\xff\xd9", position) >= 0
            return Header("jpeg", width, height, "" if ended else cut_off)
    return Header("jpeg", width, height, cut_off)


def _gif(data: bytes) -> Header:
    """Walk the blocks, counting pictures."""
    width, height, flags = struct.unpack_from("<HHB", data, 6)
    position = 13 + _palette(flags)
    pictures = 0
    while position < len(data) and data[position] != 0x3B:
        if data[position] == 0x2C:
            pictures += 1
            position += 11 + _palette(data[position + 9])  # and the code size
        else:
            position += 2
        while position < len(data) and data[position]:
            position += 1 + data[position]
        position += 1
    ended = position < len(data)
    problem = "" if ended or pictures > 1 else "truncated GIF: the end of the picture is missing"
    return Header("gif", width, height, problem, pictures > 1)


def _palette(flags: int) -> int:
    """Bytes of a GIF's colour table."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    position, animated = 8, False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        animated |= kind == b"acTL"
        if kind == b"IEND" and position <= len(data):
            return Header("png", width, height, animated=animated)
    return Header("png", width, height, "truncated PNG: the end of the picture is missing")


def _heif(data: bytes) -> Header:
    """The largest of the sizes in the `ispe` boxes: a main picture may be made of tiles."""
    width = height = 0
    position = data.find(b"ispe")
    while position >= 0:
        sides = struct.unpack_from(">II", data, position + 8)
        if sides[0] * sides[1] > width * height:
            width, height = sides
        position = data.find(b"ispe", position + 4, 1 << 20)
    return Header("heif", width, height)


def _webp(data: bytes) -> Header:
    chunk = data[12:16]
    animated = chunk == b"VP8X" and bool(data[20] & 2)
    if chunk == b"VP8X":
        width, height = (int.from_bytes(data[i : i + 3], "little") + 1 for i in (24, 27))
    elif chunk == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (v & 0x3FFF for v in struct.unpack_from("<HH", data, 26))
    (size,) = struct.unpack_from("<I", data, 4)
    whole = size + 8 <= len(data)
    problem = "" if whole else "truncated WebP: the end of the picture is missing"
    return Header("webp", width, height, problem, animated)


def _tiff(data: bytes) -> Header:
    """The first page's width and height, tags 256 and 257."""
    order = "<" if data[:2] == b"II" else ">"
    (start,) = struct.unpack_from(f"{order}I", data, 4)
    (count,) = struct.unpack_from(f"{order}H", data, start)
    sides = {}
    for i in range(count):
        tag, kind = struct.unpack_from(f"{order}HH", data, start + 2 + 12 * i)
        if tag in (256, 257):
            form = "H" if kind == 3 else "I"
            (sides[tag],) = struct.unpack_from(order + form, data, start + 10 + 12 * i)
    return Header("tiff", sides.get(256, 0), sides.get(257, 0))
