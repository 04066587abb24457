"""Face detectors: from a picture to boxes and five anchor points."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeGuard

import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image, resized
from fkp.vision.looks import Found, look, tiles
from fkp.vision.trial import try_out
from fkp.vision.yunet import YuNet, load_yunet


@dataclass(frozen=True, slots=True, eq=False)
class Detections:
    """F faces, best score first, in pixels of the picture.

    boxes: (F, 4) float32 xywh; scores: (F,) float32 in 0..1; anchors: (F, 5, 2) float64: right
    eye, left eye, nose tip, mouth right, mouth left (the subject's). smallest: the long side of the
    smallest faces searched for, in pixels, 0 if unknown. note: on the search, for the user.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    anchors: npt.NDArray[np.float64]
    smallest: float = 0.0
    note: str = ""

    def magnified(self, factor: int) -> "Detections":
        """The same faces in the picture scaled by `factor`."""
        if factor == 1:
            return self
        boxes = self.boxes * np.float32(factor)
        boxes[:, :2] += np.float32((factor - 1) / 2)
        anchors = (self.anchors + 0.5) * factor - 0.5
        return Detections(boxes, self.scores, anchors, self.smallest * factor, self.note)


class FaceDetector(Protocol):
    """Finds faces; must be picklable, so that each worker can have one."""

    name: str
    det_size: int  # long side of the picture that it sees, in pixels

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3), such as a frame of a video."""
        ...


class PhotoDetector(FaceDetector, Protocol):
    """A detector that searches a photograph more thoroughly than a video frame."""

    def needed(self, width: int, height: int) -> int:
        """The long side that `search` needs of a photograph of this size."""
        ...

    def search(self, image: Image, reduced: int = 1) -> Detections:
        """Faces in a photograph of which `image` is a copy `reduced` times smaller, in the pixels
        of the photograph.
        """
        ...


def _looks_closely(detector: FaceDetector) -> TypeGuard[PhotoDetector]:
    """Whether it is a PhotoDetector; asking `isinstance` would cost a tenth of a picture's time."""
    return hasattr(detector, "needed") and hasattr(detector, "search")


def needed(detector: FaceDetector, width: int, height: int) -> int:
    """The long side at which a photo has all the detail that any detector uses."""
    if _looks_closely(detector):
        return detector.needed(width, height)
    return detector.det_size


def search(detector: FaceDetector, image: Image, reduced: int = 1) -> Detections:
    """What any detector finds in a photograph, see PhotoDetector.search."""
    if _looks_closely(detector):
        return detector.search(image, reduced)
    return detector.detect(image).magnified(reduced)


WEIGHTS = Path(__file__).parents[1] / "weights" / "faces.onnx"
"""The bundled detector."""

CANDIDATE = 0.35
"""Boxes with a lower score are not passed to the keypoint network."""

CONFIDENT, CERTAIN = 0.8, 0.9
"""Photographs whose best face scores below CONFIDENT are also searched rotated; those below CERTAIN
also upside down, since an inverted face may look like a face."""

LIKELY, TURNED = 0.4, 0.5
"""A picture is searched rotated if a small rotated copy shows a face scoring LIKELY; of the faces
found, those scoring at least TURNED count."""

ENLARGE = 2.0
"""Maximum enlargement of pictures smaller than the detector's input, so that small faces in them
are found."""

BORDER = 0.3
"""Border of the second look, as a share of the long side."""

VISIBLE = 16
"""Long side of the smallest faces that one look finds as reliably as larger ones (98 of 100
portraits pasted into other pictures; 88 at 12 pixels)."""

LARGEST = 8
"""Maximum reduction of a photograph before it is searched, in units of 640 / det_size."""

LEVEL = 4
"""Scale factor between the copies of a photograph that is searched closely: faces too large for one
copy are found in the next."""

MOST_PIXELS = 100e6
"""Maximum number of pixels of a photograph that the network sees: about two seconds."""


