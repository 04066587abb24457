"""Reading videos: every frame with its true time."""

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
    """Reads one kind of source.

    time_base: seconds per tick; step: ticks between frames without a timestamp; first: time of a
    first frame without one; leap: as in `Clock`. expected: number of frames according to the
    header, 0 if unknown; bit_rate: of the pictures, bits per second, 0 if unknown.
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
        """Time in ticks, picture, and problem, of each frame in display order."""
        ...

    def close(self) -> None:
        """Close the source."""
        ...


class Clip:
    """A clip that is open for reading: a file, a stream, or a sequence of pictures.

    Raises NoPicturesError (only the reason; the caller knows the path) if it cannot be opened or
    has no pictures. time_base: seconds per tick of `Frame.pts`. kept_open: set it while a thread is
    still reading, so that it is not closed.
    """

    def __init__(self, source: str | Path, opening: Opening | None = None) -> None:
        self.kept_open = False
        self.reader = _reader(str(source), opening or Opening())
        self.time_base = self.reader.time_base
        self._clock = Clock(self.reader.step, self.reader.first - self.reader.step)
        self._clock.leap = self.reader.leap

    @property
    def notes(self) -> list[str]:
        """Notes on the part of the clip read so far."""
        notes = list(self.reader.notes)
        if self._clock.mended:
            notes.append(
                f"timestamps jump or repeat; {self._clock.mended} frames are corrected in the "
                "column time, which increases"
            )
        return notes

    @property
    def expected(self) -> int:
        """Number of frames according to the header, 0 if unknown."""
        return self.reader.expected

    def frames(self) -> Iterator[Frame]:
        """All frames in display order; broken ones have a problem."""
        index, zero = 0, 0
        ticks = self.reader.read()
        with_own = ((time, (time, picture, problem)) for time, picture, problem in ticks)
        for pts, (own, picture, problem) in self._clock.rising(with_own):
            if index == 0:
                zero = pts
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
    """Facts about a clip, obtained by decoding all of it.

    width, height: upright, with square pixels. broken: number of frames that cannot be decoded.
    first, last: timestamps of the first and the last frame, seconds by the clip's own clock.
    steady: whether the frame rate is constant. turned: whether frames are stored turned or
    mirrored.
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
    """Decode a whole clip; raises ImageError (only the reason)."""
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
        # Opening a pipe would wait for a writer forever.
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise NoPicturesError("not a regular file; read a pipe through stdin (-)")
        if is_webp(source):
            return AnimatedWebp(source)
    except (OSError, ValueError) as error:
        raise NoPicturesError(reason(error)) from error
    return Container(source, opening)
