"""What distinguishes the people of one occasion: the face's look, and the colours around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray
from fkp.vision.crop import UPRIGHT_LAYOUT, CropTransform
from fkp.vision.images import Image, encoded_jpeg, to_gray
from fkp.vision.likeness import STRANGERS, look_of, unit

SIDE = 96
"""Of the crop and of the thumbnail, pixels."""

CELLS, CELL = 5, 12
"""Cells per side of the square whose colours are compared, and their pixels per side."""

BUST = UPRIGHT_LAYOUT * 0.5 + [0.25, 0.14]
"""Positions of the five anchor points in that square, as fractions: it includes hair and collar."""

WEIGHTS = (0.5, 1.0, 1.0)
"""Weights of lightness and of the two colour axes (CIELAB, 8 bits each)."""

FAR = 20.0
"""Root mean square difference of colours that is neutral: in 60 clips of YouTube Faces, few pairs
of persons are closer, and few pairs of pictures of one person in one clip are farther apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Appearance:
    """face: (L,) float32, see `look_of`; colours: (CELLS**2, 3) float32, the median of each cell,
    NaN outside the picture; thumbnail: a JPEG.
    """

    face: npt.NDArray[np.float32]
    colours: npt.NDArray[np.float32]
    thumbnail: bytes


def appearance(image: Image, anchors: FloatArray) -> Appearance:
    """The appearance of a face with these anchor points (5, 2) in a BGR picture (H, W, 3).

    Raises DataError if fewer than two anchor points are known.
    """
    crop = CropTransform.framed(anchors, UPRIGHT_LAYOUT, SIDE).cut(image)
    return Appearance(look_of(to_gray(crop)), _colours(image, anchors), encoded_jpeg(crop, 80))


def mean_appearance(several: Sequence[Appearance]) -> Appearance:
    """The mean over several pictures of the same face."""
    colours = np.array([one.colours for one in several])
    known = np.isfinite(colours)
    total = np.where(known, colours, 0).sum(0)
    counts = known.sum(0)
    mean = np.where(counts > 0, total / np.maximum(counts, 1), np.nan)
    face = unit(np.sum([one.face for one in several], axis=0))
    return Appearance(face, mean.astype(np.float32), several[len(several) // 2].thumbnail)


def likeness(one: Sequence[Appearance], others: Sequence[Appearance]) -> npt.NDArray[np.float32]:
    """The likeness of each pair (N, M): 2 for the same picture, mostly below 0 for two persons.

    The sum of the likeness of the faces (`fkp.vision.likeness.alike`) and of the colours: 1 minus
    their difference over FAR.
    """
    looks, theirs = (np.array([a.face for a in part]) for part in (one, others))
    alike = (looks @ theirs.T - STRANGERS) / (1 - STRANGERS)
    colours = np.array([a.colours for a in others]) * np.array(WEIGHTS, np.float32)
    for i, own in enumerate(one):
        squares = ((colours - own.colours * np.array(WEIGHTS, np.float32)) ** 2).sum(-1)
        known = np.isfinite(squares)
        mean = np.where(known, squares, 0).sum(1) / np.maximum(known.sum(1), 1)
        alike[i] += np.where(known.any(1), 1 - np.sqrt(mean) / FAR, 0)
    return np.asarray(alike, np.float32)


def _colours(image: Image, anchors: FloatArray) -> npt.NDArray[np.float32]:
    size = CELLS * CELL
    transform = CropTransform.framed(anchors, BUST, size)
    lab = np.asarray(cv2.cvtColor(transform.cut(image), cv2.COLOR_BGR2LAB), np.float32)
    y, x = np.mgrid[:size, :size]
    places = transform.invert(np.stack([x, y], axis=-1).astype(np.float64))
    low, high = places > -0.5, places < np.array(image.shape[1::-1]) - 0.5
    inside = np.asarray(np.logical_and(low, high).all(-1), np.bool_)
    colours = np.full((CELLS, CELLS, 3), np.nan, np.float32)
    for row in range(CELLS):
        for column in range(CELLS):
            cell = np.s_[row * CELL : (row + 1) * CELL, column * CELL : (column + 1) * CELL]
            if inside[cell].mean() > 0.5:
                colours[row, column] = np.median(lab[cell][inside[cell]], axis=0)
    return colours.reshape(-1, 3)
