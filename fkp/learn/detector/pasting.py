"""Pasting a face into another picture: the cut-out, and its blending."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.learn.detector.scenes import Random, Scene, main_face, shrunk_warp
from fkp.vision.images import Image

Array = npt.NDArray[np.float64]


def with_room(scene: Scene) -> Scene:
    """A close crop padded by repeating its edge, above all over a forehead that is cut off."""
    height, width = scene.image.shape[:2]
    top, side = int(0.3 * height), int(0.15 * width)
    image = cv2.copyMakeBorder(scene.image, top, side, side, side, cv2.BORDER_REPLICATE)
    shift = np.array([side, top], np.float64)
    return Scene(
        np.asarray(image, np.uint8),
        scene.boxes + np.array([*shift, 0, 0]),
        scene.anchors + shift,
        scene.known,
    )


def head_mask(scene: Scene, rng: Random, size: float = 1.0) -> Image:
    """The mask for pasting a close portrait: roughly the box of its face, with a soft edge."""
    x, y, w, h = scene.boxes[main_face(scene)]
    grow = size * rng.uniform(0.85, 1.2, 2)
    centre = (round(float(x + w / 2)), round(float(y + h * rng.uniform(0.46, 0.52))))
    axes = (max(1, round(float(w * grow[0] / 2))), max(1, round(float(h * grow[1] / 2))))
    mask = np.zeros(scene.image.shape[:2], np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
    side = 2 * int(rng.uniform(0.01, 0.06) * h + 1) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.uint8)


def picture_mask(shape: tuple[int, ...], rng: Random) -> Image:
    """The mask for pasting a portrait: all of it with a soft edge, or an ellipse."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    kind = rng.random()
    if kind < 0.12:
        mask[:] = 255
        return mask
    if kind < 0.5:
        edge = int(0.06 * min(height, width)) + 1
        mask[edge:-edge, edge:-edge] = 255
    else:
        axes = (int(0.45 * width), int(0.48 * height))
        cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
    side = 2 * int(0.03 * min(height, width) + 1) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.uint8)


def blend(
    canvas: Image,
    picture: Image,
    matrix: Array,
    mask: Image,
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
    match: float,
) -> Image:
    """The canvas with a picture blended over its part from `low` to `high` (x, y) by the mask.

    match: how far the picture's colours are shifted towards those that it covers.
    """
    local = matrix.copy()
    local[:, 2] -= low
    where = tuple(int(v) for v in high - low)
    own = shrunk_warp(picture, local, where, cv2.BORDER_REPLICATE).astype(np.float32)
    cover = shrunk_warp(mask, local, where, cv2.BORDER_CONSTANT)[..., None].astype(np.float32) / 255
    result = canvas.copy()
    part = result[low[1] : high[1], low[0] : high[0]]
    total = float(cover.sum())
    if match and total > 4:
        means = [(x * cover).sum((0, 1)) / total for x in (own, part)]
        spreads = [
            float(np.sqrt((((x - mean) ** 2) * cover).sum() / total / 3))
            for x, mean in zip((own, part), means, strict=True)
        ]
        gain = 1 + match * (np.clip(spreads[1] / max(spreads[0], 1), 0.5, 1.6) - 1)
        own = (own - means[0]) * gain + means[0] + match * (means[1] - means[0])
    part[:] = np.clip(part + (own - part) * cover, 0, 255).astype(np.uint8)
    return result


def overlap(boxes: Array, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> Array:
    """Share of each box (F, 4) xywh covered by a rectangle; 0 below 5 %."""
    inner = np.minimum(boxes[:, :2] + boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    share = inner.clip(min=0).prod(1) / boxes[:, 2:].prod(1).clip(min=1e-6)
    return np.where(share > 0.05, share, 0.0)
