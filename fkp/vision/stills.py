"""Clips that are not video files: sequences of pictures, and animated WebP."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from fkp.errors import ImageError, NoPicturesError
from fkp.vision.frames import Still
from fkp.vision.images import Encoded
from fkp.vision.sources import missing_numbers, pictures_of

RATE = Fraction(25)
"""Default frame rate of a sequence."""

Shown = tuple[int | None, Still | None, str]
"""Time in ticks, picture, and the problem if there is no picture."""


class Sequence:
    """Picture files as the frames of a clip. rate: frames per second, None if unknown.

    Raises NoPicturesError if there are no pictures.
    """

    sound, bit_rate, leap, first = False, 0, None, 0

    def __init__(self, source: str, rate: float | None) -> None:
        self.codec = "pictures"
        self._paths = pictures_of(source)
        self.notes: list[str] = []
        if rate is None:
            self.notes.append(
                f"no frame rate (fps) is given, {float(RATE):g} per second is assumed"
            )
        fps = RATE if rate is None else Fraction(rate).limit_denominator(100_000)
        self.time_base, self.step = 1 / fps, 1
        self.expected = len(self._paths)
        if missing := missing_numbers(self._paths):
            self.notes.append(f"{missing} numbers are missing in the sequence of pictures")

    def read(self) -> Iterator[Shown]:
        """The pictures, in order."""
        for index, path in enumerate(self._paths):
            try:
                Encoded.read(path)
            except ImageError as error:
                yield index, None, f"{path}: {error}"
            else:
                yield index, Still.file(path), ""

    def close(self) -> None:
        """Do nothing: no file is open."""


class AnimatedWebp:
    """An animated WebP file."""

    sound, bit_rate, leap, first = False, 0, None, 0
    time_base, step = Fraction(1, 1000), 40

    def __init__(self, path: str) -> None:
        self.codec = "webp"
        self.notes: list[str] = []
        try:
            self._file = Pillow.open(path)
        except (OSError, UnidentifiedImageError, ValueError) as error:
            raise NoPicturesError("the WebP file cannot be decoded") from error
        self.expected = int(getattr(self._file, "n_frames", 1))

    def read(self) -> Iterator[Shown]:
        """The pictures, in order."""
        time = 0
        for index in range(self.expected):
            try:
                self._file.seek(index)
                rgb = np.asarray(self._file.convert("RGB"), np.uint8)
            except (OSError, EOFError, ValueError) as error:
                self.notes.append(f"cut off after {index} pictures: {error}")
                return
            yield time, Still.of(np.ascontiguousarray(rgb[..., ::-1])), ""
            time += _duration(self._file)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _duration(file: Any) -> int:
    """Duration of the picture in milliseconds; very short ones are 100, as in browsers."""
    duration = int(file.info.get("duration") or 0)
    return duration if duration > 10 else 100


def is_webp(path: str) -> bool:
    """Whether a file is WebP, by its first bytes."""
    with open(path, "rb") as file:
        head = file.read(12)
    return head[:4] == b"RIFF" and head[8:] == b"WEBP"
