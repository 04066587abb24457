"""Crops without faces, from which the keypoint network learns to tell faces from other things."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fkp.learn.detector.scenes import Scene
from fkp.vision.crop import CropTransform
from fkp.vision.images import to_gray


def cut_negatives(
    scenes: Sequence[Scene], size: int, each: int, seed: int
) -> npt.NDArray[np.uint8]:
    """Random gray squares (N, size, size) from scenes, `each` per scene, that certainly hold no
    face.
    """
    rng = np.random.default_rng(seed)
    crops = []
    for scene in scenes:
        extent, gray = np.array(scene.image.shape[1::-1], np.float64), to_gray(scene.image)
        for _ in range(each):
            side = float(np.exp(rng.uniform(np.log(24), np.log(extent.max()))))
            corner = rng.uniform(0, 1, 2) * (extent - 0.6 * side) - 0.2 * side
            low, high = scene.boxes[:, :2], scene.boxes[:, :2] + scene.boxes[:, 2:]
            touches = ((low < corner + side) & (high > corner)).all(1)
            if touches.any():
                continue
            turn = np.deg2rad(rng.normal(0, 20))
            a, b = np.cos(turn) * size / side, np.sin(turn) * size / side
            middle = corner + side / 2
            shift = (size - 1) / 2 - np.array([[a, -b], [b, a]]) @ middle
            crop = CropTransform(float(a), float(b), float(shift[0]), float(shift[1]), size)
            crops.append(crop.cut(gray))
    return np.stack(crops) if crops else np.zeros((0, size, size), np.uint8)
