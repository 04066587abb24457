"""The first stage, in workers: read a picture, find its faces and cut them out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Failure
from fkp.annotate.watch import Watch, add_seconds
from fkp.errors import ImageError
from fkp.vision.crop import CropTransform
from fkp.vision.detect import FaceDetector, needed, search
from fkp.vision.images import MAX_PIXELS, Encoded, Image
from fkp.vision.process import settle

SHARPEST = 2.0
"""Crop pixels per picture pixel above which a reduced picture is decoded again at a larger scale.

At 1 instead of 2 the points of 24 photographs came no nearer to those of whole decoding (0.47 and
0.49 % of the eye distance), at a third more time.
"""

WORTHWHILE = 0.5
"""Detector score from which a face is worth decoding again: most below it are false alarms."""


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """The faces cut from one picture: crops (F, S, S) uint8, and their origin.

    transforms: from pixels of the full picture; boxes: (F, 4), scores: (F,) as in `Faces`. width,
    height, note: as in `Annotated`. smallest: the long side of the smallest faces searched for, in
    pixels, 0 if unknown. seconds: spent per stage. fine: the crops with `FaceCutter.finer` times
    the side, None where that is 1.
    """

    crops: npt.NDArray[np.uint8]
    transforms: list[CropTransform]
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    width: int
    height: int
    note: str = ""
    smallest: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    fine: npt.NDArray[np.uint8] | None = None


def spent(cuts: Sequence[Cut | Failure]) -> dict[str, float]:
    """The seconds that cutting many pictures took, by stage."""
    seconds: dict[str, float] = {}
    for cut in cuts:
        if isinstance(cut, Cut):
            add_seconds(seconds, cut.seconds)
    return seconds


@dataclass(frozen=True, slots=True)
class FaceCutter:
    """The first stage: read a picture, find its faces, cut their crops.

    A large JPEG is decoded at a half, a quarter or an eighth, as far as the detector loses nothing;
    then at a larger scale only if a face is smaller than its crop. detector: None takes the whole
    picture as one face crop. finer: what is looked at in the faces needs crops with so many times
    the side.
    """

    detector: FaceDetector | None
    layout: npt.NDArray[np.float64]  # (5, 2)
    size: int
    max_pixels: int = MAX_PIXELS
    finer: int = 1

    def __call__(self, path: str) -> Cut | Failure:
        """The faces of one picture file, or why it could not be read."""
        settle()
        watch = Watch()
        try:
            encoded = Encoded.read(path, self.max_pixels)
            find = self._whole if self.detector is None else self._found
            return find(encoded, watch)
        except ImageError as error:
            return Failure(str(error))

    def _whole(self, encoded: Encoded, watch: Watch) -> Cut:
        factor = encoded.reduction(2 * self.size * self.finer)
        image = encoded.decode(factor)
        watch.lap("decode")
        width, height = encoded.upright(image)
        transform = CropTransform.whole(width, height, self.size)
        boxes = np.array([[0, 0, width, height]], np.float32)
        crops, fine = self._crops(image, [transform.reduced(factor)])
        watch.lap("crop")
        unknown = np.full(1, np.nan, np.float32)
        return Cut(
            crops, [transform], boxes, unknown, width, height, encoded.note,
            seconds=watch.seconds, fine=fine,
        )  # fmt: skip

    def _found(self, encoded: Encoded, watch: Watch) -> Cut:
        assert self.detector is not None
        header = encoded.header
        factor = encoded.reduction(needed(self.detector, header.width or 1, header.height or 1))
        image = encoded.decode(factor)
        watch.lap("decode")
        found = search(self.detector, image, factor)
        watch.lap("detect")
        transforms = [CropTransform.framed(a, self.layout, self.size) for a in found.anchors]
        scales = [t.scale for t, s in zip(transforms, found.scores, strict=True) if s >= WORTHWHILE]
        finer = factor
        while finer > 1 and max(scales, default=0.0) * self.finer * finer > SHARPEST:
            finer //= 2
        if finer < factor:
            image = encoded.decode(finer, gray=True)
            watch.lap("decode")
        crops, fine = self._crops(image, [t.reduced(finer) for t in transforms])
        watch.lap("crop")
        note = "; ".join(filter(None, (encoded.note, found.note)))
        return Cut(
            crops, transforms, found.boxes, found.scores, *encoded.upright(image), note,
            found.smallest, watch.seconds, fine,
        )  # fmt: skip

    def cut_image(self, image: Image) -> Cut:
        """The faces of a picture in memory, (H, W, 3) BGR, at full size."""
        height, width = image.shape[:2]
        if self.detector is None:
            transforms = [CropTransform.whole(width, height, self.size)]
            boxes = np.array([[0, 0, width, height]], np.float32)
            scores = np.full(1, np.nan, np.float32)
        else:
            found = search(self.detector, image)
            transforms = [CropTransform.framed(a, self.layout, self.size) for a in found.anchors]
            boxes, scores = found.boxes, found.scores
        crops, fine = self._crops(image, transforms)
        return Cut(crops, transforms, boxes, scores, width, height, fine=fine)

    def _crops(
        self, image: Image, transforms: Sequence[CropTransform]
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8] | None]:
        """The crops, and the fine ones where they are wanted."""
        crops = _cut(image, transforms, self.size)
        if self.finer == 1:
            return crops, None
        larger = [transform.enlarged(self.finer) for transform in transforms]
        return crops, _cut(image, larger, self.size * self.finer)


def _cut(image: Image, transforms: Sequence[CropTransform], size: int) -> npt.NDArray[np.uint8]:
    crops = np.empty((len(transforms), size, size), np.uint8)
    for i, transform in enumerate(transforms):
        crops[i] = transform.cut_gray(image)
    return crops
