"""A common coordinate system for clips whose picture size changes: that of the first picture."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections
from fkp.vision.images import Image


@dataclass(frozen=True, slots=True)
class Canvas:
    """size_wh: of the first picture, upright, with square pixels; stored_wh: as stored."""

    size_wh: tuple[int, int]
    stored_wh: tuple[int, int]

    def fit(self, own_wh: tuple[int, int]) -> "Fit":
        """The fit of a picture of another size: as large as possible, centred."""
        scale = min(whole / own for whole, own in zip(self.size_wh, own_wh, strict=True))
        left, top = (
            (whole - own * scale) / 2 for whole, own in zip(self.size_wh, own_wh, strict=True)
        )
        return Fit(self, own_wh, scale, left, top)


@dataclass(frozen=True, slots=True)
class Fit:
    """The position of a picture in a canvas. own_wh: its size; scale: canvas pixels per pixel;
    left, top: empty canvas pixels.
    """

    canvas: Canvas
    own_wh: tuple[int, int]
    scale: float
    left: float
    top: float

    @property
    def is_whole(self) -> bool:
        """Whether the picture fills the canvas at its own size."""
        return self.own_wh == self.canvas.size_wh

    def points(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Picture pixels (..., 2) to canvas pixels; pixel centres at integers."""
        return np.asarray((points + 0.5) * self.scale - 0.5 + np.array([self.left, self.top]))

    def detections(self, found: Detections) -> Detections:
        """Detections in the picture as detections in the canvas."""
        if self.is_whole:
            return found
        corners = self.points(found.boxes[:, :2].astype(np.float64))
        boxes = np.concatenate([corners, found.boxes[:, 2:] * self.scale], axis=1)
        return Detections(boxes.astype(np.float32), found.scores, self.points(found.anchors))

    def cut(self, transform: CropTransform, image: Image) -> Image:
        """Cut a crop from the picture itself. transform: from the canvas."""
        if self.is_whole:
            return transform.cut(image)
        turn = transform.a + 1j * transform.b
        zero = self.points(np.zeros(2)) @ np.array([1, 1j])
        shift = turn * zero + transform.tx + 1j * transform.ty
        turn *= self.scale
        own = CropTransform(turn.real, turn.imag, shift.real, shift.imag, transform.size)
        return own.cut(image)

    def image(self, image: Image) -> Image:
        """The picture (H, W, 3) in the canvas, on a black background."""
        if self.is_whole:
            return image
        matrix = np.array([[self.scale, 0, 0], [0, self.scale, 0]])
        matrix[:, 2] = self.points(np.zeros(2))
        if self.scale < 1:
            size = tuple(max(1, round(side * self.scale)) for side in self.own_wh)
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
            matrix = np.array([[1, 0, self.left], [0, 1, self.top]])
        return np.asarray(cv2.warpAffine(image, matrix, self.canvas.size_wh), np.uint8)
