"""The geometry of face crops: which square of a picture a network sees, and the inverse."""

import cmath
import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray
from fkp.vision.images import Image

UPRIGHT_LAYOUT = np.array(
    [[0.3575, 0.37], [0.6425, 0.37], [0.5, 0.545], [0.385, 0.6825], [0.615, 0.6825]]
)
"""Positions of the five anchor points in crops of mode `face`, as fractions of the crop side: the
frontal mean face, with brows, chin and jaw inside and margin for rotation."""


@dataclass(frozen=True, slots=True, eq=False)
class CropTransform:
    """The similarity that takes picture pixels to the pixels of a square crop.

    (x, y) -> (a x - b y + tx, b x + a y + ty), pixel centres at integers on both sides.
    """

    a: float
    b: float
    tx: float
    ty: float
    size: int  # side of the crop in pixels

    def __post_init__(self) -> None:
        known = math.isfinite(self.a + self.b + self.tx + self.ty)
        if not known or self.scale <= 0:
            raise DataError("a crop needs a finite similarity with a positive scale")

    @property
    def scale(self) -> float:
        """Crop pixels per picture pixel."""
        return math.hypot(self.a, self.b)

    @property
    def matrix(self) -> npt.NDArray[np.float64]:  # (2, 3)
        return np.array([[self.a, -self.b, self.tx], [self.b, self.a, self.ty]])

    def apply(self, points: FloatArray) -> npt.NDArray[np.float64]:
        """Picture pixels (..., 2) to crop pixels."""
        return np.asarray(points, np.float64) @ self.matrix[:, :2].T + self.matrix[:, 2]

    def invert(self, points: FloatArray) -> npt.NDArray[np.float64]:
        """Crop pixels (..., 2) back to picture pixels, exactly."""
        inverse = np.array([[self.a, self.b], [-self.b, self.a]]) / self.scale**2
        return (np.asarray(points, np.float64) - (self.tx, self.ty)) @ inverse.T

    def cut(self, image: Image) -> Image:
        """Cut the crop: uint8 (size, size) or (size, size, 3); borders are replicated.

        A picture of a larger scale is first averaged down to the crop's scale to avoid aliasing.
        """
        matrix = self.matrix
        if self.scale < 0.8:
            image, to_small = self._shrink(image)
            matrix = (np.vstack([matrix, [0, 0, 1]]) @ np.linalg.inv(to_small))[:2]
        crop = cv2.warpAffine(
            image, matrix, (self.size, self.size),
            flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        return np.asarray(crop, np.uint8)

    def cut_gray(self, image: Image) -> Image:
        """The crop (size, size) in gray, from a picture in gray or BGR (luma, ITU-R BT.601).

        Only what lies under the crop is converted, before it is averaged down: within rounding
        the crop is that of `cut`, converted.
        """
        if image.ndim == 2:
            return self.cut(image)
        low, high = self._under(image)
        gray = cv2.cvtColor(image[low[1] : high[1], low[0] : high[0]], cv2.COLOR_BGR2GRAY)
        tx, ty = self.apply(low.astype(np.float64))
        inside = CropTransform(self.a, self.b, float(tx), float(ty), self.size)
        return inside.cut(np.asarray(gray, np.uint8))

    def _under(self, image: Image) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The part of the picture under the crop: its first pixel (x, y) and the one after its
        last.
        """
        corners = self.invert(np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (self.size - 1.0))
        margin = 2 / self.scale
        limit = np.array(image.shape[1::-1])
        low = np.clip(np.floor(corners.min(0) - margin), 0, limit - 1).astype(int)
        high = np.clip(np.ceil(corners.max(0) + margin) + 1, low + 1, limit).astype(int)
        return low, high

    def _shrink(self, image: Image) -> tuple[Image, npt.NDArray[np.float64]]:
        """The part of the picture under the crop at the crop's scale, and the (3, 3) way there."""
        low, high = self._under(image)
        part = image[low[1] : high[1], low[0] : high[0]]
        width, height = (max(1, round(float(v))) for v in (high - low) * self.scale)
        small = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        fx, fy = width / part.shape[1], height / part.shape[0]
        to_small = np.array(
            [[fx, 0, (0.5 - low[0]) * fx - 0.5], [0, fy, (0.5 - low[1]) * fy - 0.5], [0, 0, 1]]
        )
        return np.asarray(small, np.uint8), to_small

    def reduced(self, factor: int) -> "CropTransform":
        """The same crop, from the picture reduced `factor` times."""
        if factor == 1:
            return self
        # Pixel p of the reduced picture is at factor * p + (factor - 1) / 2 in the full one.
        shift = (self.a + 1j * self.b) * complex(factor - 1, factor - 1) / 2
        return CropTransform(
            self.a * factor,
            self.b * factor,
            self.tx + shift.real,
            self.ty + shift.imag,
            self.size,
        )

    def enlarged(self, factor: int) -> "CropTransform":
        """The same crop with `factor` times the side."""
        tx, ty = (factor * shift + (factor - 1) / 2 for shift in (self.tx, self.ty))
        return CropTransform(self.a * factor, self.b * factor, tx, ty, self.size * factor)

    def after(self, first: "CropTransform") -> "CropTransform":
        """Both, `first` first: from its pictures' pixels to this crop's."""
        own, turn = complex(self.a, self.b), complex(first.a, first.b)
        shift = own * complex(first.tx, first.ty) + complex(self.tx, self.ty)
        both = own * turn
        return CropTransform(both.real, both.imag, shift.real, shift.imag, self.size)

    @classmethod
    def fit(cls, points: FloatArray, targets: FloatArray, size: int) -> "CropTransform":
        """The least-squares similarity that takes points (P, 2) to targets (P, 2) in the crop.

        Pairs with a NaN are ignored; raises DataError if fewer than two remain.
        Umeyama, IEEE PAMI 13(4), 1991, in the plane (as complex numbers).
        """
        # A handful of points: numbers of Python take a tenth of the time of NumPy's arrays.
        pairs = zip(np.asarray(points).tolist(), np.asarray(targets).tolist(), strict=True)
        both = [(complex(*p), complex(*q)) for p, q in pairs]
        both = [(p, q) for p, q in both if cmath.isfinite(p) and cmath.isfinite(q)]
        count = max(len(both), 1)
        mean_p, mean_q = sum(p for p, _ in both) / count, sum(q for _, q in both) / count
        spread = sum(abs(p - mean_p) ** 2 for p, _ in both)
        if spread == 0:
            raise DataError("framing a face needs at least two points apart from each other")
        turn = sum((p - mean_p).conjugate() * (q - mean_q) for p, q in both) / spread
        shift = mean_q - turn * mean_p
        return cls(turn.real, turn.imag, shift.real, shift.imag, size)

    @classmethod
    def framed(cls, anchors: FloatArray, layout: FloatArray, size: int) -> "CropTransform":
        """The crop that places the anchors (5, 2) as in `layout` (5, 2), in crop fractions."""
        return cls.fit(anchors, np.asarray(layout, np.float64) * size - 0.5, size)

    @classmethod
    def around(cls, points: FloatArray, size: int, margin: float = 0.5) -> "CropTransform":
        """An upright square around the points (P, 2), with a margin as a share of their extent."""
        known = np.asarray(points, np.float64)[np.isfinite(points).all(-1)]
        if len(known) < 2 or np.ptp(known, axis=0).max() == 0:
            raise DataError("cutting a face needs at least two points apart from each other")
        centre = (known.min(0) + known.max(0)) / 2
        scale = size / (float(np.ptp(known, axis=0).max()) * (1 + 2 * margin))
        shift = (size - 1) / 2 - scale * centre
        return cls(scale, 0.0, float(shift[0]), float(shift[1]), size)

    @classmethod
    def whole(cls, width: int, height: int, size: int) -> "CropTransform":
        """The whole picture, centred in the square crop."""
        scale = size / max(width, height)
        tx, ty = ((size - 1) / 2 - scale * (side - 1) / 2 for side in (width, height))
        return cls(scale, 0.0, tx, ty, size)
