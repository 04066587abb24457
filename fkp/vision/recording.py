"""Videos out: H.264 in MP4, with the times and the sound of the clip that they are made of."""

import heapq
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np

from fkp.errors import ImageError
from fkp.vision.images import Image
from fkp.vision.video import Clip, is_stream, open_media

THREADS = 1
"""Of the encoder: with more, and a highest rate, x264 writes something else each time."""

QUALITY = 21
"""x264's constant rate factor, as long as the size allows it."""

LARGER = 1.25
"""By how much the pictures may take more bits a second than the clip's."""

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
"""Sound that an MP4 can hold as it is; other sound becomes AAC."""

SLOWEST = 64_000
"""Bits a second that a recording may always have."""


def bits_a_second(path: str | Path, clip: Clip) -> int:
    """What the pictures of a clip take; 0 where that is not known."""
    if is_stream(str(path)):
        return 0
    if clip.stream.bit_rate:
        return int(clip.stream.bit_rate)
    length = clip.container.duration
    return int(os.path.getsize(path) * 8 * av.time_base / length) if length else 0


class Recording:
    """A file of pictures alone, whole when it is left without an error.

    Pictures of an odd side get one more row or column. There are no B frames, so that recordings
    of one clip can be joined where they end. time_base: seconds a unit of `pts`; most: bits a
    second, 0 for what the quality takes. Raises ImageError.
    """

    def __init__(
        self, path: Path, size_wh: tuple[int, int], time_base: Fraction, most: int = 0
    ) -> None:
        self.path = path
        self._even = tuple(side + side % 2 for side in size_wh)
        options = {"preset": "veryfast", "crf": str(QUALITY), "bf": "0"}
        if most:
            rate = max(SLOWEST, round(LARGER * most))
            options |= {"maxrate": str(rate), "bufsize": str(rate // 2)}
        self._out = av.open(str(path), "w", format="mp4")
        stream: Any = self._out.add_stream("libx264", options=options)
        stream.width, stream.height = self._even
        stream.pix_fmt = "yuv420p"
        stream.time_base = stream.codec_context.time_base = time_base
        stream.codec_context.thread_count = THREADS
        self._stream, self._time_base = stream, time_base

    def write(self, image: Image, pts: int) -> None:
        """The next picture (H, W, 3) BGR and its time."""
        height, width = image.shape[:2]
        more = ((0, self._even[1] - height), (0, self._even[0] - width), (0, 0))
        if any(after for _, after in more):
            image = np.pad(image, more, mode="edge")
        frame = av.VideoFrame.from_ndarray(image, format="bgr24")
        frame.pts, frame.time_base = pts, self._time_base
        self._encode(frame)

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            self._out.mux(self._stream.encode(frame))
        except av.error.FFmpegError as error:
            raise ImageError(f"cannot be encoded: {error.strerror}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._encode(None)
        self._out.close()


def with_sound(
    parts: Sequence[Path], source: str | None, path: Path, start: float, end: float
) -> None:
    """Write an MP4 that plays from its first byte on: the pictures of some recordings, one after
    the other, and the sound of a clip.

    source: None for no sound. start, end: seconds; sound outside is left out.
    """
    with ExitStack() as stack:
        films = [stack.enter_context(av.open(str(part))) for part in parts]
        out = stack.enter_context(
            av.open(str(path), "w", format="mp4", options={"movflags": "faststart"})
        )
        moving = films[0].streams.video[0]
        target: Any = out.add_stream_from_template(moving)
        target.time_base = moving.time_base
        tracks = [_joined(films, target)]
        clip = None
        if source is not None:
            clip = stack.enter_context(open_media(source))
        if clip is not None and clip.streams.audio:
            sound = clip.streams.audio[0]
            if sound.codec_context.name in COPIED:
                track: Any = out.add_stream_from_template(sound)
                tracks.append(_packets(clip, sound, track, start, end))
            else:
                track = out.add_stream("aac", rate=sound.rate, layout=sound.layout.name)
                tracks.append(_encoded(clip, sound, track, start, end))
        for _, _, packet in heapq.merge(*tracks, key=lambda one: one[:2]):
            out.mux(packet)


def _joined(films: Sequence[Any], target: Any) -> Iterator[tuple[float, int, Any]]:
    for film in films:
        yield from _packets(film, film.streams.video[0], target)


def _packets(
    container: Any, stream: Any, target: Any, start: float = -np.inf, end: float = np.inf
) -> Iterator[tuple[float, int, Any]]:
    """(time, number of the stream, packet) of a stream, for another container."""
    for packet in _good(container.demux(stream)):
        if packet.dts is None or packet.pts is None:
            continue
        time = float(packet.pts * stream.time_base)
        if start <= time <= end:
            packet.stream = target
            yield float(packet.dts * stream.time_base), target.index, packet


def _encoded(
    container: Any, stream: Any, target: Any, start: float, end: float
) -> Iterator[tuple[float, int, Any]]:
    """The same of sound that has to be encoded anew."""
    for frame in _good(container.decode(stream)):
        if start <= frame.time <= end:
            for packet in target.encode(frame):
                yield float(packet.dts * packet.time_base), target.index, packet
    for packet in target.encode(None):
        yield float(packet.dts * packet.time_base), target.index, packet


def _good(items: Iterator[Any]) -> Iterator[Any]:
    """Up to where a file is cut off or damaged; the pictures' reader has said so."""
    while True:
        try:
            yield next(items)
        except (StopIteration, av.error.FFmpegError):
            return
