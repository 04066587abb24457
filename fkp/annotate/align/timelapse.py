"""A timelapse of aligned pictures: each is held for a while, then fades into the next one."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision.images import Image, read_image
from fkp.vision.joining import join
from fkp.vision.recording import Recording
from fkp.vision.warp import fitted

RATE = 30
"""Frames per second."""


def write_timelapse(
    path: Path, pictures: Sequence[Path], size_wh: tuple[int, int], hold: float, fade: float
) -> list[str]:
    """Write an MP4 of pictures in this order; returns notes on those that cannot be read.

    size_wh: of the video; smaller pictures are enlarged to it, so that faces stay in place. hold,
    fade: seconds. Raises ImageError if no picture can be read.
    """
    notes: list[str] = []
    with replacing(path) as whole, replacing(path.with_name(f"{path.name}.frames.mp4")) as part:
        frames = _frames(_read(pictures, size_wh, notes), round(hold * RATE), round(fade * RATE))
        count = 0
        with Recording(part, size_wh, size_wh, Fraction(1, RATE)) as recording:
            for frame in frames:
                recording.write(frame, count)
                count += 1
            if not count:
                raise ImageError(f"{path}: none of {len(pictures)} pictures can be read")
        join([part], whole, None)
    path.with_name(f"{path.name}.frames.mp4").unlink(missing_ok=True)
    return notes


def _read(pictures: Sequence[Path], size_wh: tuple[int, int], notes: list[str]) -> Iterator[Image]:
    for path in pictures:
        try:
            image = read_image(path)
        except ImageError as error:
            notes.append(f"{path.name} is not in the timelapse: {error}")
            continue
        yield fitted(image, size_wh)


def _frames(pictures: Iterator[Image], hold: int, fade: int) -> Iterator[Image]:
    """`hold` frames of each picture, at least one, and `fade` frames between two pictures."""
    last: Image | None = None
    for image in pictures:
        if last is not None:
            yield from [last] * max(hold, 0 if fade else 1)
            for i in range(fade):
                share = (i + 1) / (fade + 1)
                mixed = last.astype(np.float32) * (1 - share) + image.astype(np.float32) * share
                yield np.asarray(np.rint(mixed), np.uint8)
        last = image
    if last is not None:
        yield from [last] * max(hold, 1)
