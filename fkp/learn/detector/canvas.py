"""Pictures to train a face detector on: a background with faces pasted at any size and angle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Random = np.random.Generator
Array = npt.NDArray[np.float64]

_MIRRORED = [1, 0, 2, 4, 3]
"""Order of the five anchors of a mirrored face."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture with F labelled faces.

    image: (H, W, 3) BGR; boxes: (F, 4) float64 xywh; anchors: (F, 5, 2); sure: (F,) bool, False
    where it is not known whether there is a face: neither a face nor background.
    """

    image: Image
    boxes: Array
    anchors: Array
    sure: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class CanvasSettings:
    """What canvases look like; shares are of canvases or of faces."""

    smallest: float = 8.0  # face height, pixels
    largest: float = 0.95  # face height over the canvas side
    most_pasted: int = 8
    portrait: float = 0.15  # canvases that are one portrait
    peopled: float = 0.4  # the other canvases whose background has a face of its own
    pasted: float = 0.7  # the other canvases that get faces pasted
    turned: float = 0.08  # faces at any angle up to 90 degrees
    covered: float = 0.15  # faces partly hidden
    gray: float = 0.25
    dark: float = 0.12
    blurred: float = 0.2
    compressed: float = 0.25
    noisy: float = 0.2


class CanvasMaker:
    """Makes square canvases from everyday scenes as backgrounds, and portraits to paste."""

    def __init__(
        self,
        backgrounds: Sequence[Scene],
        portraits: Sequence[Sequence[Scene]],
        settings: CanvasSettings | None = None,
    ) -> None:
        self.backgrounds, self.portraits = backgrounds, portraits  # each set as often as another
        self.settings = settings or CanvasSettings()
        self._peopled = [i for i, scene in enumerate(backgrounds) if scene.sure.any()]

    def make(self, size: int, rng: Random, weights: Array) -> tuple[Scene, int]:
        """A canvas of that side, and the number of its background (-1: a portrait).

        weights: (len(backgrounds),) how often each background is wanted.
        """
        settings = self.settings
        background, pasted = -1, 0
        if rng.random() < settings.portrait:
            canvas = self._portrait(size, rng)
        else:
            if self._peopled and rng.random() < settings.peopled:
                background = self._peopled[int(rng.integers(len(self._peopled)))]
            else:
                background = int(rng.choice(len(weights), p=weights / weights.sum()))
            canvas = self._background(self.backgrounds[background], size, rng)
            if rng.random() < settings.pasted:
                pasted = int(rng.integers(1, settings.most_pasted + 1))
        for _ in range(pasted):
            canvas = self._paste(canvas, rng)
        image = canvas.image.copy()
        for box in canvas.boxes[canvas.sure]:
            if rng.random() < settings.covered:
                _cover(image, box, rng)
        image = _photograph(image, settings, rng)
        return _visible(
            Scene(image, canvas.boxes, canvas.anchors, canvas.sure), settings
        ), background

    def _background(self, scene: Scene, size: int, rng: Random) -> Scene:
        """A random part of a scene at a random scale; where it has faces, one of them stays in."""
        extent = np.array(scene.image.shape[1::-1], np.float64)
        fitting = size / extent.max()
        low, high = 0.7 * fitting, 3.0 * fitting
        centre = rng.uniform(0, 1, 2) * extent
        if scene.sure.any():
            face = scene.boxes[rng.choice(np.flatnonzero(scene.sure))]
            centre = face[:2] + face[2:] * rng.uniform(-0.2, 1.2, 2)
            low = 0.5 * fitting
            high = max(fitting, min(4 * fitting, self.settings.largest * size / face[3]))
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        slack = np.maximum(extent - size / scale, 0) / 2  # keeps the canvas filled
        centre = extent / 2 + np.clip(centre - extent / 2, -slack, slack)
        return _warp(scene, _similarity(scale, rng.normal(0, 6), centre, size, rng), size, rng)

    def _portrait(self, size: int, rng: Random) -> Scene:
        """One portrait that fills the canvas, or nearly."""
        scene = self._any_portrait(rng)
        extent = np.array(scene.image.shape[1::-1], np.float64)
        scale = size / extent.max() * float(np.exp(rng.uniform(np.log(0.6), np.log(1.5))))
        centre = extent * (0.5 + rng.normal(0, 0.08, 2))
        return _warp(scene, _similarity(scale, self._angle(rng), centre, size, rng), size, rng)

    def _paste(self, canvas: Scene, rng: Random) -> Scene:
        """The canvas with one more portrait in it, where it hides no other face."""
        size = canvas.image.shape[0]
        scene = self._any_portrait(rng)
        face = scene.boxes[int(np.argmax(scene.boxes[:, 3]))]
        low, high = np.log(self.settings.smallest + 1), np.log(0.7 * size)
        # Small faces are many in the world and take little room here.
        height = float(np.exp(low + (high - low) * rng.beta(1.0, 1.6)))
        scale = height / face[3]
        extent = np.array(scene.image.shape[1::-1], np.float64)
        matrix = _similarity(scale, self._angle(rng), extent / 2, size, rng)
        matrix[:, 2] += rng.uniform(-0.5, 0.5, 2) * size
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (extent - 1)
        placed = corners @ matrix[:, :2].T + matrix[:, 2]
        low_xy = np.clip(np.floor(placed.min(0)).astype(int), 0, size)
        high_xy = np.clip(np.ceil(placed.max(0)).astype(int) + 1, 0, size)
        if (high_xy - low_xy < 4).any() or _overlap(canvas.boxes, low_xy, high_xy).any():
            return canvas
        local = matrix.copy()
        local[:, 2] -= low_xy
        where = tuple(int(v) for v in high_xy - low_xy)
        image = _shrunk_warp(scene.image, local, where, cv2.BORDER_REPLICATE)
        mask = cv2.warpAffine(_mask(scene.image.shape[:2], rng), local, where)[..., None]
        mask = mask.astype(np.float32) / 255
        result = canvas.image.copy()
        part = result[low_xy[1] : high_xy[1], low_xy[0] : high_xy[0]]
        part[:] = (part + (image.astype(np.float32) - part) * mask).astype(np.uint8)
        boxes, anchors = _moved(scene, matrix)
        return Scene(
            result,
            np.concatenate([canvas.boxes, boxes]),
            np.concatenate([canvas.anchors, anchors]),
            np.concatenate([canvas.sure, scene.sure]),
        )

    def _any_portrait(self, rng: Random) -> Scene:
        portraits = self.portraits[int(rng.integers(len(self.portraits)))]
        return portraits[int(rng.integers(len(portraits)))]

    def _angle(self, rng: Random) -> float:
        if rng.random() < self.settings.turned:
            return float(rng.uniform(-90, 90))
        return float(np.clip(rng.normal(0, 12), -35, 35))


def _similarity(scale: float, angle: float, centre: Array, size: int, rng: Random) -> Array:
    """(2, 3): `centre` of a picture to the canvas' middle, scaled, turned, at times mirrored."""
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:
        linear[:, 0] *= -1
    return np.column_stack([linear, (size - 1) / 2 - linear @ centre])


