"""Videos in: every frame with its true time, by PyAV (FFmpeg's libraries)."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import cv2
import numpy as np

from fkp.errors import NoPicturesError
from fkp.vision.images import Image, to_gray

VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts"}
    | {".wmv", ".flv", ".ogv", ".3gp", ".vob", ".mxf", ".mjpeg", ".mj2", ".y4m"}
)
"""What counts as a clip by its name when a folder is listed."""

PATIENCE = 10.0
"""Seconds without an answer after which a connection counts as lost."""

_LUMA_FIRST = frozenset(
    {"gray", "nv12", "nv21", "yuv420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p"}
    | {"yuvj420p", "yuvj422p", "yuvj444p", "yuvj440p"}
)
"""Pixel formats whose first plane is luma of 8 bits."""

_FULL = 2
"""FFmpeg's colour range (AVCOL_RANGE_JPEG) in which luma goes from 0 to 255, not 16 to 235."""

_STRETCHED = np.clip(np.rint((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)


def is_video_name(name: str) -> bool:
    """Whether a file of this name is taken for a clip."""
    return os.path.splitext(name)[1].lower() in VIDEO_SUFFIXES


def is_stream(name: str) -> bool:
    """Whether this is no file: a camera's number, an address, or `-` for stdin."""
    return name == "-" or ((name.isdigit() or "://" in name) and not os.path.exists(name))


def is_live(name: str) -> bool:
    """Whether its pictures come when they come: a camera's number, or RTSP."""
    return is_stream(name) and (name.isdigit() or name.startswith(("rtsp://", "rtsps://")))


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame, upright. index: from 0; pts: in units of the clip's time base.

    problem: why there is no picture; or "" where there is one.
    """

    index: int
    pts: int
    time: float  # seconds, by the stream's own clock
    problem: str
    decoded: Any  # av.VideoFrame, None with a problem

    def bgr(self) -> Image:
        """(H, W, 3) uint8 BGR, turned upright."""
        image = np.asarray(self.decoded.to_ndarray(format="bgr24"), np.uint8)
        return self._upright(image)

    def gray(self) -> Image:
        """(H, W) uint8 luma, turned upright; not converted where the file has it as it is."""
        decoded = self.decoded
        if decoded.format.name not in _LUMA_FIRST:
            return to_gray(self.bgr())
        plane = decoded.planes[0]
        luma = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        luma = luma[: decoded.height, : decoded.width]
        full = decoded.format.name.startswith(("yuvj", "gray")) or decoded.color_range == _FULL
        return self._upright(luma if full else np.asarray(cv2.LUT(luma, _STRETCHED), np.uint8))

    def _upright(self, image: Image) -> Image:
        # FFmpeg's rotation is counter-clockwise, as NumPy's is.
        return np.ascontiguousarray(np.rot90(image, round(self.decoded.rotation / 90) % 4))


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip turned out to be, all of it decoded.

    first, last: seconds, times of the first and the last frame. steady: whether all frames are as
    far apart, to the time base. broken: frames that cannot be decoded.
    """

    width: int
    height: int
    codec: str
    frames: int
    broken: int
    first: float
    last: float
    steady: bool
    rotated: bool
    sound: bool
    notes: tuple[str, ...]


def look_through(path: str | Path) -> ClipFacts:
    """Decode a whole clip and say what is in it; raises ImageError (the reason alone)."""
    with Clip(path) as clip:
        times: list[int] = []
        broken, size, rotation = 0, (0, 0), 0
        for frame in clip.frames():
            times.append(frame.pts)
            if frame.problem:
                broken += 1
            elif size == (0, 0):
                rotation = round(frame.decoded.rotation)
                size = (frame.decoded.width, frame.decoded.height)
        if rotation % 180:
            size = size[::-1]
        gaps = np.diff(times)
        return ClipFacts(
            *size,
            codec=clip.stream.codec_context.name,
            frames=len(times),
            broken=broken,
            first=float(times[0] * clip.time_base),
            last=float(times[-1] * clip.time_base),
            steady=len(gaps) == 0 or int(gaps.max() - gaps.min()) <= 1,
            rotated=rotation % 360 != 0,
            sound=bool(clip.container.streams.audio),
            notes=tuple(clip.notes),
        )


class Clip:
    """A video that is open for reading: a file, or a stream as `is_stream` has it.

    Raises NoPicturesError (the reason alone; the caller knows the path) where it cannot be opened
    or has no pictures. time_base: seconds a unit of `Frame.pts`. notes: what is wrong with it, as
    far as it was read. kept_open: set it where a thread still reads, so that it is not closed.
    """

    def __init__(self, source: str | Path) -> None:
        self.notes: list[str] = []
        self.kept_open = False
        try:
            self._container = _opened(str(source))
        except (av.error.FFmpegError, OSError, ValueError) as error:
            raise NoPicturesError(_reason(error)) from error
        streams = [s for s in self._container.streams.video if not _is_cover(s)]
        if not streams:
            kinds = ", ".join(sorted({s.type for s in self._container.streams})) or "nothing"
            self._container.close()
            raise NoPicturesError(f"no video stream: {kinds} in it")
        self.stream = streams[0]
        self.stream.thread_type = "AUTO"
        base = self.stream.time_base
        self.time_base = Fraction(base) if base else Fraction(1, 1000)

    @property
    def container(self) -> Any:
        """PyAV's, for what else is in the file."""
        return self._container

    @property
    def expected(self) -> int:
        """How many frames the file has by what it says of itself; 0: it does not."""
        if self.stream.frames:
            return int(self.stream.frames)
        rate, length = self.stream.average_rate, self._container.duration
        return int(length / av.time_base * rate) if rate and length else 0

    def frames(self) -> Iterator[Frame]:
        """All frames in the order in which they are shown; broken ones have a problem."""
        rate = self.stream.average_rate
        step = max(1, round(1 / (rate * self.time_base))) if rate else 1
        index, last = 0, (self.stream.start_time or 0) - step
        for pts, decoded, problem in self._decoded():
            # A frame without a time of its own comes one frame after the last.
            last = last + step if pts is None else pts
            yield Frame(index, last, float(last * self.time_base), problem, decoded)
            index += 1
        if index == 0:
            raise NoPicturesError("no frame in it")
        if abs(self.expected - index) > max(2, 0.02 * self.expected) and self.expected:
            self.notes.append(f"the file says {self.expected} frames, there are {index}")

    def _decoded(self) -> Iterator[tuple[int | None, Any, str]]:
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                self.notes.append(f"cut off: {_reason(error)}")
                packet = None
            try:
                decoded = packet.decode() if packet is not None else self.stream.decode(None)
            except av.error.EOFError:
                return
            except av.error.FFmpegError as error:
                if packet is not None and packet.size:
                    yield packet.pts, None, _reason(error)
                decoded = []
            for frame in decoded:
                broken = "damaged: only a part can be decoded" if frame.is_corrupt else ""
                yield frame.pts, None if broken else frame, broken
            if packet is None:
                return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.kept_open:
            self._container.close()


def open_media(source: Any, **options: Any) -> Any:
    """PyAV's container of a file, also where its tags are no UTF-8."""
    if int(av.__version__.split(".")[0]) < 19:  # from there on it does so by itself
        options["metadata_errors"] = "replace"
    return av.open(source, **options)


def _opened(source: str) -> Any:
    if not is_stream(source):
        return open_media(source)
    if source == "-":
        # Without a buffer, whose lock a thread that waits for input would keep to the end.
        return open_media(os.fdopen(0, "rb", buffering=0, closefd=False))
    if source.isdigit():
        if sys.platform == "darwin":
            return av.open(source, format="avfoundation", options={"framerate": "30"})
        if sys.platform.startswith("linux"):
            return av.open(f"/dev/video{source}", format="v4l2")
        raise NoPicturesError("a camera is read on Linux and macOS; elsewhere pipe ffmpeg's into -")
    options = {"rtsp_transport": "tcp"} if source.startswith("rtsp") else {}
    return open_media(source, options=options, timeout=PATIENCE)


def _is_cover(stream: Any) -> bool:
    """Whether a stream is the picture on the cover of a piece of music."""
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).lower()
