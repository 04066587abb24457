"""Frames of a clip: times, and pictures that are upright and have square pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

import av
import cv2
import numpy as np

from fkp.errors import ImageError
from fkp.vision.hdr import gray_of, tone_mapped
from fkp.vision.images import Image, read_image, to_gray

SQUARE = Fraction(1)

_BT709, _BT601 = 1, 5
"""FFmpeg's colour spaces (SWS_CS_ITU709, SWS_CS_ITU601)."""

_SPACES = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
"""swscale's numbers for the colour spaces of frames (AVCOL_SPC_*)."""

_FULL = 2
"""FFmpeg's colour range (AVCOL_RANGE_JPEG) in which luma goes from 0 to 255, not 16 to 235."""


class Picture(Protocol):
    """The picture of a frame. aspect: pixel aspect ratio as stored, upright."""

    @property
    def aspect(self) -> Fraction: ...

    def stored(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The stored size of this picture, upright, given its size with square pixels."""
        ...

    def bgr(self) -> Image:
        """(H, W, 3) uint8 BGR, upright, with square pixels; raises ImageError."""
        ...

    def gray(self) -> Image:
        """(H, W) uint8 luma, likewise."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a clip.

    index: from 0. pts: time since the first frame in ticks of the clip's time base; time: the same
    in seconds; both increase. timestamp: seconds by the clip's own clock. problem: why there is no
    picture, or "".
    """

    index: int
    pts: int
    time: float
    timestamp: float
    problem: str
    picture: Picture | None

    def bgr(self) -> Image:
        """(H, W, 3) uint8 BGR, upright, with square pixels; raises ImageError."""
        return self._there().bgr()

    def gray(self) -> Image:
        """(H, W) uint8 luma, likewise."""
        return self._there().gray()

    def _there(self) -> Picture:
        if self.picture is None:
            raise ImageError(self.problem)
        return self.picture


@dataclass(frozen=True, slots=True)
class Turn:
    """How to turn a stored picture upright: transpose it or not, then mirror it."""

    transposed: bool = False
    across: bool = False  # left and right
    down: bool = False  # top and bottom

    def of(self, image: Image) -> Image:
        """A stored picture (H, W) or (H, W, 3), upright."""
        if self.transposed:
            image = image.swapaxes(0, 1)
        rows, columns = slice(None, None, -1 if self.down else 1), slice(None)
        if self.across:
            columns = slice(None, None, -1)
        return np.ascontiguousarray(image[rows, columns])


AS_STORED = Turn()


def turn_of(decoded: Any) -> tuple[Turn, str]:
    """The rotation in a frame's display matrix, and a note if it is not a multiple of 90 degrees.

    The matrix takes (x, y) to (a x + c y, b x + d y) (ISO/IEC 14496-12, 6.2.2).
    """
    data = [bytes(one) for one in decoded.side_data if "DISPLAYMATRIX" in str(one.type)]
    if not data or len(data[0]) < 36:
        return AS_STORED, ""
    a, b, _, c, d = np.frombuffer(data[0], "=i4")[:5].astype(float)
    straight, across = abs(a) + abs(d), abs(b) + abs(c)
    if straight == across == 0:
        return AS_STORED, ""
    note = ""
    if min(straight, across) > 0.02 * max(straight, across):
        angle = np.degrees(np.arctan2(b, a))
        note = f"a rotation by {angle:.0f} degrees is rounded to a multiple of 90"
    if straight >= across:
        return Turn(False, a < 0, d < 0), note
    return Turn(True, c < 0, b < 0), note


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A frame of PyAV. pixel: pixel aspect ratio before turning; transfer: `pq` or `hlg` for high
    dynamic range, or "".
    """

    frame: Any
    turn: Turn = AS_STORED
    pixel: Fraction = SQUARE
    transfer: str = ""

    @property
    def aspect(self) -> Fraction:
        """Pixel aspect ratio as stored, upright."""
        return 1 / self.pixel if self.turn.transposed else self.pixel

    @property
    def is_turned(self) -> bool:
        """Whether it is stored turned or mirrored."""
        return self.turn != AS_STORED

    def stored(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The stored size, upright."""
        width, height = size_wh
        if self.turn.transposed:
            return width, max(1, round(height / self.pixel))
        return max(1, round(width / self.pixel)), height

    def bgr(self) -> Image:
        """(H, W, 3) uint8 BGR."""
        if self.transfer:
            rgb = self._converted("rgb48le").astype(np.uint16, copy=False)
            return self._upright(tone_mapped(rgb, self.transfer))
        return self._upright(np.asarray(self._converted("bgr24"), np.uint8))

    def gray(self) -> Image:
        """(H, W) uint8 luma, taken from the frame if it has such a plane."""
        luma = self._luma()
        return self._upright(luma) if luma is not None else to_gray(self.bgr())

    def _converted(self, format: str) -> Any:
        """The pixels in an FFmpeg format, converted by the frame's colour space."""
        space = _SPACES.get(self.frame.colorspace)
        if space is None:  # untagged: as players assume
            hd = self.frame.width >= 1280 or self.frame.height > 576
            space = _BT709 if hd else _BT601
        # PyAV before 17 ignores a source space equal to the target, which RGB does not use.
        other = _BT601 if space != _BT601 else _BT709
        try:
            whole = self.frame.reformat(format=format, src_colorspace=space, dst_colorspace=other)
            return whole.to_ndarray()
        except (av.error.FFmpegError, ValueError) as error:
            name = self.frame.format.name
            raise ImageError(f"pixel format {name} cannot be converted") from error

    def _luma(self) -> Image | None:
        """The luma plane in 8 bits; None if the format has none."""
        format, plane = self.frame.format, self.frame.planes[0]
        bits = format.components[0].bits
        named = format.name.startswith(("yuv", "gray", "nv12", "nv21", "p0"))
        packed = format.name.startswith("yuyv") or format.name.endswith(("be", "msble"))
        if format.name.startswith("gray") and bits > 8:  # versions of FFmpeg disagree on the range
            return None
        wide = 1 if bits == 8 else 2
        if not named or packed or plane.line_size < wide * self.frame.width or bits > 16:
            return None
        data = np.frombuffer(plane, np.uint8 if bits == 8 else "<u2")
        rows = data.reshape(-1, plane.line_size // wide)
        stored = rows[: self.frame.height, : self.frame.width]
        full = format.name.startswith(("yuvj", "gray")) or self.frame.color_range == _FULL
        high = format.name.startswith("p0")  # the value is in the upper bits
        if bits == 8 and full and not self.transfer:
            return np.asarray(stored, np.uint8)
        table = _levels(16 if high else bits, full, self.transfer)
        return np.asarray(
            cv2.LUT(stored, table) if bits == 8 else np.take(table, stored, mode="clip"), np.uint8
        )

    def _upright(self, image: Image) -> Image:
        if self.pixel != SQUARE:
            height, width = image.shape[:2]
            size = (max(1, round(width * self.pixel)), height)
            how = cv2.INTER_LINEAR if self.pixel > 1 else cv2.INTER_AREA
            image = np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)
        return self.turn.of(image)


_TABLES: dict[tuple[int, bool, str], Image] = {}


def _levels(bits: int, full: bool, transfer: str) -> Image:
    """Lookup table from luma of this many bits to 8 bits."""
    key = (bits, full, transfer)
    if key not in _TABLES:
        low, high = (0, 2**bits - 1) if full else (16 << (bits - 8), 235 << (bits - 8))
        share = np.clip((np.arange(2**bits) - low) / (high - low), 0, 1)
        if transfer:
            _TABLES[key] = np.take(gray_of(transfer), np.rint(share * 65535).astype(np.uint16))
        else:
            _TABLES[key] = np.rint(share * 255).astype(np.uint8)
    return _TABLES[key]


@dataclass(frozen=True, slots=True, eq=False)
class Still:
    """A picture in memory or in a file. read: returns it as gray (True) or BGR."""

    read: Callable[[bool], Image]
    aspect: Fraction = SQUARE

    @classmethod
    def of(cls, image: Image) -> "Still":
        """A picture (H, W, 3) BGR."""
        return cls(lambda gray: to_gray(image) if gray else image.copy())

    @classmethod
    def file(cls, path: str) -> "Still":
        """A picture file, read on each use."""
        return cls(lambda gray: read_image(path, gray))

    def stored(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """The stored size, which is that of the picture."""
        return size_wh

    def bgr(self) -> Image:
        """(H, W, 3) uint8 BGR."""
        return self.read(False)

    def gray(self) -> Image:
        """(H, W) uint8 luma."""
        return self.read(True)
