"""Writing videos: H.264 in MP4, with the times of the clip."""

import io
import os
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from fkp.errors import ImageError
from fkp.vision.images import Image

THREADS = 1
"""Encoder threads; with more threads and a maximum rate, the output of x264 is not reproducible."""

QUALITY = 21
"""Constant rate factor of x264, below the maximum rate."""

LARGER = 1.25
"""Maximum bit rate, relative to the clip's."""

SLOWEST = 64_000
"""Lower limit of the maximum bit rate, bits per second."""

FINEST = 1_000_000
"""Maximum number of ticks per second in an MP4."""

TICKS = Fraction(1, 90_000)
"""The time base if that of the clip cannot be used."""

_BT709, _BT601 = 1, 5
"""FFmpeg's colour spaces (SWS_CS_ITU709, SWS_CS_ITU601)."""

_TAGS = {_BT709: (1, 1, 1), _BT601: (6, 6, 6)}
"""Matrix, primaries and transfer tags (AVCOL_*)."""


class Disk(io.RawIOBase):
    """A file for FFmpeg to write to. FFmpeg may crash after a failed write, so it never sees one.

    problem: the first error; later writes are discarded.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._place = 0
        self.problem: BaseException | None = None

    def write(self, data: Any, /) -> int:
        """Write all of the data."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while self.problem is None and left:
                left = left[self._file.write(left) :]
        except BaseException as error:  # also Ctrl-C
            self.problem = error
        self._place += size
        return size

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Seek to a position, from the beginning or from the current position."""
        self._place = offset + (self._place if whence == 1 else 0)
        try:
            if self.problem is None:
                self._place = self._file.seek(offset, whence)
        except OSError as error:
            self.problem = error
        return self._place

    def tell(self) -> int:
        """The current position."""
        return self._place

    def readable(self) -> bool:
        """Always False."""
        return False

    def writable(self) -> bool:
        """Always True."""
        return True

    def seekable(self) -> bool:
        """Always True."""
        return True

    def check(self) -> None:
        """Raise the error of a failed write."""
        if self.problem is not None:
            raise self.problem

    def finish(self) -> None:
        """Flush to disk; raises OSError."""
        self.check()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class Recording:
    """A video without sound, complete when the context ends without an error.

    size_wh: of the pictures, with square pixels; stored_wh: as they are stored, with the pixel
    aspect ratio that follows; odd sides are padded. There are no B frames, so that recordings of
    one clip can be joined. time_base: seconds per tick; most: maximum bit rate, bits per second, 0
    for none; quality: constant rate factor, lower is better. Raises ImageError, and OSError where
    the disk cannot be written.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        stored_wh: tuple[int, int],
        time_base: Fraction,
        most: int = 0,
        quality: int = QUALITY,
    ) -> None:
        self._stored = (stored_wh[0] + stored_wh[0] % 2, stored_wh[1] + stored_wh[1] % 2)
        self._even = self._stored if stored_wh == size_wh else None
        self._times = Times(time_base)
        # x264's macroblock tree uses memory that nobody has set: not the same bytes each time.
        options = {
            "preset": "veryfast", "crf": str(quality), "bf": "0", "x264-params": "mbtree=0"
        }  # fmt: skip
        if most:
            rate = max(SLOWEST, round(LARGER * most))
            options |= {"maxrate": str(rate), "bufsize": str(rate // 2)}
        self._space = _BT709 if max(size_wh) >= 1280 or size_wh[1] > 576 else _BT601
        self.path, self._disk = path, Disk(path)
        try:
            self._out = av.open(self._disk, "w", format="mp4")
            self._stream = self._added(size_wh, options)
        except (av.error.FFmpegError, ValueError) as error:
            self._disk.close()
            raise ImageError(f"cannot be encoded: {_reason(error)}") from error

    def _added(self, size_wh: tuple[int, int], options: dict[str, str]) -> Any:
        """Add the H.264 stream."""
        stream: Any = self._out.add_stream("libx264", options=options)
        stream.width, stream.height = self._stored
        stream.pix_fmt = "yuv420p"
        context = stream.codec_context
        stream.time_base = context.time_base = self._times.base
        context.thread_count = THREADS
        context.color_range = 1  # from 16 to 235
        context.colorspace, context.color_primaries, context.color_trc = _TAGS[self._space]
        if self._even is None:
            (width, height), (own, high) = size_wh, self._stored
            pixel = Fraction(width * high, height * own)
            context.sample_aspect_ratio = pixel.limit_denominator(1000)
        return stream

    def write(self, image: Image, pts: int) -> None:
        """Write a picture (H, W, 3) BGR. pts: its time in ticks."""
        if self._even is not None:
            height, width = image.shape[:2]
            more = ((0, self._even[1] - height), (0, self._even[0] - width), (0, 0))
            if any(after for _, after in more):
                image = np.pad(image, more, mode="edge")
        whole = av.VideoFrame.from_ndarray(image, format="bgr24")
        # PyAV before 17 ignores a source space equal to the target.
        other = _BT601 if self._space == _BT709 else _BT709
        try:
            width, height = self._stored
            frame = whole.reformat(
                width, height, "yuv420p", src_colorspace=other, dst_colorspace=self._space
            )
        except (av.error.FFmpegError, ValueError) as error:
            raise ImageError(f"cannot be encoded: {error}") from error
        frame.pts, frame.time_base = self._times.of(pts), self._times.base
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._out.mux(self._stream.encode(frame))
        except (av.error.FFmpegError, ValueError) as error:
            raise ImageError(f"cannot be encoded: {_reason(error)}") from error
        self._disk.check()

    def close(self) -> None:
        """Complete the file and flush it to disk."""
        try:
            self._encode(None)
            self._out.close()
            self._disk.finish()
        finally:
            self._disk.close()

    def abandon(self) -> None:
        """Close the incomplete file."""
        self._disk.problem = self._disk.problem or OSError("abandoned")
        with suppress(Exception):  # after the encoder or the file has failed
            self._out.close()
        self._disk.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


class Times:
    """Converts times to increasing ticks that an MP4 can store."""

    def __init__(self, time_base: Fraction) -> None:
        fine = time_base.denominator <= FINEST and time_base.numerator < time_base.denominator
        self.base = time_base if fine else TICKS
        self._factor = time_base / self.base
        self._last: int | None = None

    def of(self, pts: int) -> int:
        """The time of the next picture. pts: in the ticks of the clip."""
        time = round(pts * self._factor)
        self._last = time if self._last is None else max(time, self._last + 1)
        return self._last


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
