"""The directories of TIFF files (TIFF 6.0, BigTIFF, DNG 1.6), each describing a picture."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SUBTYPE, WIDTH, HEIGHT, BITS, PHOTOMETRIC, SUB_IFDS, SAMPLE_FORMAT, DNG_VERSION = (
    254, 256, 257, 258, 262, 330, 339, 50706,
)  # fmt: skip
"""Tags."""

CFA, LINEAR_RAW = 32803, 34892
"""Values of PHOTOMETRIC for sensor data."""

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 6: 1, 7: 1, 8: 2, 9: 4, 13: 4, 16: 8, 18: 8}
"""Bytes per value of the types that are read."""

_AT_MOST = 10_000
"""Maximum number of directories read, since a chain may be endless."""


@dataclass(frozen=True, slots=True)
class Directory:
    """One picture of a TIFF file. raw: the bytes of each tag's values.

    offset: its position in the file. chained: whether it is in the main chain, not a child.
    """

    offset: int
    chained: bool
    order: str
    types: Mapping[int, int]
    raw: Mapping[int, bytes]

    def numbers(self, tag: int) -> list[int]:
        """The integers of a tag, none if it is missing."""
        size = _SIZES.get(self.types.get(tag, 0), 0)
        if size not in (1, 2, 4, 8):
            return []
        format = {1: "B", 2: "H", 4: "I", 8: "Q"}[size]
        data = self.raw[tag]
        count = len(data) // size
        return list(struct.unpack(f"{self.order}{count}{format}", data[: count * size]))

    def number(self, tag: int, default: int = 0) -> int:
        """The first number of a tag."""
        return next(iter(self.numbers(tag)), default)

    @property
    def width(self) -> int:
        """Pixels, 0 if not given."""
        return self.number(WIDTH)

    @property
    def height(self) -> int:
        """Pixels, 0 if not given."""
        return self.number(HEIGHT)

    @property
    def pixels(self) -> int:
        """Width times height."""
        return self.width * self.height

    @property
    def is_reduced(self) -> bool:
        """Whether it is a reduced copy of another picture, or a mask."""
        return bool(self.number(SUBTYPE) & 5)

    @property
    def deep(self) -> bool:
        """Whether values have more than 8 bits, a sign, or are floating-point."""
        signed = any(kind not in (0, 1, 4) for kind in self.numbers(SAMPLE_FORMAT))
        return signed or max(self.numbers(BITS), default=1) > 8

    @property
    def inverted(self) -> bool:
        """Whether the highest value is black."""
        return PHOTOMETRIC in self.raw and self.number(PHOTOMETRIC) == 0


def is_tiff(data: bytes) -> bool:
    """Whether these are the first bytes of a TIFF or a BigTIFF."""
    return data[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def is_big(data: bytes) -> bool:
    """Whether it is a BigTIFF, with offsets of 8 bytes."""
    return data[:4] in (b"II+\0", b"MM\0+")


def is_raw(data: bytes, pages: Sequence[Directory]) -> bool:
    """Whether the picture holds a camera's sensor values: DNG, NEF, ARW, CR2 and the like."""
    sensor = any(page.number(PHOTOMETRIC) in (CFA, LINEAR_RAW) for page in pages)
    return sensor or data[8:10] == b"CR"


def directories(data: bytes) -> list[Directory]:
    """All directories, each followed by its children; incomplete ones are left out."""
    order = "<" if data[:2] == b"II" else ">"
    big = is_big(data)
    start = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
    found: list[Directory] = []
    seen = set()
    waiting = [(start, True)]
    while waiting and len(found) < _AT_MOST:
        offset, chained = waiting.pop()
        if offset in seen or not 0 < offset < len(data):
            continue
        seen.add(offset)
        try:
            directory, following = _read(data, offset, chained, order, big)
        except struct.error:
            continue
        found.append(directory)
        if chained:
            waiting.append((following, True))
        waiting += [(child, False) for child in reversed(directory.numbers(SUB_IFDS))]
    return found


def _read(data: bytes, offset: int, chained: bool, order: str, big: bool) -> tuple[Directory, int]:
    """A directory and the offset of the next one, 0 after the last. Raises struct.error."""
    wide, entry, inside = ("Q", 20, 8) if big else ("I", 12, 4)
    count_form = "Q" if big else "H"
    (count,) = struct.unpack_from(order + count_form, data, offset)
    first = offset + struct.calcsize(order + count_form)
    if first + count * entry > len(data):
        raise struct.error("cut off")
    types: dict[int, int] = {}
    raw: dict[int, bytes] = {}
    for position in range(first, first + count * entry, entry):
        tag, kind, number = struct.unpack_from(f"{order}HH{wide}", data, position)
        length = _SIZES.get(kind, 0) * number
        place = position + entry - inside
        if length > inside:
            (place,) = struct.unpack_from(order + wide, data, place)
        types[tag], raw[tag] = kind, data[place : place + length]
    (following,) = struct.unpack_from(order + wide, data, first + count * entry)
    return Directory(offset, chained, order, types, raw), following


def beginning_with(data: bytes, offset: int) -> bytes:
    """The same file with another directory as its first, for decoders that read only that one."""
    order = "<" if data[:2] == b"II" else ">"
    if is_big(data):
        return data[:8] + struct.pack(f"{order}Q", offset) + data[16:]
    return data[:4] + struct.pack(f"{order}I", offset) + data[8:]
