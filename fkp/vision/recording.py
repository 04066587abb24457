"""Videos out: H.264 in MP4, with the times of the clip that they are made of."""

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
"""Of the encoder: with more, and a highest rate, x264 writes something else each time."""

QUALITY = 21
"""x264's constant rate factor, as long as the size allows it."""

LARGER = 1.25
"""By how much the pictures may take more bits a second than the clip's."""

SLOWEST = 64_000
"""Bits a second that a recording may always have."""

FINEST = 1_000_000
"""Ticks a second that an MP4 is given at most."""

TICKS = Fraction(1, 90_000)
"""The time base where that of the clip does not do."""

_BT709, _BT601 = 1, 5
"""FFmpeg's colour spaces (SWS_CS_ITU709, SWS_CS_ITU601)."""

_TAGS = {_BT709: (1, 1, 1), _BT601: (6, 6, 6)}
"""Matrix, primaries and transfer (AVCOL_*) by which players know the colours."""


class Disk(io.RawIOBase):
    """A file for FFmpeg to write into, which it never sees fail: that can end in a crash.

    problem: the first error; all that is written after it is lost.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("w+b", buffering=0)
        self._place = 0
        self.problem: OSError | None = None

    def write(self, data: Any, /) -> int:
        """All of the data."""
        left = memoryview(data).cast("B")
        size = len(left)
        try:
            while self.problem is None and left:
                left = left[self._file.write(left) :]
        except OSError as error:
            self.problem = error
        self._place += size
        return size

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As files do; from the beginning or from here."""
        self._place = offset + (self._place if whence == 1 else 0)
        try:
            if self.problem is None:
                self._place = self._file.seek(offset, whence)
        except OSError as error:
            self.problem = error
        return self._place

    def tell(self) -> int:
        """Where it is."""
        return self._place

    def readable(self) -> bool:
        """Not for reading."""
        return False

    def writable(self) -> bool:
        """For writing."""
        return True

    def seekable(self) -> bool:
        """At any place."""
        return True

    def check(self) -> None:
        """Raise the OSError that there was."""
        if self.problem is not None:
            raise self.problem

    def finish(self) -> None:
        """Bring all to the disk; raises OSError."""
        self.check()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class Recording:
    """A file of pictures alone, whole when it is left without an error.

    size_wh: of the pictures, square pixels; stored_wh: how they are stored, an odd side with one
    more row or column, and how wide pixels are is told to players. There are no B frames, so that
    recordings of one clip can be joined where they end. time_base: seconds a tick of `pts`; most:
    bits a second, 0 for what the quality takes. Raises ImageError, and OSError of the disk.
    """

    def __init__(
        self,
        path: Path,
        size_wh: tuple[int, int],
        stored_wh: tuple[int, int],
        time_base: Fraction,
        most: int = 0,
    ) -> None:
        self._stored = (stored_wh[0] + stored_wh[0] % 2, stored_wh[1] + stored_wh[1] % 2)
        self._even = self._stored if stored_wh == size_wh else None
        self._times = Times(time_base)
        options = {"preset": "veryfast", "crf": str(QUALITY), "bf": "0"}
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
        """The stream of H.264."""
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
        """The next picture (H, W, 3) BGR and its time."""
        if self._even is not None:
            height, width = image.shape[:2]
            more = ((0, self._even[1] - height), (0, self._even[0] - width), (0, 0))
            if any(after for _, after in more):
                image = np.pad(image, more, mode="edge")
        whole = av.VideoFrame.from_ndarray(image, format="bgr24")
        # PyAV before 17 ignores one colour space where it is the same as the other.
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
        """Bring it to the disk, whole."""
        try:
            self._encode(None)
            self._out.close()
            self._disk.finish()
        finally:
            self._disk.close()

    def abandon(self) -> None:
        """Leave it as it is, which is not whole."""
        self._disk.problem = self._disk.problem or OSError("abandoned")
        with suppress(Exception):  # of an encoder or a file that has failed before
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
    """Times for an MP4: in ticks that it can have, each after the one before."""

    def __init__(self, time_base: Fraction) -> None:
        fine = time_base.denominator <= FINEST and time_base.numerator < time_base.denominator
        self.base = time_base if fine else TICKS
        self._factor = time_base / self.base
        self._last: int | None = None

    def of(self, pts: int) -> int:
        """The time of the next picture."""
        time = round(pts * self._factor)
        self._last = time if self._last is None else max(time, self._last + 1)
        return self._last


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).lower()
