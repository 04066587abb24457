"""Face detectors: a picture in, boxes and five anchor points out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image, resized
from fkp.vision.yunet import load_yunet


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """F faces, best score first, in pixels of the picture.

    boxes: (F, 4) float32 xywh; scores: (F,) float32 in 0..1; anchors: (F, 5, 2) float64: right
    eye, left eye, nose tip, mouth right, mouth left (the subject's).
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    anchors: npt.NDArray[np.float64]

    def magnified(self, factor: int) -> "Detections":
        """The same faces in a picture of `factor` times the size."""
        if factor == 1:
            return self
        boxes = self.boxes * np.float32(factor)
        boxes[:, :2] += np.float32((factor - 1) / 2)
        return Detections(boxes, self.scores, (self.anchors + 0.5) * factor - 0.5)


class FaceDetector(Protocol):
    """What finds faces; picklable, so that workers can have one each."""

    name: str
    det_size: int  # long side of the picture that it looks at, pixels

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3)."""
        ...


WEIGHTS = Path(__file__).parents[1] / "weights" / "faces.onnx"
"""The bundled detector."""

CANDIDATE = 0.35
"""Boxes of a lower score are not even looked at by the keypoint network."""

ENLARGE = 2.0
"""Pictures smaller than what the detector looks at are enlarged so far: small faces in them are
found that would not be otherwise."""

BORDER = 0.3
"""Of the second look, as a share of the long side."""


class YuNetDetector:
    """A network in YuNet's layout: the bundled one, or anyone's.

    Where it finds nothing, it looks once more at a smaller picture with a wide border, in which a
    face too large or too close to the edge may be found.
    """

    name = "fkp"

    def __init__(
        self,
        model: Path | None = None,
        det_size: int = 640,
        min_score: float = CANDIDATE,
        min_face: float = 0,
    ) -> None:
        self.model = model  # None: the bundled one, wherever fkp is installed
        self.det_size = det_size  # long side of the picture it looks at, pixels
        self.min_score = min_score
        self.min_face = min_face  # smallest long side of a face in the whole picture, pixels
        load_yunet(model or WEIGHTS)

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3)."""
        found = self._look(image)
        if len(found.boxes) == 0:
            found = self._look(image, wide=True)
        large = found.boxes[:, 2:].max(1, initial=0) >= self.min_face
        return Detections(found.boxes[large], found.scores[large], found.anchors[large])

    def _look(self, image: Image, wide: bool = False) -> Detections:
        """`wide`: at half the size, with a gray border."""
        network = load_yunet(self.model or WEIGHTS)
        height, width = image.shape[:2]
        room = max(height, width) * (1 + 2 * BORDER if wide else 1)
        scale = min(ENLARGE, self.det_size / max(height, width)) / (2 if wide else 1)
        if network.sides is not None:
            scale = min(scale, min(network.sides) / room)
        small = resized(image, scale)
        factor = np.array([width / small.shape[1], height / small.shape[0]])
        margin = round(BORDER * max(small.shape[:2])) if wide else 0
        if wide:
            around = ((margin, margin), (margin, margin), (0, 0))
            small = np.pad(small, around, constant_values=127)
        boxes, scores, points = network.find(small, self.min_score)
        boxes[:, :2] -= margin
        boxes *= np.tile(factor, 2)
        boxes[:, :2] -= 0.5  # pixel centres at integers
        anchors = (points - margin) * factor - 0.5
        return Detections(boxes.astype(np.float32), scores.astype(np.float32), anchors)
