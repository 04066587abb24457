"""What workers do with one picture: read it, find its faces and cut them out; draw into it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError
from fkp.keypoints import Faces
from fkp.vision.crop import CropTransform
from fkp.vision.detect import FaceDetector
from fkp.vision.draw import KeypointAnnotator
from fkp.vision.images import MAX_PIXELS, Encoded, resized, single_thread, to_gray, write_image

SHARPEST = 2.0
"""Crop pixels to a picture pixel, beyond which a reduced picture is decoded again, larger.

At 1 instead of 2 the points of 24 photographs came no nearer to those of whole decoding (0.47 and
0.49 % of the eye distance), at a third more time.
"""

SURE = 0.5
"""Only for a face of such a detector's score: most of those below turn out to be none."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why an input could not be read."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The faces of one picture, cut out: crops (F, S, S) uint8, and where they come from.

    transforms: from pixels of the whole picture; boxes: (F, 4), scores: (F,) as in `Faces`.
    seconds: spent, by stage.
    """

    crops: npt.NDArray[np.uint8]
    transforms: list[CropTransform]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FaceCutter:
    """The first stage: read a picture, find its faces, cut their crops.

    A large JPEG is decoded at a half, a quarter or an eighth, as long as the detector loses
    nothing by it; larger again only where a face comes out smaller than its crop.
    detector: None takes the whole picture for one face crop.
    """

    detector: FaceDetector | None
    layout: npt.NDArray[np.float64]  # (5, 2)
    size: int
    max_pixels: int = MAX_PIXELS

    def many(self, paths: Sequence[str]) -> list[Cut | Failure]:
        """The faces of several pictures."""
        return [self(path) for path in paths]

    def __call__(self, path: str) -> Cut | Failure:
        """The faces of one picture, or why there are none to be had."""
        single_thread()
        try:
            encoded = Encoded.read(path, self.max_pixels)
            return self._whole(encoded) if self.detector is None else self._found(encoded)
        except ImageError as error:
            return Failure(str(error))

    def _whole(self, encoded: Encoded) -> Cut:
        watch = _Watch()
        factor = encoded.reduction(2 * self.size)
        image = encoded.decode(factor)
        watch.lap("decode")
        height, width = (side * factor for side in image.shape[:2])
        transform = CropTransform.whole(width, height, self.size)
        boxes = np.array([[0, 0, width, height]], np.float32)
        crop = to_gray(transform.reduced(factor).cut(image))
        watch.lap("crop")
        return Cut(crop[None], [transform], boxes, np.full(1, np.nan, np.float32), watch.seconds)

    def _found(self, encoded: Encoded) -> Cut:
        assert self.detector is not None
        watch = _Watch()
        factor = encoded.reduction(self.detector.det_size)
        image = encoded.decode(factor)
        watch.lap("decode")
        found = self.detector.detect(image).magnified(factor)
        watch.lap("detect")
        transforms = [CropTransform.framed(a, self.layout, self.size) for a in found.anchors]
        sure = [t.scale for t, s in zip(transforms, found.scores, strict=True) if s >= SURE]
        finer = factor
        while finer > 1 and max(sure, default=0.0) * finer > SHARPEST:
            finer //= 2
        if finer < factor:
            image = encoded.decode(finer, gray=True)
            watch.lap("decode")
        crops = np.empty((len(transforms), self.size, self.size), np.uint8)
        for i, transform in enumerate(transforms):
            crop = transform.reduced(finer).cut(image)
            crops[i] = to_gray(crop) if crop.ndim == 3 else crop
        watch.lap("crop")
        return Cut(crops, transforms, found.boxes, found.scores, watch.seconds)


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture drawn, or the problem: why it can no longer be read."""

    problem: str | None
    seconds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Overlay:
    """How overlays are drawn. size: their long side at most, pixels; 0 for the whole picture."""

    size: int = 1600
    max_pixels: int = MAX_PIXELS
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)

    def draw(self, path: str, target: Path, faces: Faces) -> Drawn:
        """The last stage: draw the faces of a picture into a copy, `target`."""
        single_thread()
        watch = _Watch()
        try:
            encoded = Encoded.read(path, self.max_pixels)
            factor = encoded.reduction(self.size) if self.size else 1
            image = encoded.decode(factor)
        except ImageError as error:
            return Drawn(str(error), watch.seconds)
        scale = min(1.0, self.size / max(image.shape[:2])) if self.size else 1.0
        drawn = self.annotator.draw(resized(image, scale), faces.scaled(scale / factor))
        write_image(target, drawn)
        watch.lap("draw")
        return Drawn(None, watch.seconds)


class _Watch:
    """Seconds since the last lap, added up by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._last
        self._last = now
