"""The last stage, in workers: drawing what was found."""

import errno
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.watch import Watch
from fkp.errors import DataError, ImageError
from fkp.keypoints import Faces
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.draw import KeypointAnnotator, hide
from fkp.vision.images import (
    MAX_PIXELS,
    Encoded,
    Image,
    fitting_name,
    overlay_name,
    resized,
    write_image,
)
from fkp.vision.process import settle

UNNAMEABLE = frozenset(
    {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ, errno.EISDIR, errno.ENOTDIR, errno.EEXIST}
)
"""Errors that concern only this file name; other files can still be written."""


@dataclass(frozen=True, slots=True)
class DrawOutcome:
    """The outcome of drawing a picture. problem: why it can no longer be read; note: what was not
    drawn.
    """

    problem: str | None
    seconds: dict[str, float]
    note: str = ""

    def of(self, result: Annotated) -> Result:
        """The result of the input, updated with the outcome of drawing."""
        if self.problem is not None:
            return Failure(self.problem)
        note = "; ".join(filter(None, (result.note, self.note)))
        return result if note == result.note else replace(result, note=note)


@dataclass(frozen=True, slots=True)
class DrawConfig:
    """Which pictures are drawn.

    overlays: the folder for pictures with the points drawn, None for none; size: their maximum long
    side in pixels, None for the picture's own.
    crops: the folder for upright crops of the faces, None for none; crop_size: their side.
    blur: `eyes` or `face` to make them unrecognisable in both, None for neither.
    """

    overlays: Path | None = None
    size: int | None = 1600
    crops: Path | None = None
    crop_size: int = 256
    blur: str | None = None
    max_pixels: int = MAX_PIXELS
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)

    def absolute(self) -> "DrawConfig":
        """The same with absolute folders, for processes on other machines."""
        overlays, crops = (f and f.absolute() for f in (self.overlays, self.crops))
        return replace(self, overlays=overlays, crops=crops)

    def draw(self, path: str, name: str, faces: Faces) -> DrawOutcome:
        """Draw the faces of a picture; `name` is its path relative to the folders.

        A picture whose name cannot be written is left out, with a note. Raises OSError if no file
        can be written, as on a full disk.
        """
        settle()
        watch = Watch()
        try:
            encoded = Encoded.read(path, self.max_pixels)
            factor = encoded.reduction(self._needed(encoded, faces))
            image = encoded.decode(factor)
        except ImageError as error:
            return DrawOutcome(str(error), watch.seconds)
        if self.blur is not None:
            image = hide(image, faces.scaled(1 / factor), self.blur)
        notes: list[str] = []
        if self.crops is not None:
            self._cut(image, factor, name, faces, notes)
        if self.overlays is not None:
            scale = min(1.0, self.size / max(image.shape[:2])) if self.size else 1.0
            drawn = self.annotator.draw(resized(image, scale), faces.scaled(scale / factor))
            _write(self.overlays / overlay_name(name), drawn, "overlay", notes)
        watch.lap("draw")
        return DrawOutcome(None, watch.seconds, "; ".join(dict.fromkeys(notes)))

    def _needed(self, encoded: Encoded, faces: Faces) -> int:
        """The long side in pixels that suffices for everything to be drawn."""
        longest = max(encoded.header.width, encoded.header.height)
        needed = 1
        if self.overlays is not None:
            needed = self.size or longest
        if self.crops is not None and len(faces):
            scale = max(_upright(faces, i, self.crop_size).scale for i in range(len(faces)))
            needed = max(needed, round(longest * min(1.0, scale)))
        return needed

    def _cut(self, image: Image, factor: int, name: str, faces: Faces, notes: list[str]) -> None:
        assert self.crops is not None
        for i in range(len(faces)):
            transform = _upright(faces, i, self.crop_size).reduced(factor)
            target = self.crops / fitting_name(f"{name}.{i}.png")
            _write(target, transform.cut(image), "crop", notes)


def _write(path: Path, image: Image, what: str, notes: list[str]) -> None:
    """Write a picture, or note why it cannot be written."""
    try:
        write_image(path, image)
    except ImageError:
        notes.append(f"no {what}: its format cannot hold a picture of this size")
    except OSError as error:
        if error.errno not in UNNAMEABLE:
            raise
        notes.append(f"no {what}: {(error.strerror or 'its name is not allowed').lower()}")


def _upright(faces: Faces, i: int, size: int) -> CropTransform:
    """The crop that places a face's anchor points where those of a frontal face are.

    A square around the box if the points do not determine it.
    """
    try:
        anchors = faces.scheme.anchor_points(faces.points[i])
        return CropTransform.framed(anchors, UPRIGHT_LAYOUT, size)
    except DataError:
        x, y, width, height = faces.boxes[i].astype(np.float64)
        corners = np.array([[x, y], [x + width, y + height]])
        return CropTransform.around(corners, size, margin=0.15)
