"""The iris of each eye: its centre and radius, by a small network that looks at one eye."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray
from fkp.vision.crop import CropTransform
from fkp.vision.eyes import CLOSED_OPENING
from fkp.vision.images import Image
from fkp.vision.measures import find_openings

if TYPE_CHECKING:  # the tables, which only name the columns, need no ONNX Runtime
    from fkp.vision.onnx import CropsOnnx

IRIS = tuple(f"{side}_iris_{what}" for side in ("right", "left") for what in ("x", "y", "radius"))

WEIGHTS = Path(__file__).parents[1] / "weights" / "iris.onnx"
"""The bundled network: `fkp.bundled.iris` makes it."""

FINER = 2
"""Irises are looked for in crops with so many times the side of the keypoint network's, in which
the corners of an eye are about 30 pixels apart."""

PATCH = 40
"""Side in pixels of the picture of one eye that the network sees."""

SPAN = 26.0
"""Distance of the corners of the eye in it."""

CORNERS = ((36, 39), (42, 45))
"""Of the right and the left eye, from left to right in an upright face."""

VISIBLE = 0.5
"""Probability that the iris is seen, below which it is not reported."""

UNSURE = 0.12
"""90 % radius of the centre, as a share of the distance of the eye's corners, above which it is not
reported."""


@lru_cache(maxsize=1)
def iris_network() -> "CropsOnnx":
    """The bundled network, once per process."""
    from fkp.vision.onnx import CropsOnnx

    return CropsOnnx(WEIGHTS)


def eye_transform(corners: FloatArray) -> CropTransform:
    """What takes a picture to the patch of an eye with these corners (2, 2), from left to right."""
    middle, half = (PATCH - 1) / 2, SPAN / 2
    targets = np.array([[middle - half, middle], [middle + half, middle]])
    return CropTransform.fit(corners, targets, PATCH)


def find_irises(
    crops: Sequence[Image] | Image,
    transforms: Sequence[CropTransform],
    points: FloatArray,
    size_wh: tuple[int, int],
) -> npt.NDArray[np.float32]:
    """Irises (F, 2, 3) of faces: x, y and radius of the right and the left one, picture pixels.

    crops: (F, S, S) of each face, gray; transforms: from the picture to these. points: (F, 68, 2)
    in the picture, whose width and height are size_wh. NaN where an eye is closed (its opening is
    below CLOSED_OPENING), its iris is not seen, the network is not confident, or the centre lies
    outside the picture.
    """
    found = np.full((len(points), 2, 3), np.nan, np.float32)
    openings = find_openings(points)[:, :2]
    eyes = [
        (face, side, transform)
        for face, side in np.argwhere(openings >= CLOSED_OPENING).tolist()
        if (transform := _seen_eye(crops[face], transforms[face], points[face], side)) is not None
    ]
    if not eyes:
        return found
    patches = np.stack([_patch(crops[face], side, own) for face, side, own in eyes])
    said = iris_network().run(patches)
    known = (said["visible"] >= VISIBLE) & (said["radius_90"] <= UNSURE * SPAN)
    for (face, side, own), (x, y, radius) in zip(
        [eye for eye, good in zip(eyes, known, strict=True) if good],
        said["iris"][known],
        strict=True,
    ):
        inside = np.array([PATCH - 1 - x if side else x, y])
        place = transforms[face].invert(own.invert(inside))
        if ((place >= -0.5) & (place < np.array(size_wh) - 0.5)).all():
            found[face, side] = *place, radius / (own.scale * transforms[face].scale)
    return found


def _seen_eye(
    crop: Image, transform: CropTransform, points: FloatArray, side: int
) -> CropTransform | None:
    """From a crop to the patch of an eye; None where the eye does not lie in the crop."""
    corners = transform.apply(points[list(CORNERS[side])])
    if not ((corners >= 0) & (corners <= len(crop) - 1)).all():
        return None
    try:
        return eye_transform(corners)
    except DataError:
        return None


def _patch(crop: Image, side: int, transform: CropTransform) -> Image:
    """The patch of an eye; a left one is mirrored, so that the network sees right ones alone."""
    patch = transform.cut(crop)
    return np.ascontiguousarray(patch[:, ::-1]) if side else patch
