"""Warping a face into a picture of any size, with a border where the photo ends."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image

BORDERS = ("reflect", "blur")
"""How to fill what is outside the photo; or a colour, `#rrggbb`."""

SMOOTH = 0.03
"""Standard deviation of the border `blur`, as a share of the longer side."""


def colour_from(border: str) -> tuple[int, int, int] | None:
    """The colour (BGR) of a border, None for one of BORDERS. Raises DataError."""
    if border in BORDERS:
        return None
    names = {"black": "#000000", "white": "#ffffff", "gray": "#808080", "grey": "#808080"}
    code = names.get(border, border).removeprefix("#")
    try:
        if len(code) != 6:
            raise ValueError
        red, green, blue = bytes.fromhex(code)
    except ValueError as error:
        raise DataError(
            f"border: expected {', '.join(BORDERS)}, black, white, gray or #rrggbb, got {border}"
        ) from error
    return blue, green, red


@dataclass(frozen=True, slots=True, eq=False)
class Warp:
    """transform: from pixels of the photo to those of the result, of this width and height."""

    transform: CropTransform
    width: int
    height: int

    @property
    def to_picture(self) -> npt.NDArray[np.float64]:
        """(2, 3): from pixels of the result back to those of the photo."""
        matrix = np.vstack([self.transform.matrix, [0, 0, 1]])
        return np.asarray(np.linalg.inv(matrix)[:2], np.float64)

    def reduced(self, factor: int) -> "Warp":
        """The same warp, from the photo reduced by a factor."""
        return Warp(self.transform.reduced(factor), self.width, self.height)

    def cut(self, image: Image, border: str = "reflect") -> Image:
        """The result (height, width, 3) from a BGR photo (H, W, 3).

        border: one of BORDERS, or a colour. A photo much larger than the result is averaged down
        first, so that it does not alias.
        """
        matrix, scale = self.transform.matrix.copy(), self.transform.scale
        if scale < 0.8:
            height, width = image.shape[:2]
            small = (max(1, round(width * scale)), max(1, round(height * scale)))
            image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
            fx, fy = small[0] / width, small[1] / height
            # A pixel p of the small photo lies at (p + 1/2) / f - 1/2 of the whole one.
            back = np.array([[1 / fx, 0, 0.5 / fx - 0.5], [0, 1 / fy, 0.5 / fy - 0.5], [0, 0, 1]])
            matrix = matrix @ back
        colour = colour_from(border)
        flat = cv2.BORDER_REFLECT if colour is None else cv2.BORDER_CONSTANT
        cut = cv2.warpAffine(
            image, matrix, (self.width, self.height), flags=cv2.INTER_CUBIC, borderMode=flat,
            borderValue=colour or 0,
        )  # fmt: skip
        if border == "blur":
            return self._blurred(np.asarray(cut, np.uint8), matrix, image.shape[:2])
        return np.asarray(cut, np.uint8)

    def _blurred(self, cut: Image, matrix: FloatArray, shape: tuple[int, ...]) -> Image:
        """The mirrored border, increasingly blurred away from the photo."""
        inside = np.full(shape[:2], 255, np.uint8)
        seen = cv2.warpAffine(inside, matrix, (self.width, self.height), flags=cv2.INTER_NEAREST)
        outside = np.asarray(seen) == 0
        if not outside.any():
            return cut
        deviation = max(1.0, SMOOTH * max(self.width, self.height))
        away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, 3)
        share = np.clip(np.asarray(away, np.float32) / (2 * deviation), 0, 1)[..., None]
        soft = cv2.GaussianBlur(cut, (0, 0), deviation)
        mixed = cut * (1 - share) + np.asarray(soft, np.float32) * share
        return np.asarray(np.rint(mixed), np.uint8)


def fitted(image: Image, size_wh: tuple[int, int]) -> Image:
    """A picture of about the same aspect ratio, resized to this size (H, W, 3)."""
    if image.shape[1::-1] == size_wh:
        return image
    shrinks = image.shape[1] > size_wh[0]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size_wh, interpolation=how), np.uint8)
