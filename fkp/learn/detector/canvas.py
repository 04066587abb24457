"""Pictures to train a face detector on: a background with faces pasted at any size and angle."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from fkp.learn.detector.props import hide
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
    most_pasted: int = 6
    portrait: float = 0.12  # canvases that are one portrait
    mosaic: float = 0.12  # canvases of four smaller ones
    crowd: float = 0.06  # canvases with many small faces pasted
    peopled: float = 0.55  # the other canvases whose background has a face of its own
    pasted: float = 0.6  # the other canvases that get faces pasted
    swapped: float = 0.35  # faces of backgrounds that get another face
    turned: float = 0.06  # faces at any angle
    covered: float = 0.22  # faces partly hidden
    gray: float = 0.2
    dark: float = 0.12
    cast: float = 0.15  # canvases with a strong cast of one colour
    blurred: float = 0.2
    moved: float = 0.1  # canvases blurred along a line
    coarse: float = 0.15  # canvases enlarged from fewer pixels
    compressed: float = 0.3
    noisy: float = 0.2


class CanvasMaker:
    """Makes square canvases from everyday scenes as backgrounds, and portraits to paste.

    portraits: sets of pictures; shares: how often each is taken; close: the sets that are cut so
    close to the face that only the face itself can be pasted.
    """

    def __init__(
        self,
        backgrounds: Sequence[Scene],
        portraits: Sequence[Sequence[Scene]],
        shares: Sequence[float],
        close: Sequence[bool],
        settings: CanvasSettings | None = None,
    ) -> None:
        self.backgrounds, self.portraits = backgrounds, portraits
        self.shares, self.close = np.array(shares) / sum(shares), close
        self.settings = settings or CanvasSettings()
        self._peopled = [i for i, scene in enumerate(backgrounds) if scene.sure.any()]
        donors = [scene for part in portraits for scene in part]
        turns = np.array([_turn(scene.anchors[_main(scene)]) for scene in donors])
        order = np.argsort(turns)
        self._donors, self._turns = [donors[i] for i in order], turns[order]

    def make(self, size: int, rng: Random, weights: Array) -> tuple[Scene, int]:
        """A canvas of that side, and the number of its background (-1: none, or several).

        weights: (len(backgrounds),) how often each background is wanted.
        """
        settings = self.settings
        background = -1
        kind = rng.random()
        if kind < settings.portrait:
            canvas = self._portrait(size, rng)
        elif kind < settings.portrait + settings.mosaic:
            canvas = self._mosaic(size, rng, weights)
        else:
            canvas, background = self._peopled_scene(size, rng, weights)
        image = canvas.image.copy()
        for anchors, box in zip(canvas.anchors, canvas.boxes, strict=True):
            if rng.random() < settings.covered:
                hide(image, anchors, box, rng)
        image = _photograph(image, settings, rng)
        return _visible(
            Scene(image, canvas.boxes, canvas.anchors, canvas.sure), settings
        ), background

    def _peopled_scene(self, size: int, rng: Random, weights: Array) -> tuple[Scene, int]:
        settings = self.settings
        if self._peopled and rng.random() < settings.peopled:
            background = self._peopled[int(rng.integers(len(self._peopled)))]
        else:
            background = int(rng.choice(len(weights), p=weights / weights.sum()))
        canvas = self._background(self.backgrounds[background], size, rng)
        for face in np.flatnonzero(canvas.sure):
            if rng.random() < settings.swapped:
                canvas = self._swap(canvas, int(face), rng)
        chance = rng.random()
        if chance < settings.crowd:
            height = float(np.exp(rng.uniform(np.log(10), np.log(max(12.0, 0.12 * size)))))
            for _ in range(int(rng.integers(10, 30))):
                canvas = self._paste(canvas, height * float(rng.uniform(0.75, 1.35)), rng)
        elif chance < settings.crowd + settings.pasted:
            low, high = np.log(settings.smallest + 1), np.log(0.7 * size)
            for _ in range(int(rng.integers(1, settings.most_pasted + 1))):
                # Small faces are many in the world and take little room here.
                height = float(np.exp(low + (high - low) * rng.beta(1.0, 1.6)))
                canvas = self._paste(canvas, height, rng)
        return canvas, background

    def _mosaic(self, size: int, rng: Random, weights: Array) -> Scene:
        """Four canvases, each half as high and wide."""
        half = size // 2
        image = np.zeros((size, size, 3), np.uint8)
        parts = []
        for at in ((0, 0), (half, 0), (0, half), (half, half)):
            if rng.random() < self.settings.portrait:
                part = self._portrait(half, rng)
            else:
                part, _ = self._peopled_scene(half, rng, weights)
            part = _visible(part, self.settings)
            image[at[1] : at[1] + half, at[0] : at[0] + half] = part.image
            corner = np.array(at, np.float64)
            boxes = part.boxes + np.array([*corner, 0, 0])
            parts.append((boxes, part.anchors + corner, part.sure))
        boxes, anchors, sure = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Scene(image, boxes, anchors, sure)

    def _background(self, scene: Scene, size: int, rng: Random) -> Scene:
        """A random part of a scene at a random scale; where it has faces, one of them stays in."""
        extent = np.array(scene.image.shape[1::-1], np.float64)
        fitting = size / extent.max()
        low, high = 0.85 * fitting, 3.0 * fitting
        centre = rng.uniform(0, 1, 2) * extent
        if scene.sure.any():
            face = scene.boxes[rng.choice(np.flatnonzero(scene.sure))]
            centre = face[:2] + face[2:] * rng.uniform(-0.2, 1.2, 2)
            low = 0.7 * fitting
            high = max(fitting, min(4 * fitting, self.settings.largest * size / face[3]))
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        slack = np.maximum(extent - size / scale, 0) / 2  # keeps the canvas filled
        centre = extent / 2 + np.clip(centre - extent / 2, -slack, slack)
        angle = self._angle(rng) if rng.random() < 0.25 else rng.normal(0, 6)
        return _warp(scene, _similarity(scale, angle, centre, size, rng), size, rng)

    def _portrait(self, size: int, rng: Random) -> Scene:
        """One portrait that fills the canvas, or nearly."""
        scene, _ = self._any_portrait(rng)
        extent = np.array(scene.image.shape[1::-1], np.float64)
        scale = size / extent.max() * float(np.exp(rng.uniform(np.log(0.5), np.log(1.6))))
        centre = extent * (0.5 + rng.normal(0, 0.1, 2))
        return _warp(scene, _similarity(scale, self._angle(rng), centre, size, rng), size, rng)

    def _paste(self, canvas: Scene, height: float, rng: Random) -> Scene:
        """The canvas with one more portrait, its face so high, where it hides no other face."""
        size = canvas.image.shape[0]
        scene, close = self._any_portrait(rng)
        if close:
            scene = _roomy(scene)
        face = scene.boxes[_main(scene)]
        extent = np.array(scene.image.shape[1::-1], np.float64)
        matrix = _similarity(height / face[3], self._angle(rng), extent / 2, size, rng)
        matrix[:, 2] += rng.uniform(-0.5, 0.5, 2) * size
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (extent - 1)
        if close:
            corners = face[:2] + face[2:] * (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 1.4 - 0.2)
        placed = corners @ matrix[:, :2].T + matrix[:, 2]
        low_xy = np.clip(np.floor(placed.min(0)).astype(int), 0, size)
        high_xy = np.clip(np.ceil(placed.max(0)).astype(int) + 1, 0, size)
        if (high_xy - low_xy < 4).any() or _overlap(canvas.boxes, low_xy, high_xy).any():
            return canvas
        mask = _head_mask(scene, rng) if close else _mask(scene.image.shape[:2], rng)
        result = _blend(canvas.image, scene.image, matrix, mask, low_xy, high_xy, 0.0)
        boxes, anchors = _moved(scene, matrix)
        return Scene(
            result,
            np.concatenate([canvas.boxes, boxes]),
            np.concatenate([canvas.anchors, anchors]),
            np.concatenate([canvas.sure, scene.sure]),
        )

    def _swap(self, canvas: Scene, face: int, rng: Random) -> Scene:
        """The canvas with another face in the place of one, turned as much, with its colours."""
        target, box = canvas.anchors[face], canvas.boxes[face]
        if box[3] < 16 or np.hypot(*(target[3] - target[0])) < 3:
            return canvas
        wanted = _turn(target)
        mirror = bool(rng.random() < 0.5)
        low, high = np.searchsorted(
            self._turns, np.array([-0.15, 0.15]) + (-wanted if mirror else wanted)
        )
        if high - low < 5:
            return canvas
        donor = self._donors[int(rng.integers(low, high))]
        main = _main(donor)
        anchors = donor.anchors[main]
        reflect = np.array([[-1.0, 0], [0, 1]]) if mirror else np.eye(2)
        source = anchors[_MIRRORED] if mirror else anchors
        matrix = _similarity_between(source @ reflect, target)
        matrix = np.column_stack([matrix[:, :2] @ reflect, matrix[:, 2]])
        mask = _head_mask(donor, rng, 0.8)
        size = np.array(canvas.image.shape[1::-1])
        low_xy = np.clip(np.floor(box[:2] - 0.1 * box[2:]).astype(int), 0, size)
        high_xy = np.clip(np.ceil(box[:2] + 1.1 * box[2:]).astype(int), 0, size)
        if (high_xy - low_xy < 4).any():
            return canvas
        image = _blend(
            canvas.image, donor.image, matrix, mask, low_xy, high_xy, float(rng.uniform(0.4, 1))
        )
        moved = canvas.anchors.copy()
        own = anchors @ matrix[:, :2].T + matrix[:, 2]
        moved[face] = own[_MIRRORED] if mirror else own
        return Scene(image, canvas.boxes, moved, canvas.sure)

    def _any_portrait(self, rng: Random) -> tuple[Scene, bool]:
        chosen = int(rng.choice(len(self.portraits), p=self.shares))
        portraits = self.portraits[chosen]
        return portraits[int(rng.integers(len(portraits)))], self.close[chosen]

    def _angle(self, rng: Random) -> float:
        if rng.random() < self.settings.turned:
            return float(rng.uniform(-180, 180))
        return float(np.clip(rng.normal(0, 15), -45, 45))


def _main(scene: Scene) -> int:
    """The largest face."""
    return int(np.argmax(scene.boxes[:, 3]))


def _turn(anchors: Array) -> float:
    """How far the nose is from the middle of the eyes, across the face, in heights of the face."""
    eyes = (anchors[0] + anchors[1]) / 2
    down = (anchors[3] + anchors[4]) / 2 - eyes
    away = anchors[2] - eyes
    return float((away[0] * down[1] - away[1] * down[0]) / max(float(down @ down), 1e-6))


def _similarity_between(source: Array, target: Array) -> Array:
    """(2, 3): the least-squares similarity from points (P, 2) to others."""
    p, q = (np.asarray(x) @ np.array([1, 1j]) for x in (source, target))
    turn = np.vdot(p - p.mean(), q - q.mean()) / max(float((np.abs(p - p.mean()) ** 2).sum()), 1e-9)
    shift = q.mean() - turn * p.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def _roomy(scene: Scene) -> Scene:
    """A close crop with room about it, above all over a forehead that is cut: its edge goes on."""
    height, width = scene.image.shape[:2]
    top, side = int(0.3 * height), int(0.15 * width)
    image = cv2.copyMakeBorder(scene.image, top, side, side, side, cv2.BORDER_REPLICATE)
    shift = np.array([side, top], np.float64)
    return Scene(
        np.asarray(image, np.uint8),
        scene.boxes + np.array([*shift, 0, 0]),
        scene.anchors + shift,
        scene.sure,
    )


def _head_mask(scene: Scene, rng: Random, size: float = 1.0) -> Image:
    """What of a close portrait is pasted: about the box of its face, with a soft edge."""
    x, y, w, h = scene.boxes[_main(scene)]
    grow = size * rng.uniform(0.95, 1.12, 2)
    centre = (round(float(x + w / 2)), round(float(y + h * rng.uniform(0.46, 0.52))))
    axes = (max(1, round(float(w * grow[0] / 2))), max(1, round(float(h * grow[1] / 2))))
    mask = np.zeros(scene.image.shape[:2], np.uint8)
    cv2.ellipse(mask, centre, axes, 0, 0, 360, 255, -1)
    side = 2 * int(rng.uniform(0.01, 0.06) * h + 1) + 1
    return np.asarray(cv2.blur(mask, (side, side)), np.uint8)


def _blend(
    canvas: Image,
    picture: Image,
    matrix: Array,
    mask: Image,
    low: npt.NDArray[np.int64],
    high: npt.NDArray[np.int64],
    match: float,
) -> Image:
    """The canvas with a picture over its part from `low` to `high` (x, y), as the mask lets it.

    match: how far the picture's colours are moved towards those that it hides.
    """
    local = matrix.copy()
    local[:, 2] -= low
    where = tuple(int(v) for v in high - low)
    own = _shrunk_warp(picture, local, where, cv2.BORDER_REPLICATE).astype(np.float32)
    cover = (
        _shrunk_warp(mask, local, where, cv2.BORDER_CONSTANT)[..., None].astype(np.float32) / 255
    )
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


def _photograph(picture: Image, settings: CanvasSettings, rng: Random) -> Image:
    """Colour, light, blur, noise and compression."""
    image: npt.NDArray[Any] = picture
    if rng.random() < settings.gray:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < settings.coarse:
        height, width = image.shape[:2]
        share = 1 / rng.uniform(1.2, 2.5)
        small = cv2.resize(image, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
        image = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    if rng.random() < settings.blurred:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 2.0))
    if rng.random() < settings.moved:
        image = cv2.filter2D(image, -1, _streak(int(rng.integers(3, 10)), rng))
    gain = np.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.uniform(-0.1, 0.1, 3))
    if rng.random() < settings.cast:
        gain = gain * np.exp(rng.uniform(-0.5, 0.4, 3))
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


def _streak(length: int, rng: Random) -> Array:
    """The kernel of a motion blur."""
    kernel = np.zeros((length, length), np.float32)
    along = rng.uniform(0, np.pi)
    reach = np.array([np.cos(along), np.sin(along)]) * (length - 1) / 2
    ends = np.round((length - 1) / 2 + np.array([-reach, reach])).astype(int)
    cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0, 1)
    return np.asarray(kernel / kernel.sum(), np.float64)


def _visible(scene: Scene, settings: CanvasSettings) -> Scene:
    """Only faces in the picture; those that are too small or mostly outside are not sure."""
    size = np.array(scene.image.shape[1::-1], np.float64)
    inner = np.minimum(scene.boxes[:, :2] + scene.boxes[:, 2:], size) - scene.boxes[:, :2].clip(0)
    share = inner.clip(min=0).prod(1) / scene.boxes[:, 2:].prod(1).clip(min=1e-6)
    sure = scene.sure & (share > 0.55) & (scene.boxes[:, 3] >= settings.smallest)
    keep = share > 0.05
    return Scene(scene.image, scene.boxes[keep], scene.anchors[keep], sure[keep])
