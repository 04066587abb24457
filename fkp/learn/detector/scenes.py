"""Pictures with labelled faces, and their transformation by a similarity."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Random = np.random.Generator
Array = npt.NDArray[np.float64]

MIRRORED = [1, 0, 2, 4, 3]
"""Order of the five anchors of a mirrored face."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A picture with F labelled faces.

    image: (H, W, 3) BGR; boxes: (F, 4) float64 xywh; anchors: (F, 5, 2); known: (F,) bool, False if
    it is unknown whether there is a face: neither a face nor background.
    """

    image: Image
    boxes: Array
    anchors: Array
    known: npt.NDArray[np.bool_]


def main_face(scene: Scene) -> int:
    """Index of the largest face."""
    return int(np.argmax(scene.boxes[:, 3]))


def cropped(scene: Scene, rng: Random) -> Scene:
    """A random part of a picture, around most of its largest face.

    Without it the distance of a face from the edge of its picture, which its photographer has
    chosen, would give its size away.
    """
    height, width = scene.image.shape[:2]
    x, y, w, h = scene.boxes[main_face(scene)]
    low = np.array([x, y]) * rng.uniform(0, 1, 2) + np.array([w, h]) * rng.uniform(0, 0.1, 2)
    gap = np.array([width - x - w, height - y - h])
    high = np.array([width, height]) - gap * rng.uniform(0, 1, 2)
    high -= np.array([w, h]) * rng.uniform(0, 0.1, 2)
    return part_of(
        scene,
        np.clip(low.astype(int), 0, None),
        np.minimum(np.ceil(high).astype(int), (width, height)),
    )


def part_of(scene: Scene, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> Scene:
    """The part of a picture from pixel `low` to before `high` (x, y), with all faces, those outside
    as well.
    """
    shift = low.astype(np.float64)
    return Scene(
        scene.image[low[1] : high[1], low[0] : high[0]],
        scene.boxes - np.array([*shift, 0, 0]),
        scene.anchors - shift,
        scene.known,
    )


def turn_of(anchors: Array) -> float:
    """Distance of the nose from the middle of the eyes across the face, relative to the face's
    height.
    """
    eyes = (anchors[0] + anchors[1]) / 2
    down = (anchors[3] + anchors[4]) / 2 - eyes
    away = anchors[2] - eyes
    return float((away[0] * down[1] - away[1] * down[0]) / max(float(down @ down), 1e-6))


def similarity(scale: float, angle: float, centre: Array, size: int, rng: Random) -> Array:
    """(2, 3): moves `centre` of a picture to the centre of the canvas, scaled, rotated and
    sometimes mirrored.
    """
    turn = np.deg2rad(angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if rng.random() < 0.5:
        linear[:, 0] *= -1
    return np.column_stack([linear, (size - 1) / 2 - linear @ centre])


def similarity_between(source: Array, target: Array) -> Array:
    """(2, 3): the least-squares similarity from points (P, 2) to targets (P, 2)."""
    p, q = (np.asarray(x) @ np.array([1, 1j]) for x in (source, target))
    turn = np.vdot(p - p.mean(), q - q.mean()) / max(float((np.abs(p - p.mean()) ** 2).sum()), 1e-9)
    shift = q.mean() - turn * p.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def warp(scene: Scene, matrix: Array, size: int, rng: Random) -> Scene:
    """A scene in a square of this side; around it is one colour, or its edge repeated."""
    border = cv2.BORDER_CONSTANT if rng.random() < 0.5 else cv2.BORDER_REPLICATE
    colour = tuple(rng.integers(0, 256, 3).tolist())
    image = shrunk_warp(scene.image, matrix, (size, size), border, colour)
    boxes, anchors = moved(scene, matrix)
    return Scene(image, boxes, anchors, scene.known)


def shrunk_warp(
    image: Image,
    matrix: Array,
    size_wh: tuple[int, ...],
    border: int,
    colour: tuple[int, ...] = (0,),
) -> Image:
    """cv2.warpAffine with averaging when the picture is much reduced."""
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


def moved(scene: Scene, matrix: Array) -> tuple[Array, Array]:
    """Boxes and anchors under a similarity; the box of a rotated face is that of its ellipse."""
    linear = matrix[:, :2]
    anchors = scene.anchors @ linear.T + matrix[:, 2]
    if np.linalg.det(linear) < 0:
        anchors = anchors[:, MIRRORED]
    centres = (scene.boxes[:, :2] + scene.boxes[:, 2:] / 2) @ linear.T + matrix[:, 2]
    sizes = np.sqrt(scene.boxes[:, 2:] ** 2 @ (linear**2).T)
    return np.concatenate([centres - sizes / 2, sizes], 1), anchors