def _warp(scene: Scene, matrix: Array, size: int, rng: Random) -> Scene:
    image = _shrunk_warp(
        scene.image,
        matrix,
        (size, size),
        cv2.BORDER_CONSTANT,
        tuple(rng.integers(0, 256, 3).tolist()),
    )
    boxes, anchors = _moved(scene, matrix)
    return Scene(image, boxes, anchors, scene.sure)


def _shrunk_warp(
    image: Image,
    matrix: Array,
    size_wh: tuple[int, ...],
    border: int,
    colour: tuple[int, ...] = (0,),
) -> Image:
    """warpAffine that averages where it makes the picture much smaller."""
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.6:
        height, width = image.shape[:2]
        small = (max(2, round(width * scale)), max(2, round(height * scale)))
        image = np.asarray(cv2.resize(image, small, interpolation=cv2.INTER_AREA), np.uint8)
        grow = np.array([width / small[0], height / small[1]])
        matrix = np.column_stack(
            [matrix[:, :2] * grow, matrix[:, 2] + matrix[:, :2] @ ((grow - 1) / 2)]
        )
    warped = cv2.warpAffine(image, matrix, size_wh, borderMode=border, borderValue=colour)
    return np.asarray(warped, np.uint8)


def _moved(scene: Scene, matrix: Array) -> tuple[Array, Array]:
    """Boxes and anchors under a similarity; a turned face's box is that of its ellipse."""
    linear = matrix[:, :2]
    anchors = scene.anchors @ linear.T + matrix[:, 2]
    if np.linalg.det(linear) < 0:
        anchors = anchors[:, _MIRRORED]
    centres = (scene.boxes[:, :2] + scene.boxes[:, 2:] / 2) @ linear.T + matrix[:, 2]
    sizes = np.sqrt(scene.boxes[:, 2:] ** 2 @ (linear**2).T)
    return np.concatenate([centres - sizes / 2, sizes], 1), anchors


