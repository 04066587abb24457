"""Face detectors: a picture in, boxes and five anchor points out."""

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
    smallest faces that were looked for, pixels, 0 where that is not known. note: what a user should
    know of the search.
    """

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    anchors: npt.NDArray[np.float64]
    smallest: float = 0.0
    note: str = ""

    def magnified(self, factor: int) -> "Detections":
        """The same faces in a picture of `factor` times the size."""
        if factor == 1:
            return self
        boxes = self.boxes * np.float32(factor)
        boxes[:, :2] += np.float32((factor - 1) / 2)
        anchors = (self.anchors + 0.5) * factor - 0.5
        return Detections(boxes, self.scores, anchors, self.smallest * factor, self.note)


class FaceDetector(Protocol):
    """What finds faces; picklable, so that workers can have one each."""

    name: str
    det_size: int  # long side of the picture that it looks at, pixels

    def detect(self, image: Image) -> Detections:
        """Faces in a BGR picture (H, W, 3), such as a frame of a video."""
        ...


class PhotoDetector(FaceDetector, Protocol):
    """A detector that takes more pains over a photograph than over a frame."""

    def needed(self, width: int, height: int) -> int:
        """The long side at which a photograph of this size has all that `search` looks at."""
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
    """The long side at which a photograph has all that any detector looks at."""
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
"""Boxes of a lower score are not even looked at by the keypoint network."""

CONFIDENT, CERTAIN = 0.8, 0.9
"""Photographs whose best face has a lower score than CONFIDENT are looked at turned; upside down
also those below CERTAIN, as a face upside down may look like a face."""

LIKELY, TURNED = 0.4, 0.5
"""A picture is looked at turned where a small copy shows a face of a score of LIKELY then; of what
is found, faces with a score of TURNED count."""

ENLARGE = 2.0
"""Pictures smaller than what the detector looks at are enlarged so far: small faces in them are
found that would not be otherwise."""

BORDER = 0.3
"""Of the second look, as a share of the long side."""

VISIBLE = 16
"""Long side of the smallest faces that a look finds as reliably as larger ones (98 of 100 portraits
pasted into other pictures; 88 at 12 pixels)."""

LARGEST = 8
"""A photograph is reduced so far at most, in units of 640 / det_size, before it is looked at."""

LEVEL = 4
"""Of a photograph that is looked at closely, copies smaller by this factor are looked at too: faces
that are too large for one are found in the next."""

MOST_PIXELS = 100e6
"""Pixels that the network sees of a photograph at most: about two seconds."""


class YuNetDetector:
    """A network in YuNet's layout: the bundled one, or anyone's.

    Where it finds nothing, it looks once more at a smaller picture with a wide border, in which a
    face too large or too close to the edge may be found. A photograph is looked at as closely as
    faces of `min_face` pixels need; where there is no high-confidence face in it, also turned.
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
        """The long side at which a photograph of this size has all that `search` looks at."""
        longest = max(width, height)
        return max(self.det_size, int(np.ceil(longest * self._closest(longest, width * height))))

    def search(self, image: Image, reduced: int = 1) -> Detections:
        """Faces in a photograph of which `image` is a copy `reduced` times smaller.

        Where no face has a high score, it is looked at turned as well. A face may then be there
        twice, as it would be upright and as it would be turned: the keypoint network tells which
        is right.
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
        note = f"too large to be searched for faces of less than {smallest:.0f} pixels"
        return self._result(found, reduced, smallest, note if limited else "")

    def _result(
        self, found: Found, reduced: int = 1, smallest: float = 0.0, note: str = ""
    ) -> Detections:
        """In the pixels of the whole picture, pixel centres at integers."""
        found = found.take(reduced * found.boxes[:, 2:].max(1, initial=0) >= self.min_face)
        whole = found.mapped(np.full(2, float(reduced)), np.full(2, -0.5))
        boxes, scores = whole.boxes.astype(np.float32), whole.scores.astype(np.float32)
        return Detections(boxes, scores, whole.points, smallest, note)

    @property
    def _side(self) -> int:
        """Long side of the picture that one look sees, pixels; a network may have its own."""
        sides = self._network.sides
        return self.det_size if sides is None else min(self.det_size, *sides)

    def _closest(self, longest: int, pixels: int) -> float:
        """The largest scale at which a photograph is looked at, by its long side and its pixels."""
        wanted = VISIBLE / self.min_face if self.min_face else self.det_size / (640 * LARGEST)
        affordable = float(np.sqrt(MOST_PIXELS / pixels))
        return max(min(ENLARGE, self._side / longest), min(wanted, 1.0, affordable))

    def _upright(self, image: Image, closest: float = 0.0) -> Found:
        """Looks at scales of up to `closest`; another with a border where nothing is found."""
        longest = max(image.shape[:2])
        usual = min(ENLARGE, self._side / longest)
        scale = closest if closest > 1.01 * usual else usual
        levels = [self._tiled(image, scale)]
        while scale * longest > 1.01 * self._side:
            scale /= LEVEL
            seen = self._tiled(image, scale)
            # Smaller ones are better seen in the copy before.
            large = scale * seen.boxes[:, 2:].max(1, initial=0) >= 1.5 * VISIBLE
            levels.append(seen.take(large))
        found = Found.joined(*levels).distinct()
        if len(found.scores) == 0:
            found = self._bordered(image, usual).distinct()
        return found

    def _tiled(self, image: Image, scale: float) -> Found:
        """A look at the picture at a scale, in parts where it is too large for one."""
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
        """A look at half the usual scale, with a border."""
        room = max(image.shape[:2]) * (1 + 2 * BORDER)
        small = resized(image, min(usual / 2, self._side / room))
        margin = round(BORDER * max(small.shape[:2]))
        found = look(self._network, small, self.min_score, turn, margin)
        return self._in_picture(found, image, small)

    def _turned(self, image: Image, best: float) -> Found:
        """What looks find at the angles at which small copies of the picture show a face.

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
        """The best score of a face at each of so many quarters clockwise, with the turn and the
        border, the highest first.
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
