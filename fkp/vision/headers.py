"""Facts about a picture file from its bytes, before decoding."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace

from fkp.vision import boxes, tiff


@dataclass(frozen=True, slots=True)
class Header:
    """What is known about a picture file.

    kind: jpeg, png, gif, bmp, webp, tiff, pnm, jp2, heif, avif, jxl, raw, or "" for others.
    width, height: pixels as stored, 0 if unknown. problem: why the file is incomplete, "" if it is
    not known to be. animated: whether there is more than one frame. pictures: their number in the
    file, without thumbnails and depth maps. deep: whether a value may have more than 8 bits, or a
    sign, so that black and white are not defined. unended: a JPEG without an end marker. main:
    offset of the directory of a TIFF's picture, 0 if it is the first. inverted: whether its highest
    value is black.
    """

    kind: str = ""
    width: int = 0
    height: int = 0
    problem: str = ""
    animated: bool = False
    pictures: int = 1
    deep: bool = False
    unended: bool = False
    main: int = 0
    inverted: bool = False


RAW_MAGIC = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
"""First bytes of raw files that are not TIFF: Fujifilm, Olympus, Panasonic, Sigma, Minolta."""


def look(data: bytes) -> Header:
    """Parse the header of a picture file; never raises."""
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
        if data.startswith(RAW_MAGIC):
            return Header("raw")
        if tiff.is_tiff(data):
            return _tiff(data)
        if data[:2] in (b"P2", b"P3", b"P5", b"P6"):
            return _pnm(data)
        return _boxes(data)
    except (struct.error, IndexError):
        return Header(problem="the header is cut off")


def _boxes(data: bytes) -> Header:
    """Parse JPEG XL, JPEG 2000, and other files made of boxes."""
    kind = boxes.kind(data)
    if kind == "jxl":
        return Header(kind, *boxes.jxl_size(data))
    if kind == "jp2":
        width, height, bits = boxes.jp2_size(data)
        return Header(kind, width, height, deep=bits > 8)
    if kind in ("heif", "avif"):
        return Header(kind, *boxes.heif_size(data), animated=boxes.has_sequence(data))
    return Header(kind)


def _jpeg(data: bytes) -> Header:
    """Parse the segments of a JPEG up to its scan, and check for an end marker."""
    width, height, pictures = 0, 0, 1
    for marker, start, end in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, start + 1)
        if marker == 0xE2 and data[start : start + 4] == b"MPF\0":
            pictures = _multi_picture(data, start + 4)
        if marker == 0xDA and end < len(data):
            unended = data.rfind(b"\xff\xd9", end) < 0
            return Header("jpeg", width, height, pictures=pictures, unended=unended)
    return Header("jpeg", width, height, "truncated JPEG: the end of the picture is missing")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of the content of each segment of a JPEG up to its first scan."""
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        (length,) = struct.unpack_from(">H", data, position + 2)
        yield marker, position + 4, position + 2 + length
        if marker == 0xDA:
            return
        position += 2 + length


AUXILIARY = (b"hdrgm:", b"hdrgainmap", b"iso:21496", b"iso:ts:21496", b"epth")
"""Strings at the beginning of a gain map or depth map of another picture."""


def _multi_picture(data: bytes, start: int) -> int:
    """The number of pictures in a JPEG according to its MPF segment (CIPA DC-007), whose TIFF
    header is at `start`. Thumbnails, previews, gain maps and depth maps are not counted.
    """
    try:
        pages = tiff.directories(data[start:])
    except struct.error:
        return 1
    entries = pages[0].raw.get(0xB002, b"") if pages else b""
    order = "<" if data[start : start + 2] == b"II" else ">"
    main = _jpeg_pixels(data)
    count = 0
    for flags, size, offset in struct.iter_unpack(
        f"{order}III4x", entries[: len(entries) // 16 * 16]
    ):
        if flags >> 16 & 0xFF == 0x01:  # a thumbnail
            continue
        head = data[start + offset : start + offset + min(size, 1 << 16)] if offset else data
        same = 4 * _jpeg_pixels(head) >= main
        count += offset == 0 or (same and not any(word in head for word in AUXILIARY))
    return max(count, 1)


def _jpeg_pixels(data: bytes) -> int:
    """Width times height, 0 if they are not given."""
    for marker, start, _ in _segments(data):
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC) and start + 5 <= len(data):
            height, width = struct.unpack_from(">HH", data, start + 1)
            return int(height * width)
    return 0


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
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    header = Header("png", width, height, deep=bits > 8)
    position, animated = 8, False
    while position + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + length
        animated |= kind == b"acTL"
        if kind == b"IEND" and position <= len(data):
            return replace(header, animated=animated)
    return replace(header, problem="truncated PNG: the end of the picture is missing")


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


def _pnm(data: bytes) -> Header:
    """The first three numbers after the magic: width, height, maximum value."""
    words = [line.partition(b"#")[0] for line in data[2:1024].split(b"\n")[:20]]
    numbers = [int(w) for w in b" ".join(words).split()[:3] if w.isdigit() and len(w) < 10]
    if len(numbers) < 3:
        return Header("pnm")
    return Header("pnm", numbers[0], numbers[1], deep=numbers[2] > 255)


def _tiff(data: bytes) -> Header:
    """The first picture; if that is a reduced copy of another, the largest one that is not."""
    pages = tiff.directories(data)
    if not pages:
        return Header("tiff", problem="the header is cut off")
    whole = [page for page in pages if not page.is_reduced] or pages[:1]
    chained = [page for page in whole if page.chained]
    main = max(whole, key=lambda page: page.pixels) if pages[0].is_reduced else pages[0]
    if tiff.is_raw(data, pages):
        return Header("raw", main.width, main.height)
    return Header(
        "tiff",
        main.width,
        main.height,
        pictures=max(len(chained), 1),
        deep=main.deep,
        main=0 if main is pages[0] else main.offset,
        inverted=main.inverted,
    )
