"""Joining recordings to one file, with the sound of the clip."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Self

import av

from fkp.errors import ImageError
from fkp.vision.container import open_media
from fkp.vision.recording import Disk

COPIED = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
"""Sound codecs that are copied into the MP4; others are encoded as AAC."""

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates for AAC, in hertz."""

BEFORE = 0.25
"""Seconds of sound before the first picture that are kept for the decoder but not played."""

LATE = 0.05
"""Minimum number of seconds without sound that count as a gap."""

Packets = Iterator[tuple[float, int, Any]]
"""(seconds, number of the stream, packet)"""


@dataclass(frozen=True, slots=True)
class Sound:
    """The sound of a clip. start, end: of the part that is wanted, seconds by the clip's own
    clock.
    """

    source: str
    start: float
    end: float


FORMS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""FFmpeg's names of the containers that recordings can be joined to, by extension."""


def join(
    parts: Sequence[Path],
    path: Path,
    sound: Sound | None,
    form: str = "mp4",
    tags: Mapping[str, str] | None = None,
) -> list[str]:
    """Write recordings, one after the other, and sound into one file, an MP4's index in front.

    form: one of FORMS. tags: what the file says of itself, such as its title; nothing by default.

    Returns notes on the sound, which is left out if it can be neither copied nor encoded. Raises
    ImageError if a recording is damaged, and OSError if the file cannot be written.
    """
    reason = ""
    for track in (_Copied, _Encoded) if sound is not None else ():
        try:
            with _Written(parts, path, form, tags) as written:
                return written.all(track, sound)
        except _NoSoundError:
            break
        except _OtherWayError:
            continue
        except Exception as error:  # the pictures do not depend on it
            if isinstance(error, OSError) and not isinstance(error, av.error.FFmpegError):
                raise  # from the disk
            reason = str(getattr(error, "strerror", None) or error).lower()
    try:
        with _Written(parts, path, form, tags) as written:
            written.all()
    except (av.error.FFmpegError, ValueError) as error:
        raise ImageError(f"parts cannot be joined: {error}") from error
    return [f"no sound: {reason}"] if reason else []


def tags_of(path: str) -> dict[str, str]:
    """What a file says of itself: title, place, date; {} where it cannot be opened."""
    try:
        with open_media(path) as clip:
            return dict(clip.metadata)
    except av.error.FFmpegError:
        return {}


def has_sound(path: str) -> bool:
    """Whether a file has sound."""
    try:
        with open_media(path) as clip:
            return bool(clip.streams.audio)
    except av.error.FFmpegError:
        return False


class _NoSoundError(Exception):
    """The clip has no sound."""


class _OtherWayError(Exception):
    """The sound needs another way."""


class _Written:
    """The file to write; complete when the context ends without an error."""

    def __init__(
        self,
        parts: Sequence[Path],
        path: Path,
        form: str,
        tags: Mapping[str, str] | None,
    ) -> None:
        self._parts = parts
        self._stack = ExitStack()
        self._disk = Disk(path)
        # FFmpeg opens the file again for reading to put the index in front.
        self._out = av.open(
            self._disk, "w", format=form,
            options={} if form == "matroska" else {"movflags": "faststart"},
            io_open=lambda url, flags, options: path.open("rb"),
        )  # fmt: skip
        self._out.metadata.update(tags or {})

    def all(self, track: type["_Track"] | None = None, sound: Sound | None = None) -> list[str]:
        """Write pictures and sound; returns notes."""
        films = [self._stack.enter_context(av.open(str(part))) for part in self._parts]
        template = films[0].streams.video[0]
        target: Any = self._out.add_stream_from_template(template)
        target.time_base = template.time_base
        tracks = [_pictures(films, target)]
        own = None
        if track is not None and sound is not None:
            own = track(self._stack.enter_context(open_media(sound.source)), self._out, sound)
            tracks.append(own.packets())
        for _, _, packet in heapq.merge(*tracks, key=lambda one: one[:2]):
            self._out.mux(packet)
            self._disk.check()
        self._out.close()
        self._disk.finish()
        return [f"{own.damaged} packets of sound cannot be decoded"] if own and own.damaged else []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._disk.problem = self._disk.problem or OSError("abandoned")
            with suppress(Exception):  # of a file that has already failed
                self._out.close()
        self._disk.close()
        self._stack.close()