def _overlap(boxes: Array, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> Array:
    """Share of each box (F, 4) xywh that a rectangle covers, at least 5 %, else 0."""
    inner = np.minimum(boxes[:, :2] + boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    share = inner.clip(min=0).prod(1) / boxes[:, 2:].prod(1).clip(min=1e-6)
    return np.where(share > 0.05, share, 0.0)


def _mask(shape: tuple[int, ...], rng: Random) -> Image:
    """What of a portrait is pasted: all of it, softly, or an ellipse."""
    height, width = shape[:2]
    mask = np.zeros((height, width), np.uint8)
    kind = rng.random()
    if kind < 0.3:
        mask[:] = 255
        return mask
    if kind < 0.65:
        edge = int(0.06 * min(height, width)) + 1
        mask[edge:-edge, edge:-edge] = 255
    else:
        axes = (int(0.45 * width), int(0.48 * height))
        cv2.ellipse(mask, (width // 2, height // 2), axes, 0, 0, 360, 255, -1)
    side = 2 * int(0.03 * min(height, width) + 1) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.uint8)


def _cover(image: Image, box: Array, rng: Random) -> None:
    """Hide up to 40 % of a face behind a rectangle at one of its sides: a hand, a mask, a pole."""
    x, y, w, h = box
    share = rng.uniform(0.15, 0.4)
    colour = tuple(int(c) for c in rng.integers(0, 256, 3))
    left, top, right, bottom = (
        (x, y, x + share * w, y + h), (x + (1 - share) * w, y, x + w, y + h),
        (x, y, x + w, y + share * h), (x, y + (1 - share) * h, x + w, y + h),
    )[int(rng.integers(4))]  # fmt: skip
    cv2.rectangle(image, (int(left), int(top)), (int(right), int(bottom)), colour, -1)


def _photograph(picture: Image, settings: CanvasSettings, rng: Random) -> Image:
    """Colour, light, blur, noise and compression."""
    image: npt.NDArray[Any] = picture
    if rng.random() < settings.gray:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < settings.blurred:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))
    gain = np.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.uniform(-0.1, 0.1, 3))
    lift = rng.uniform(-30, 30)
    gamma = np.exp(rng.uniform(-0.3, 0.3))
    if rng.random() < settings.dark:
        gain, lift = gain * rng.uniform(0.15, 0.6), rng.uniform(0, 15)
    ramp = 255 * (np.arange(256)[:, None] / 255) ** gamma
    curve = np.clip((ramp - 128) * gain + 128 * min(1.0, float(gain.mean())) + lift, 0, 255)
    image = cv2.LUT(image, curve.astype(np.uint8).reshape(1, 256, 3))
    if rng.random() < settings.noisy:
        noise = np.empty(image.size, np.int16)
        cv2.setRNGSeed(int(rng.integers(1 << 30)))
        cv2.randn(noise, np.zeros(1), np.full(1, rng.uniform(2, 14)))
        image = np.clip(image + noise.reshape(image.shape), 0, 255).astype(np.uint8)
    if rng.random() < settings.compressed:
        quality = int(rng.integers(20, 80))
        _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        image = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
    return np.asarray(image, np.uint8)


def _visible(scene: Scene, settings: CanvasSettings) -> Scene:
    """Only faces in the picture; those that are too small or mostly outside are not sure."""
    size = np.array(scene.image.shape[1::-1], np.float64)
    inner = np.minimum(scene.boxes[:, :2] + scene.boxes[:, 2:], size) - scene.boxes[:, :2].clip(0)
    share = inner.clip(min=0).prod(1) / scene.boxes[:, 2:].prod(1).clip(min=1e-6)
    sure = scene.sure & (share > 0.55) & (scene.boxes[:, 3] >= settings.smallest)
    keep = share > 0.05
    return Scene(scene.image, scene.boxes[keep], scene.anchors[keep], sure[keep])
