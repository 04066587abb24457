"""Training pictures for a face detector: backgrounds with faces pasted at any size and angle."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fkp.learn.detector.pasting import blend, head_mask, overlap, picture_mask, with_room
from fkp.learn.detector.photograph import CanvasSettings, photograph
from fkp.learn.detector.props import hide
from fkp.learn.detector.scenes import (
    MIRRORED,
    Random,
    Scene,
    cropped,
    main_face,
    moved,
    part_of,
    similarity,
    similarity_between,
    turn_of,
    warp,
)

Array = npt.NDArray[np.float64]


class CanvasMaker:
    """Makes square canvases from everyday scenes as backgrounds and portraits to paste.

    portraits: sets of pictures; shares: how often each is used; close: the sets cropped so close to
    the face that only the face itself can be pasted.
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
        self.close = close
        self.shares = np.array(shares) / sum(shares)
        # The edge of a close picture is that of its face, and the network would judge a face's size
        # by it. So they mostly give their faces to the people of a scene.
        pasted = self.shares * np.where(close, 0.25, 1.0)
        self._pasted = pasted / pasted.sum()
        self.settings = settings or CanvasSettings()
        self._peopled = [i for i, scene in enumerate(backgrounds) if scene.known.any()]
        donors = [scene for part in portraits for scene in part]
        turns = np.array([turn_of(scene.anchors[main_face(scene)]) for scene in donors])
        order = np.argsort(turns)
        self._donors, self._turns = [donors[i] for i in order], turns[order]

    def make(self, size: int, rng: Random, weights: Array) -> tuple[Scene, int]:
        """A canvas of this side, and the index of its background (-1: none, or several).

        weights: (len(backgrounds),) relative frequency of each background.
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
        image = photograph(image, settings, rng)
        return visible(
            Scene(image, canvas.boxes, canvas.anchors, canvas.known), settings
        ), background

    def _peopled_scene(self, size: int, rng: Random, weights: Array) -> tuple[Scene, int]:
        settings = self.settings
        if self._peopled and rng.random() < settings.peopled:
            background = self._peopled[int(rng.integers(len(self._peopled)))]
        else:
            background = int(rng.choice(len(weights), p=weights / weights.sum()))
        canvas = self._background(self.backgrounds[background], size, rng)
        for face in np.flatnonzero(canvas.known):
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
                # Small faces are common in pictures and take little space here.
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
            part = visible(part, self.settings)
            image[at[1] : at[1] + half, at[0] : at[0] + half] = part.image
            corner = np.array(at, np.float64)
            boxes = part.boxes + np.array([*corner, 0, 0])
            parts.append((boxes, part.anchors + corner, part.known))
        boxes, anchors, known = (np.concatenate(p) for p in zip(*parts, strict=True))
        return Scene(image, boxes, anchors, known)

    def _background(self, scene: Scene, size: int, rng: Random) -> Scene:
        """A random part of a scene at a random scale; if it has faces, at least one stays in."""
        extent = np.array(scene.image.shape[1::-1], np.float64)
        fitting = size / extent.max()
        low, high = 0.85 * fitting, 3.0 * fitting
        centre = rng.uniform(0, 1, 2) * extent
        if scene.known.any():
            face = scene.boxes[rng.choice(np.flatnonzero(scene.known))]
            centre = face[:2] + face[2:] * rng.uniform(-0.2, 1.2, 2)
            low = 0.7 * fitting
            high = max(fitting, min(4 * fitting, self.settings.largest * size / face[3]))
        scale = float(np.exp(rng.uniform(np.log(low), np.log(high))))
        slack = np.maximum(extent - size / scale, 0) / 2  # keeps the canvas filled
        centre = extent / 2 + np.clip(centre - extent / 2, -slack, slack)
        angle = self._angle(rng) if rng.random() < 0.25 else rng.normal(0, 6)
        return warp(scene, similarity(scale, angle, centre, size, rng), size, rng)

    def _portrait(self, size: int, rng: Random) -> Scene:
        """One portrait with a large face, sometimes cropped.

        A close picture is so large that its edge is out of sight.
        """
        scene, close = self._any_portrait(rng, self.shares)
        if not close and rng.random() < self.settings.cropped:
            scene = cropped(scene, rng)
        face = scene.boxes[main_face(scene)]
        extent = np.array(scene.image.shape[1::-1], np.float64)
        low = np.log((size if close else 0.5 * size) / extent.max())
        high = np.log(max(1.25 * size, self.settings.smallest) / face[3])
        scale = float(np.exp(low + max(high - low, 0.2) * rng.uniform()))
        centre = face[:2] + face[2:] * (0.5 + rng.normal(0, 0.12, 2))
        if not close:
            slack = np.maximum(extent - size / scale, 0) / 2
            centre = extent / 2 + np.clip(centre - extent / 2, -slack, slack)
        return warp(scene, similarity(scale, self._angle(rng), centre, size, rng), size, rng)

    def _paste(self, canvas: Scene, height: float, rng: Random) -> Scene:
        """The canvas with one more portrait whose face has the given height, where it hides no
        other face.
        """
        size = canvas.image.shape[0]
        scene, close = self._any_portrait(rng, self._pasted)
        if close:
            scene = with_room(scene)
        face = scene.boxes[main_face(scene)]
        extent = np.array(scene.image.shape[1::-1], np.float64)
        matrix = similarity(height / face[3], self._angle(rng), extent / 2, size, rng)
        matrix[:, 2] += rng.uniform(-0.5, 0.5, 2) * size
        corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (extent - 1)
        if close:
            corners = face[:2] + face[2:] * (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 1.4 - 0.2)
        placed = corners @ matrix[:, :2].T + matrix[:, 2]
        low_xy = np.clip(np.floor(placed.min(0)).astype(int), 0, size)
        high_xy = np.clip(np.ceil(placed.max(0)).astype(int) + 1, 0, size)
        if (high_xy - low_xy < 4).any() or overlap(canvas.boxes, low_xy, high_xy).any():
            return canvas
        mask = head_mask(scene, rng) if close else picture_mask(scene.image.shape[:2], rng)
        result = blend(canvas.image, scene.image, matrix, mask, low_xy, high_xy, 0.0)
        boxes, anchors = moved(scene, matrix)
        return Scene(
            result,
            np.concatenate([canvas.boxes, boxes]),
            np.concatenate([canvas.anchors, anchors]),
            np.concatenate([canvas.known, scene.known]),
        )

    def _swap(self, canvas: Scene, face: int, rng: Random) -> Scene:
        """The canvas with one face replaced by another, with the same rotation and colours."""
        target, box = canvas.anchors[face], canvas.boxes[face]
        if box[3] < 16 or np.hypot(*(target[3] - target[0])) < 3:
            return canvas
        wanted = turn_of(target)
        mirror = bool(rng.random() < 0.5)
        low, high = np.searchsorted(
            self._turns, np.array([-0.15, 0.15]) + (-wanted if mirror else wanted)
        )
        if high - low < 5:
            return canvas
        donor = self._donors[int(rng.integers(low, high))]
        main = main_face(donor)
        anchors = donor.anchors[main]
        reflect = np.array([[-1.0, 0], [0, 1]]) if mirror else np.eye(2)
        source = anchors[MIRRORED] if mirror else anchors
        matrix = similarity_between(source @ reflect, target)
        matrix = np.column_stack([matrix[:, :2] @ reflect, matrix[:, 2]])
        mask = head_mask(donor, rng, 0.8)
        size = np.array(canvas.image.shape[1::-1])
        low_xy = np.clip(np.floor(box[:2] - 0.1 * box[2:]).astype(int), 0, size)
        high_xy = np.clip(np.ceil(box[:2] + 1.1 * box[2:]).astype(int), 0, size)
        if (high_xy - low_xy < 4).any():
            return canvas
        image = blend(
            canvas.image, donor.image, matrix, mask, low_xy, high_xy, float(rng.uniform(0.4, 1))
        )
        moved = canvas.anchors.copy()
        own = anchors @ matrix[:, :2].T + matrix[:, 2]
        moved[face] = own[MIRRORED] if mirror else own
        return Scene(image, canvas.boxes, moved, canvas.known)

    def _any_portrait(self, rng: Random, shares: Array) -> tuple[Scene, bool]:
        chosen = int(rng.choice(len(self.portraits), p=shares))
        portraits = self.portraits[chosen]
        return portraits[int(rng.integers(len(portraits)))], self.close[chosen]

    def _angle(self, rng: Random) -> float:
        if rng.random() < self.settings.turned:
            return float(rng.uniform(-180, 180))
        return float(np.clip(rng.normal(0, 20), -60, 60))


def cut(canvas: Scene, shape: Sequence[int], settings: CanvasSettings, rng: Random) -> Scene:
    """A part of a canvas of this height and width, at a random place."""
    room = np.subtract(canvas.image.shape[:2], shape)
    top, left = (int(rng.integers(rest + 1)) for rest in room)
    low = np.array([left, top])
    return visible(part_of(canvas, low, low + np.array(shape)[::-1]), settings)


def visible(scene: Scene, settings: CanvasSettings) -> Scene:
    """The faces inside the picture; those too small or mostly outside are not `known`."""
    size = np.array(scene.image.shape[1::-1], np.float64)
    inner = np.minimum(scene.boxes[:, :2] + scene.boxes[:, 2:], size) - scene.boxes[:, :2].clip(0)
    share = inner.clip(min=0).prod(1) / scene.boxes[:, 2:].prod(1).clip(min=1e-6)
    known = scene.known & (share > 0.55) & (scene.boxes[:, 3] >= settings.smallest)
    keep = share > 0.05
    return Scene(scene.image, scene.boxes[keep], scene.anchors[keep], known[keep])