def _pictures(films: Sequence[Any], target: Any) -> Packets:
    """The packets of all recordings; raises ImageError if one is incomplete."""
    for film in films:
        stream = film.streams.video[0]
        count = 0
        for packet in film.demux(stream):
            if packet.dts is not None and packet.pts is not None:
                count += 1
                packet.stream = target
                yield float(packet.dts * stream.time_base), target.index, packet
        if count != stream.frames:
            raise ImageError(f"{film.name}: {count} of {stream.frames} pictures can be read")


class _Track:
    """A track of sound. damaged: number of packets that cannot be decoded."""

    def __init__(self, clip: Any, out: Any, sound: Sound) -> None:
        if not clip.streams.audio:
            raise _NoSoundError
        self.sound, self.damaged = sound, 0
        self._clip, self._stream = clip, clip.streams.audio[0]
        self._target = self._added(out)

    def _added(self, out: Any) -> Any:
        raise NotImplementedError

    def packets(self) -> Packets:
        """The packets in order."""
        raise NotImplementedError

    def _demuxed(self) -> Iterator[Any]:
        """The packets of the source, up to where it is cut off."""
        packets = self._clip.demux(self._stream)
        while True:
            try:
                yield next(packets)
            except (StopIteration, av.error.FFmpegError):
                return

    def _inside(self, time: float, length: float) -> bool:
        return self.sound.start - BEFORE <= time + length and time <= self.sound.end


class _Copied(_Track):
    """Sound copied from the clip."""

    def _added(self, out: Any) -> Any:
        if self._stream.codec_context.name not in COPIED:
            raise _OtherWayError
        return out.add_stream_from_template(self._stream)

    def packets(self) -> Packets:
        """The packets, with times from the first picture."""
        base = self._stream.time_base
        shift = round(self.sound.start / base)
        for packet in self._demuxed():
            if packet.dts is None or packet.pts is None:
                continue
            if self._inside(float(packet.pts * base), float((packet.duration or 0) * base)):
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = self._target
                yield float(packet.dts * base), self._target.index, packet


class _Encoded(_Track):
    """Sound encoded as AAC, mono or stereo."""

    def _added(self, out: Any) -> Any:
        context = self._stream.codec_context
        self._rate = min((r for r in RATES if r >= context.sample_rate), default=RATES[-1])
        self._layout = "mono" if context.layout.nb_channels == 1 else "stereo"
        return out.add_stream("aac", rate=self._rate, layout=self._layout)

    def packets(self) -> Packets:
        """The packets, with times from the first picture."""
        resampler = av.AudioResampler(format="fltp", layout=self._layout, rate=self._rate)
        done: int | None = None
        for frame in self._decoded():
            if frame is not None:
                time = round((frame.time - self.sound.start) * self._rate)
                if done is None or time - done > LATE * self._rate:  # the first frame, or a gap
                    done = time
            for ready in resampler.resample(frame):
                assert done is not None  # without a frame there is nothing to flush
                ready.pts, ready.time_base = done, Fraction(1, self._rate)
                done += ready.samples
                yield from self._packed(ready)
        yield from self._packed(None)

    def _packed(self, frame: Any) -> Packets:
        for packet in self._target.encode(frame):
            yield float(packet.dts * packet.time_base), self._target.index, packet

    def _decoded(self) -> Iterator[Any]:
        """The frames in the wanted part, then None."""
        for packet in self._demuxed():
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                self.damaged += 1
                continue
            for frame in frames:
                length = frame.samples / frame.sample_rate
                if frame.time is not None and self._inside(frame.time, length):
                    yield frame
        yield None
