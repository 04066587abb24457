"""Videos in: every frame with its true time, by PyAV (FFmpeg's libraries)."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from fkp.errors import NoPicturesError
from fkp.vision.clock import Clock
from fkp.vision.container import Container, reason
from fkp.vision.frames import Decoded, Frame
from fkp.vision.sources import Opening, is_sequence, is_stream
from fkp.vision.stills import AnimatedWebp, Sequence, is_webp


class Reader(Protocol):
    """What gives the frames of one kind of source.

    time_base: seconds a tick; step: ticks from one frame to the next, where these do not say;
    first: ticks of the first one, likewise; leap: as in `Clock`. expected: frames by what the
    source says of itself, 0 if nothing; bit_rate: of the pictures, bits a second, or 0.
    """

    notes: list[str]

    @property
    def codec(self) -> str: ...

    @property
    def time_base(self) -> Fraction: ...

    @property
    def step(self) -> int: ...

    @property
    def first(self) -> int: ...

    @property
    def leap(self) -> int | None: ...

    @property
    def expected(self) -> int: ...

    @property
    def bit_rate(self) -> int: ...

    @property
    def sound(self) -> bool: ...

    def read(self) -> Iterator[tuple[int | None, Any, str]]:
        """Time in ticks, picture, and why there is none, of each frame as it is shown."""
        ...

    def close(self) -> None:
        """Let go of the source."""
        ...


class Clip:
    """A video that is open for reading: a file, a stream, or a sequence of pictures.

    Raises NoPicturesError (the reason alone; the caller knows the path) where it cannot be opened
    or has no pictures. time_base: seconds a tick of `Frame.pts`. began: when the first frame is,
    by the clip's own clock, in seconds; None before it was read. mended: whether times had to be
    made to rise. kept_open: set it while a thread still reads, so that it is not closed.
    """

    def __init__(self, source: str | Path, opening: Opening | None = None) -> None:
        self.kept_open = False
        self.began: float | None = None
        self.reader = _reader(str(source), opening or Opening())
        self.time_base = self.reader.time_base
        self._clock = Clock(self.reader.step, self.reader.first - self.reader.step)
        self._clock.leap = self.reader.leap

    @property
    def mended(self) -> bool:
        """Whether there are frames whose times did not rise."""
        return self._clock.mended > 0

    @property
    def notes(self) -> list[str]:
        """What is wrong or remarkable with it, as far as it was read."""
        notes = list(self.reader.notes)
        if self._clock.mended:
            notes.append(
                f"times go back, repeat or leap: those of {self._clock.mended} frames were changed"
                " so that the column time rises; timestamp has the clip's own"
            )
        return notes

    @property
    def expected(self) -> int:
        """How many frames the source has by what it says of itself; 0: it does not say."""
        return self.reader.expected

    def frames(self) -> Iterator[Frame]:
        """All frames in the order in which they are shown; broken ones have a problem."""
        index, zero = 0, 0
        ticks = self.reader.read()
        with_own = ((time, (time, picture, problem)) for time, picture, problem in ticks)
        for pts, (own, picture, problem) in self._clock.rising(with_own):
            if index == 0:
                zero = pts
                self.began = float(pts * self.time_base)
            timestamp = float((pts if own is None else own) * self.time_base)
            time = float((pts - zero) * self.time_base)
            yield Frame(index, pts - zero, time, timestamp, problem, picture)
            index += 1
        if index == 0:
            raise NoPicturesError("no frame in it")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self.kept_open:
            self.reader.close()


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What a clip turned out to be, all of it decoded.

    width, height: upright, with square pixels. first, last: seconds by its own clock, times of
    the first and the last frame. steady: whether all frames are as far apart, to the time base.
    broken: frames that cannot be decoded. turned: whether they are stored another way round.
    """

    width: int
    height: int
    codec: str
    frames: int
    broken: int
    first: float
    last: float
    steady: bool
    turned: bool
    sound: bool
    notes: tuple[str, ...]


def look_through(path: str | Path) -> ClipFacts:
    """Decode a whole clip and say what is in it; raises ImageError (the reason alone)."""
    with Clip(path, Opening(deinterlace="off")) as clip:
        ticks: list[int] = []
        stamps: list[float] = []
        broken, size, turned = 0, (0, 0), False
        for frame in clip.frames():
            ticks.append(frame.pts)
            stamps.append(frame.timestamp)
            if frame.picture is None:
                broken += 1
            elif size == (0, 0):
                height, width = frame.gray().shape
                size = (width, height)
                turned = isinstance(frame.picture, Decoded) and frame.picture.is_turned
        gaps = np.diff(ticks)
        return ClipFacts(
            *size,
            codec=clip.reader.codec,
            frames=len(ticks),
            broken=broken,
            first=stamps[0],
            last=stamps[-1],
            steady=len(gaps) == 0 or int(gaps.max() - gaps.min()) <= 1,
            turned=turned,
            sound=clip.reader.sound,
            notes=tuple(clip.notes),
        )


def _reader(source: str, opening: Opening) -> Reader:
    if is_stream(source):
        return Container(source, opening)
    if is_sequence(source):
        return Sequence(source, opening.fps)
    try:
        # Opening a pipe would wait for ever for somebody to write into it.
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise NoPicturesError("not a regular file; a pipe is read as stdin: fkp video - < PIPE")
        if is_webp(source):
            return AnimatedWebp(source)
    except (OSError, ValueError) as error:
        raise NoPicturesError(reason(error)) from error
    return Container(source, opening)
