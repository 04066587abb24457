"""Face detectors: a picture in, boxes and five anchor points out."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import FkpError, ModelError
from fkp.vision.images import Image, resized

HAAR_LAYOUT = np.array(
    [[0.320, 0.394], [0.680, 0.394], [0.500, 0.590], [0.362, 0.796], [0.638, 0.796]]
)
"""Mean place of the anchors in the cascade's boxes, measured on 300 labelled video frames
(standard deviation 0.03 for the eyes, 0.07 for the nose tip), made symmetric."""


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


class YuNetDetector:
    """A network in YuNet's layout (Wu et al., MIR 20, 2023), run by `cv2.FaceDetectorYN`.

    The bundled one, or anyone's. Where it finds nothing, it looks once more at a smaller picture
    with a wide border, in which a face too large or too close to the edge may be found.
    """

    name = "fkp"

    def __init__(
        self,
        model: Path = WEIGHTS,
        det_size: int = 640,
        min_score: float = CANDIDATE,
        min_face: float = 0,
    ) -> None:
        self.model = model
        self.det_size = det_size  # long side of the picture it looks at, pixels
        self.min_score = min_score
        self.min_face = min_face  # smallest long side of a face in the whole picture, pixels
        _yunet(model)

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3)."""
        longest = max(image.shape[:2])
        found = self._look(image, min(ENLARGE, self.det_size / longest))
        if len(found.boxes) == 0:
            margin = round(0.3 * longest)
            wide = cv2.copyMakeBorder(
                image, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(127, 127, 127)
            )
            shift = np.array([margin, margin])
            scale = min(ENLARGE, self.det_size / longest) / 2
            found = self._look(np.asarray(wide, np.uint8), scale)
            boxes = found.boxes - np.concatenate([shift, [0, 0]]).astype(np.float32)
            found = Detections(boxes, found.scores, found.anchors - shift)
        large = found.boxes[:, 2:].max(1, initial=0) >= self.min_face
        return Detections(found.boxes[large], found.scores[large], found.anchors[large])

    def _look(self, image: Image, scale: float) -> Detections:
        height, width = image.shape[:2]
        image = resized(image, scale)
        small = (image.shape[1], image.shape[0])
        network = _yunet(self.model)
        network.setInputSize(small)
        network.setScoreThreshold(self.min_score)
        _, rows = network.detect(image)
        table = np.zeros((0, 15)) if rows is None else np.asarray(rows, np.float64)
        table = table[np.argsort(-table[:, 14], kind="stable")]
        factor = np.array([width / small[0], height / small[1]])
        # Pixel centres at integers: (x + 1/2) grows with the picture.
        anchors = (table[:, 4:14].reshape(-1, 5, 2) + 0.5) * factor - 0.5
        boxes = np.concatenate([(table[:, :2] + 0.5) * factor - 0.5, table[:, 2:4] * factor], 1)
        return Detections(boxes.astype(np.float32), table[:, 14].astype(np.float32), anchors)


@lru_cache(maxsize=4)
def _yunet(model: Path) -> cv2.FaceDetectorYN:
    """The loaded network, once in each process; raises ModelError where it is none."""
    try:
        data = np.frombuffer(model.read_bytes(), np.uint8)
        network = cv2.FaceDetectorYN.create("onnx", data, np.zeros(0, np.uint8), (32, 32))
        network.setTopK(5000)
        network.setNMSThreshold(0.3)
        network.detect(np.zeros((32, 32, 3), np.uint8))
    except OSError as error:
        raise ModelError(f"{model}: cannot be read: {error.strerror}") from error
    except cv2.error as error:
        raise ModelError(f"{model}: not a face detector in YuNet's layout (.onnx)") from error
    return network


class HaarDetector:
    """OpenCV's frontal-face cascade (Viola and Jones, 2001) on a picture of bounded size.

    It knows boxes only; the anchors are where they lie in its boxes on average. The `alt2`
    cascade finds more faces than `default` at a tenth of its false alarms.
    """

    name = "haar"

    def __init__(self, det_size: int = 640, min_score: float = 0, min_face: float = 0) -> None:
        self.det_size = det_size  # long side of the picture it looks at, pixels
        self.min_score = min_score
        self.min_face = min_face  # smallest side of a face in the whole picture, pixels
        if not self.available():
            raise FkpError(
                f"OpenCV {cv2.__version__} has no Haar cascades: use --detector fkp, "
                "or install opencv-python-headless<5"
            )

    @staticmethod
    def available() -> bool:
        """Whether this OpenCV has cascades; version 5 has none in its main wheels."""
        return hasattr(cv2, "CascadeClassifier")

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3); scores: w / (w + 5), w of the last stage."""
        scale = min(1.0, self.det_size / max(image.shape[:2]))
        gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            gray = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        smallest = max(24, round(self.min_face * scale))
        found, _, weights = _cascade().detectMultiScale3(
            gray, 1.1, 5, minSize=(smallest, smallest), outputRejectLevels=True
        )
        boxes = np.asarray(found, np.float64).reshape(-1, 4)
        scores = np.asarray(weights, np.float64).reshape(-1).clip(min=0)
        scores = scores / (scores + 5)
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] >= self.min_score]
        # Pixel centres at integers: a box of the small picture starts half a pixel before its own.
        fx, fy = image.shape[1] / gray.shape[1], image.shape[0] / gray.shape[0]
        factor = np.array([fx, fy, fx, fy])
        boxes = boxes[order] * factor
        corner = boxes[:, None, :2] - 0.5
        anchors = corner + HAAR_LAYOUT * boxes[:, None, 2:]
        return Detections(boxes.astype(np.float32), scores[order].astype(np.float32), anchors)


@lru_cache(maxsize=1)
def _cascade() -> "cv2.CascadeClassifier":
    path = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_alt2.xml"
    cascade = cv2.CascadeClassifier(str(path))
    if cascade.empty():
        raise FkpError(f"{path}: OpenCV's face cascade cannot be loaded")
    return cascade
