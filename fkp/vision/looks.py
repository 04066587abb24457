"""Running a detector's network on a picture: rotated, with a border, in tiles; and merging what it
finds in several looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image
from fkp.vision.yunet import OVERLAP, YuNet

Array = npt.NDArray[np.float64]

GRAY = 127
"""Gray level of a border."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """F faces: boxes (F, 4) xywh, scores (F,), points (F, 5, 2), in continuous pixels: the
    picture's corner is at 0, its first pixel's centre at 1/2.
    """

    boxes: Array
    scores: Array
    points: Array

    @property
    def best(self) -> float:
        """The highest score, 0 if there is no face."""
        return float(self.scores.max(initial=0.0))

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Found":
        """Select faces, in this order."""
        return Found(self.boxes[rows], self.scores[rows], self.points[rows])

    def mapped(self, factor: Array, shift: Array) -> "Found":
        """Map to another picture: coordinates times factor (2,) plus shift (2,)."""
        boxes = self.boxes * np.tile(factor, 2)
        boxes[:, :2] += shift
        return Found(boxes, self.scores, self.points * factor + shift)

    @classmethod
    def none(cls) -> "Found":
        """No faces."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros((0, 5, 2)))

    @classmethod
    def joined(cls, *parts: "Found") -> "Found":
        """All of them."""
        if len(parts) == 1:
            return parts[0]
        boxes, scores, points = zip(*((p.boxes, p.scores, p.points) for p in parts), strict=True)
        return cls(np.concatenate(boxes), np.concatenate(scores), np.concatenate(points))

    def distinct(self) -> "Found":
        """Each face once, the highest score first."""
        return self.take(distinct(self.boxes, self.scores))


def distinct(
    boxes: npt.NDArray[np.floating], scores: npt.NDArray[np.floating]
) -> npt.NDArray[np.int64]:
    """The indices of boxes (F, 4) xywh that do not repeat a better one's face, best score first.

    Two boxes are the same face if their intersection is more than OVERLAP of their union, or if the
    centre of the smaller is in the ellipse inscribed in the larger, as when a part of a face was
    detected as a face. Faces cheek to cheek, or one in front of a shoulder, have their centres
    apart.
    """
    low, sides = boxes[:, :2].astype(np.float64), boxes[:, 2:].astype(np.float64)
    centres, areas = low + sides / 2, sides.prod(1)
    waiting = np.argsort(-scores, kind="stable")
    kept: list[int] = []
    while len(waiting):
        first, waiting = int(waiting[0]), waiting[1:]
        kept.append(first)
        meet = np.minimum(low[first] + sides[first], low[waiting] + sides[waiting])
        inner = (meet - np.maximum(low[first], low[waiting])).clip(0).prod(1)
        overlap = inner > OVERLAP * (areas[first] + areas[waiting] - inner)
        larger = np.where((areas[waiting] > areas[first])[:, None], sides[waiting], sides[first])
        away = 2 * (centres[waiting] - centres[first]) / np.maximum(larger, 1e-9)
        waiting = waiting[~(overlap | ((away**2).sum(1) < 1))]
    return np.array(kept, np.int64)


def look(network: YuNet, small: Image, least: float, turn: int = 0, margin: int = 0) -> Found:
    """The faces in a picture (H, W, 3), searched after `turn` clockwise quarter turns and with a
    gray border of `margin` pixels; in pixels of the given picture.
    """
    height, width = small.shape[:2]
    seen = np.ascontiguousarray(np.rot90(small, -turn)) if turn else small
    if margin:
        around = ((margin, margin), (margin, margin), (0, 0))
        seen = np.pad(seen, around, constant_values=GRAY)
    found = Found(*network.find(seen, least))
    if margin:
        found = found.mapped(np.ones(2), np.full(2, -float(margin)))
    return _turned_back(found, turn, width, height)


def _turned_back(found: Found, turn: int, width: int, height: int) -> Found:
    """Map from a picture turned clockwise back to the original of this width and height."""
    if turn == 0:
        return found

    def back(points: Array) -> Array:
        x, y = points[..., 0], points[..., 1]
        turned = {1: (y, height - x), 2: (width - x, height - y), 3: (width - y, x)}[turn]
        return np.stack(turned, axis=-1)

    one, other = back(found.boxes[:, :2]), back(found.boxes[:, :2] + found.boxes[:, 2:])
    low = np.minimum(one, other)
    sides = np.maximum(one, other) - low
    return Found(np.concatenate([low, sides], axis=1), found.scores, back(found.points))


def tiles(width: int, height: int, side: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Top left corners of evenly spaced tiles that cover a picture with at least this overlap."""
    for y in _starts(height, side, overlap):
        for x in _starts(width, side, overlap):
            yield x, y


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(i * (length - side) / (count - 1)) for i in range(count)]
