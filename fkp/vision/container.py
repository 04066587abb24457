"""Video files and streams, opened and decoded by PyAV (FFmpeg's libraries)."""

import os
import sys
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av

from fkp.errors import NoPicturesError
from fkp.vision.frames import SQUARE, Decoded, turn_of
from fkp.vision.hdr import TRANSFERS
from fkp.vision.interlaced import Deinterlacer, Raw
from fkp.vision.sources import Opening, is_stream

PATIENCE = 10.0
"""Seconds without data after which a connection counts as lost."""

LEAP = 10.0
"""Seconds; a larger step forward in a format for joined recordings is a reset of the clock."""

FASTEST = 10_000
"""Highest plausible frame rate, frames per second."""

WIDEST = 8
"""Highest plausible pixel aspect ratio, or its inverse."""


class Container:
    """A file or stream that PyAV reads."""

    def __init__(self, source: str, opening: Opening) -> None:
        self.notes: list[str] = []
        try:
            self._container = _opened(source)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise NoPicturesError(reason(error, source)) from error
        try:
            self._stream = self._chosen(opening.stream)
        except NoPicturesError:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._deinterlacer = Deinterlacer(opening.deinterlace)
        base = self._stream.time_base
        self.time_base = Fraction(base) if base else Fraction(1, 1000)
        rate = self._rate = self._frames_a_second()
        self.step = max(1, round(1 / (rate * self.time_base))) if rate else 1
        self.first = self._stream.start_time or 0
        joined = bool(self._container.format.flags & av.format.Flags.ts_discont.value)
        self.leap = round(LEAP / self.time_base) if joined else None
        self.codec = self._stream.codec_context.name
        self.sound = bool(self._container.streams.audio)
        self.bit_rate = 0 if is_stream(source) else self._bits_a_second(source)
        self._said = self._stream.codec_context.sample_aspect_ratio

    @property
    def expected(self) -> int:
        """Number of frames according to the file's header, 0 if unknown."""
        if self._stream.frames:
            return int(self._stream.frames)
        length = self._length
        return int(length * self._rate) if self._rate and length else 0

    def read(self) -> Iterator[tuple[int | None, Decoded | None, str]]:
        """The frames in display order."""
        context = self._stream.codec_context
        count, end = 0, 0
        for pts, frame, problem in self._deinterlacer.passed(self._decoded()):
            count, end = count + 1, max(end, pts or 0)
            if frame is None:
                yield pts, None, problem
                continue
            turn, note = turn_of(frame)
            self._note(note)
            transfer = TRANSFERS.get(context.color_trc, "")
            if transfer:
                self._note(f"high dynamic range ({transfer.upper()}), tone-mapped to BT.709")
            yield pts, Decoded(frame, turn, self._pixel(), transfer), ""
        if self._deinterlacer.done:
            self._note(f"{self._deinterlacer.done} interlaced frames, deinterlaced")
        self._note_missing(count, end)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _chosen(self, wanted: int | None) -> Any:
        streams = [s for s in self._container.streams.video if not _is_cover(s)]
        if not streams:
            kinds = ", ".join(sorted({s.type for s in self._container.streams})) or "nothing"
            raise NoPicturesError(f"no video stream: {kinds} in it")
        sizes = {s.index: (_side(s, "width"), _side(s, "height")) for s in streams}
        listed = ", ".join(f"{i} ({w} x {h})" for i, (w, h) in sizes.items())
        if wanted is None:
            chosen = max(streams, key=lambda s: sizes[s.index][0] * sizes[s.index][1])
            if len(streams) > 1:
                self.notes.append(
                    f"has {len(streams)} video streams: {listed}; the largest, {chosen.index}, is "
                    "used; set stream to choose another"
                )
            return chosen
        for stream in streams:
            if stream.index == wanted:
                return stream
        raise NoPicturesError(f"no video stream {wanted}; the file has {listed}")

    def _frames_a_second(self) -> Fraction | None:
        """The frame rate, None if the file has no plausible one."""
        rates = (self._stream.average_rate, self._stream.guessed_rate)
        return next((rate for rate in rates if rate and rate <= FASTEST), None)

    @property
    def _length(self) -> float:
        """Duration from the first picture according to the header, in seconds; 0 if unknown."""
        length = self._container.duration
        if not length:
            return 0.0
        begun = float((self._stream.start_time or 0) * self.time_base)
        # Matroska counts from 0, not from the first picture.
        late = begun if "matroska" in self._container.format.name else 0.0
        return max(0.0, float(length / av.time_base) - late)

    def _note_missing(self, count: int, end: int) -> None:
        """Note missing pictures. count: those read; end: time of the last one in ticks."""
        said = int(self._stream.frames)
        if said and abs(said - count) > max(2, 0.02 * said):
            self._note(f"the header says {said} frames, the file has {count}")
        elif not said and self._length:
            lasted = float((end + self.step - self.first) * self.time_base)
            if self._length - lasted > max(0.5, 0.02 * self._length):
                self._note(
                    f"the header says {self._length:.2f} s, the pictures end after {lasted:.2f} s"
                )

    def _bits_a_second(self, path: str) -> int:
        if self._stream.bit_rate:
            return int(self._stream.bit_rate)
        length = self._container.duration
        return int(os.path.getsize(path) * 8 * av.time_base / length) if length else 0

    def _pixel(self) -> Fraction:
        """Pixel aspect ratio of the container, or of the pictures if it changes."""
        now = self._stream.codec_context.sample_aspect_ratio
        pixel = now if now != self._said else self._stream.sample_aspect_ratio
        if not pixel or pixel <= 0 or pixel == 1:
            return SQUARE
        if not 1 / WIDEST <= pixel <= WIDEST:
            self._note(f"pixel aspect ratio {pixel} is implausible; pixels are taken as square")
            return SQUARE
        self._note(
            f"pixel aspect ratio {pixel.numerator}:{pixel.denominator}; coordinates are in square "
            "pixels"
        )
        return Fraction(pixel)

    def _note(self, text: str) -> None:
        if text and text not in self.notes:
            self.notes.append(text)

    def _decoded(self) -> Iterator[Raw]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                self._note(f"cut off: {reason(error)}")
                packet = None
            try:
                decoded = packet.decode() if packet is not None else self._stream.decode(None)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if packet is not None and packet.size:
                    yield packet.pts, None, reason(error)
                decoded = []
            for frame in decoded:
                broken = "damaged: only a part can be decoded" if frame.is_corrupt else ""
                yield frame.pts, None if broken else frame, broken
            if packet is None:
                return


