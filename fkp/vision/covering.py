"""Parts of pictures made unrecognisable."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import ImageError

Method = Literal["mosaic", "blur", "fill", "mask"]
METHODS: tuple[str, ...] = get_args(Method)
"""How a face is hidden: `mask` covers only the hull of its points, the others the whole face."""

Values = npt.NDArray[Any]
"""A picture (H, W) or (H, W, C) of any type."""

Outline = npt.NDArray[np.float64]
"""(N, 2): the corners of a polygon, in pixels, centres at integers."""

CELLS = 5
"""Cells of a mosaic along the longer side of the covered area."""

CORNERS = 48
"""Corners of the polygon that approximates an ellipse."""


def ellipse(box_xywh: npt.NDArray[np.float64], grown: float = 0.0) -> Outline:
    """An ellipse that extends beyond a box by the share `grown` of its sides, and covers most of
    its corners.
    """
    middle = box_xywh[:2] + box_xywh[2:] / 2
    half = box_xywh[2:] / 2 * (1.15 + 2 * grown)
    angles = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    around = np.stack([np.cos(angles), np.sin(angles)], 1) / np.cos(np.pi / CORNERS)
    return np.asarray(middle + half * around, np.float64)


def rectangle(box_xywh: npt.NDArray[np.float64]) -> Outline:
    """The box itself, rounded to whole pixels."""
    x, y, width, height = box_xywh
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]])


def hull(points: npt.NDArray[np.floating[Any]], grown: float = 0.0) -> Outline:
    """The convex hull of the known points (K, 2), grown from its centre; (0, 2) for fewer than
    three.
    """
    known = np.asarray(points, np.float32)[np.isfinite(points).all(-1)]
    if len(known) < 3:
        return np.zeros((0, 2))
    corners = cv2.convexHull(known)[:, 0].astype(np.float64)
    middle = (corners.min(0) + corners.max(0)) / 2
    return np.asarray(middle + (corners - middle) * (1 + 2 * grown), np.float64)


def covered(
    outlines: Iterable[Outline], width: int, height: int
) -> npt.NDArray[np.bool_]:  # fmt: skip
    """(H, W): which pixels are inside any of the outlines."""
    mask = np.zeros((height, width), np.uint8)
    for outline in outlines:
        if len(outline):
            cv2.fillPoly(mask, [np.rint(_within(outline, width, height)).astype(np.int32)], 1)
    return mask > 0


def cover(
    image: Values,
    outlines: Iterable[Outline],
    method: str,
    alpha: bool = False,
    black: Sequence[float] | float = 0,
) -> None:
    """Hide what is inside the outlines, in place.

    alpha: whether the last channel is opacity, which stays. black: the value of black.
    Nothing of the picture within an outline is left but the mean colours of a few cells (`mosaic`,
    and `blur`, which joins them smoothly), or nothing at all (`fill`, `mask`: black).
    """
    for outline in outlines:
        _cover(image[..., :-1] if alpha else image, outline, method, black)


def _cover(
    image: Values, outline: Outline, method: str, black: Sequence[float] | float
) -> None:  # fmt: skip
    height, width = image.shape[:2]
    if len(outline) == 0:
        return
    inner = _within(outline, width, height)
    x, y = np.clip(np.floor(inner.min(0)).astype(int), 0, [width, height])
    right, bottom = np.clip(np.ceil(inner.max(0)).astype(int) + 1, 0, [width, height])
    if right <= x or bottom <= y:
        return
    part = image[y:bottom, x:right]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillPoly(mask, [np.rint(inner - [x, y]).astype(np.int32)], 1)
    inside = mask > 0
    if method in ("fill", "mask"):
        part[inside] = black
        return
    cell = max(float(np.ptp(outline, axis=0).max()) / CELLS, 1.0)
    part[inside] = _coarse(part, cell, smooth=method == "blur")[inside]


def _coarse(part: Values, cell: float, smooth: bool) -> Values:
    """A part of a picture, reduced to the means of its cells."""
    height, width = part.shape[:2]
    size = (max(1, round(width / cell)), max(1, round(height / cell)))
    plain = np.ascontiguousarray(part)
    if part.dtype not in (np.uint8, np.uint16):
        plain = plain.astype(np.float64)
    try:
        means = cv2.resize(plain, size, interpolation=cv2.INTER_AREA)
        how = cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST
        back = cv2.resize(means, (width, height), interpolation=how)
    except cv2.error as error:
        raise ImageError(f"faces cannot be hidden in {part.dtype} pixels: {error.err}") from error
    return back.reshape(part.shape).astype(part.dtype)


def _within(outline: Outline, width: int, height: int) -> Outline:
    """The outline, clipped to a range of coordinates that cv2 accepts."""
    limit = np.array([width, height], np.float64)
    return np.clip(np.nan_to_num(outline), -2 * limit, 3 * limit)
