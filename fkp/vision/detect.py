"""Face detectors: a picture in, boxes and five anchor points out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import FkpError
from fkp.vision.images import Image

HAAR_LAYOUT = np.array(
    [[0.320, 0.394], [0.680, 0.394], [0.500, 0.590], [0.362, 0.796], [0.638, 0.796]]
)
"""Mean place of the anchors in the cascade's boxes, measured on 300 labelled video frames
(standard deviation 0.03 for the eyes, 0.07 for the nose tip), made symmetric."""


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """F faces, best score first, in pixels of the picture.

    boxes: (F, 4) float32 xywh; scores: (F,) float32; anchors: (F, 5, 2) float64: right eye,
    left eye, nose tip, mouth right, mouth left (the subject's).
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    anchors: npt.NDArray[np.float64]


class FaceDetector(Protocol):
    """What finds faces; picklable, so that workers can have one each."""

    name: str

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3)."""
        ...


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola and Jones, 2001) on a picture of bounded size.

    It knows boxes only; the anchors are where they lie in its boxes on average. The `alt2`
    cascade finds more faces than `default` at a tenth of its false alarms.
    """

    name = "haar"

    def __init__(self, det_size: int = 640, min_score: float = 0.0, min_face: int = 24) -> None:
        self.det_size = det_size  # long side of the picture it looks at, pixels
        self.min_score = min_score  # of the last cascade stage
        self.min_face = min_face  # smallest side of a face in that picture, pixels
        self._cascade: cv2.CascadeClassifier | None = None
        if not self.available():
            raise FkpError(
                f"OpenCV {cv2.__version__} has no Haar cascades; install opencv-python-headless<5, "
                "or use --detector none for pictures that are face crops already"
            )

    @staticmethod
    def available() -> bool:
        """Whether this OpenCV has cascades; version 5 has none in its main wheels."""
        return hasattr(cv2, "CascadeClassifier")

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_cascade": None}  # loaded anew in each worker

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3); scores are the cascade's stage weights."""
        scale = min(1.0, self.det_size / max(image.shape[:2]))
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        found, _, weights = self._load().detectMultiScale3(
            gray, 1.1, 5, minSize=(self.min_face, self.min_face), outputRejectLevels=True
        )
        boxes = np.asarray(found, np.float64).reshape(-1, 4)
        scores = np.asarray(weights, np.float64).reshape(-1)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= self.min_score]
        # Pixel centres at integers: a box of the small picture starts half a pixel before its own.
        fx, fy = image.shape[1] / gray.shape[1], image.shape[0] / gray.shape[0]
        factor = np.array([fx, fy, fx, fy])
        boxes = boxes[order] * factor
        corner = boxes[:, None, :2] - 0.5
        anchors = corner + HAAR_LAYOUT * boxes[:, None, 2:]
        return Detections(boxes.astype(np.float32), scores[order].astype(np.float32), anchors)

    def _load(self) -> cv2.CascadeClassifier:
        if self._cascade is None:
            path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
            self._cascade = cv2.CascadeClassifier(str(path))
            if self._cascade.empty():
                raise FkpError(f"{path}: OpenCV's face cascade cannot be loaded")
        return self._cascade