def open_media(source: Any, **options: Any) -> Any:
    """Open a container, even if its tags are not UTF-8."""
    if int(av.__version__.split(".")[0]) < 19:  # which does so itself
        options["metadata_errors"] = "replace"
    return av.open(source, **options)


def _opened(source: str) -> Any:
    if not is_stream(source):
        return open_media(source)
    if source == "-":
        # Unbuffered: a thread waiting for input would hold the lock of a buffer forever.
        return open_media(os.fdopen(0, "rb", buffering=0, closefd=False))
    if source.isdigit():
        if sys.platform == "darwin":
            return av.open(source, format="avfoundation", options={"framerate": "30"})
        if sys.platform.startswith("linux"):
            return av.open(f"/dev/video{source}", format="v4l2")
        raise NoPicturesError(
            "cameras are supported on Linux and macOS; elsewhere pipe ffmpeg into -"
        )
    options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
    return open_media(source, options=options, timeout=PATIENCE)


def _is_cover(stream: Any) -> bool:
    """Whether a stream is cover art."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _side(stream: Any, name: str) -> int:
    """Width or height of a stream, 0 without a decoder."""
    return int(getattr(stream.codec_context, name, 0) or 0)


def reason(error: Exception, source: str = "") -> str:
    """The reason for an error, in words."""
    text = str(getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
    if source.isdigit() and is_stream(source):
        return f"camera {source} cannot be opened: {text}"
    return text