class YuNetDetector:
    """A network in YuNet's layout: the bundled one, or anyone's.

    If it finds nothing, it looks again at a smaller copy with a wide border, in which faces that
    are too large or too close to the edge can be found. A photograph is searched at the scale that
    faces of `min_face` pixels need and, if there is no high-confidence face, also rotated.
    """

    name = "fkp"

    def __init__(
        self,
        model: Path | None = None,
        det_size: int = 640,
        min_score: float = CANDIDATE,
        min_face: float = 0,
    ) -> None:
        self.model = model  # None: the bundled one
        self.det_size = det_size  # long side of the picture it sees, in pixels
        self.min_score = min_score
        self.min_face = min_face  # smallest long side of a face, in pixels of the full picture
        if model is not None and model != WEIGHTS:
            try_out(model)
        load_yunet(model or WEIGHTS)

    @property
    def _network(self) -> YuNet:
        return load_yunet(self.model or WEIGHTS)

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3)."""
        return self._result(self._upright(image))

    def needed(self, width: int, height: int) -> int:
        """The long side that `search` needs of a photograph of this size."""
        longest = max(width, height)
        return max(self.det_size, int(np.ceil(longest * self._closest(longest, width * height))))

    def search(self, image: Image, reduced: int = 1) -> Detections:
        """Faces in a photograph of which `image` is a copy `reduced` times smaller.

        If no face has a high score, it is also searched rotated. A face may then be found twice,
        upright and rotated; the keypoint network decides which is right.
        """
        height, width = image.shape[:2]
        longest = reduced * max(height, width)
        closest = self._closest(longest, height * width * reduced**2)
        found = self._upright(image, closest * reduced)
        if found.best < CERTAIN:
            found = Found.joined(found, self._turned(image, found.best))
            found = found.take(np.argsort(-found.scores, kind="stable"))
        smallest = VISIBLE / closest
        limited = smallest > 1.01 * max(self.min_face, VISIBLE) and self.min_face > 0
        note = f"too large to be searched for faces smaller than {smallest:.0f} pixels"
        return self._result(found, reduced, smallest, note if limited else "")

    def _result(
        self, found: Found, reduced: int = 1, smallest: float = 0.0, note: str = ""
    ) -> Detections:
        """Detections in pixels of the full picture, pixel centres at integers."""
        found = found.take(reduced * found.boxes[:, 2:].max(1, initial=0) >= self.min_face)
        whole = found.mapped(np.full(2, float(reduced)), np.full(2, -0.5))
        boxes, scores = whole.boxes.astype(np.float32), whole.scores.astype(np.float32)
        return Detections(boxes, scores, whole.points, smallest, note)

    @property
    def _side(self) -> int:
        """Long side of the picture that one look sees, in pixels; a network may prescribe it."""
        sides = self._network.sides
        return self.det_size if sides is None else min(self.det_size, *sides)

    def _closest(self, longest: int, pixels: int) -> float:
        """The largest scale at which a photograph of this long side and number of pixels is
        searched.
        """
        wanted = VISIBLE / self.min_face if self.min_face else self.det_size / (640 * LARGEST)
        affordable = float(np.sqrt(MOST_PIXELS / pixels))
        return max(min(ENLARGE, self._side / longest), min(wanted, 1.0, affordable))

    def _upright(self, image: Image, closest: float = 0.0) -> Found:
        """Look at scales of up to `closest`, and once more with a border if nothing is found."""
        longest = max(image.shape[:2])
        usual = min(ENLARGE, self._side / longest)
        scale = closest if closest > 1.01 * usual else usual
        levels = [self._tiled(image, scale)]
        while scale * longest > 1.01 * self._side:
            scale /= LEVEL
            seen = self._tiled(image, scale)
            # Smaller faces are seen better in the previous copy.
            large = scale * seen.boxes[:, 2:].max(1, initial=0) >= 1.5 * VISIBLE
            levels.append(seen.take(large))
        found = Found.joined(*levels).distinct()
        if len(found.scores) == 0:
            found = self._bordered(image, usual).distinct()
        return found

    def _tiled(self, image: Image, scale: float) -> Found:
        """Look at the picture at a scale, in tiles if it is too large for one look."""
        small = resized(image, scale)
        height, width = small.shape[:2]
        fixed = self._network.sides is not None
        side = self._side if fixed else 2 * self._side
        if max(height, width) <= (side if fixed else 1.25 * side):
            return self._in_picture(look(self._network, small, self.min_score), image, small)
        parts = []
        for x, y in tiles(width, height, side, min(2 * LEVEL * VISIBLE, side // 2)):
            part = look(self._network, small[y : y + side, x : x + side], self.min_score)
            parts.append(part.mapped(np.ones(2), np.array([x, y], np.float64)))
        return self._in_picture(Found.joined(*parts), image, small)

    def _bordered(self, image: Image, usual: float, turn: int = 0) -> Found:
        """Look at half the usual scale, with a border."""
        room = max(image.shape[:2]) * (1 + 2 * BORDER)
        small = resized(image, min(usual / 2, self._side / room))
        margin = round(BORDER * max(small.shape[:2]))
        found = look(self._network, small, self.min_score, turn, margin)
        return self._in_picture(found, image, small)

    def _turned(self, image: Image, best: float) -> Found:
        """Search at those rotations at which small copies of the picture show a face.

        best: the score of a face found upright.
        """
        usual = min(ENLARGE, self._side / max(image.shape[:2]))
        if best >= CONFIDENT:
            tried = self._tried(image, usual / 4, (0, 2))
        else:
            tried = self._tried(image, usual / 2, range(4))
            if tried[0][0] < 0.75 * CONFIDENT:
                tried = sorted(
                    tried + self._tried(image, usual / 4, range(4), BORDER), reverse=True
                )
        found = [Found.none()]
        for score, turn, border in tried[:2]:
            if score < max(LIKELY, 0.8 * tried[0][0]):
                break
            if border:
                seen = self._bordered(image, usual, turn)
            elif turn:
                small = resized(image, usual)
                seen = self._in_picture(look(self._network, small, TURNED, turn), image, small)
            else:
                continue
            found.append(seen.take(seen.scores >= TURNED).distinct())
        return Found.joined(*found)

    def _tried(
        self, image: Image, scale: float, turns: Sequence[int], border: float = 0.0
    ) -> list[tuple[float, int, float]]:
        """The best score of a face after each number of clockwise quarter turns, with the turn and
        the border, the highest first.
        """
        small = resized(image, scale)
        margin = round(border * max(small.shape[:2]))
        scores = [look(self._network, small, CANDIDATE, turn, margin).best for turn in turns]
        return sorted(((s, t, border) for s, t in zip(scores, turns, strict=True)), reverse=True)

    @staticmethod
    def _in_picture(found: Found, image: Image, small: Image) -> Found:
        """From the pixels of a small copy to those of the picture."""
        if small.shape == image.shape:
            return found
        factor = [image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]]
        return found.mapped(np.array(factor), np.zeros(2))


class ThoroughDetector(YuNetDetector):
    """A slower detector that misses fewer faces: it also searches the mirror image of a photo. A
    face found in both is returned twice.
    """

    def search(self, image: Image, reduced: int = 1) -> Detections:
        """Faces in a photograph of which `image` is a copy `reduced` times smaller."""
        plain = super().search(image, reduced)
        mirrored = super().search(np.ascontiguousarray(image[:, ::-1]), reduced)
        right = reduced * image.shape[1] - 1.0
        boxes, anchors = mirrored.boxes.copy(), mirrored.anchors[:, [1, 0, 2, 4, 3]]
        boxes[:, 0] = right - boxes[:, 0] - boxes[:, 2]
        anchors[..., 0] = right - anchors[..., 0]
        scores = np.concatenate([plain.scores, mirrored.scores])
        order = np.argsort(-scores, kind="stable")
        return Detections(
            np.concatenate([plain.boxes, boxes])[order],
            scores[order],
            np.concatenate([plain.anchors, anchors])[order],
            plain.smallest,
            plain.note,
        )
