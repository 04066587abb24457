"""The three-dimensional mean head of many labelled faces, and the rotation of each face.

Structure from motion (Tomasi and Kanade, IJCV 9, 1992) with one shape for all faces: individual
differences average out over thousands of faces.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.keypoints import IBUG68, FloatArray

Array = npt.NDArray[np.float64]

ROUNDS = 30
_FIRST_DEPTH = 1.1
"""Curvature of the face from which the fit starts: depth falls by that times the square of the
distance from the middle line, both in half widths of the jaw."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """The 68 points (68, 3) of a symmetric head that looks along +z: x right, y down.

    Centred; one unit is the root mean square of the points' distance from the centre.
    """

    shape: Array

    @classmethod
    def fit(cls, points: FloatArray) -> "Head":
        """Fit to faces (N, 68, 2) in many poses, in pixels of upright crops."""
        faces = _centred(np.asarray(points, np.float64))
        mirrored = faces[:, list(IBUG68.flip_order or ())] * [-1, 1]
        faces = np.concatenate([faces, mirrored])
        shape = np.concatenate([faces.mean(0), np.zeros((68, 1))], 1)
        half = np.abs(shape[:17, 0]).max()
        shape[:, 2] = -_FIRST_DEPTH * half * (shape[:, 0] / half) ** 2
        shape[27:36, 2] += 0.3 * half
        for _ in range(ROUNDS):
            shape = _symmetric(shape - shape.mean(0))
            shape /= np.sqrt((shape**2).sum(1).mean())
            cameras = Head(shape).cameras(faces)
            rows, sides = cameras.reshape(-1, 3), faces.swapaxes(1, 2).reshape(-1, 68)
            shape = np.linalg.lstsq(rows, sides, rcond=None)[0].T
        shape = _symmetric(shape - shape.mean(0))
        return cls(shape / np.sqrt((shape**2).sum(1).mean()))

    def cameras(self, points: FloatArray) -> Array:
        """(N, 2, 3): the scaled orthographic camera of each face (N, 68, 2)."""
        faces = _centred(np.asarray(points, np.float64))
        free = faces.swapaxes(1, 2) @ self.shape @ np.linalg.inv(self.shape.T @ self.shape)
        u, s, v = np.linalg.svd(free, full_matrices=False)
        return np.asarray(s.mean(1)[:, None, None] * (u @ v))

    def rotations(self, points: FloatArray) -> Array:
        """(N, 3, 3): the rotation of the head in each face (N, 68, 2)."""
        cameras = self.cameras(points)
        across = cameras / np.linalg.norm(cameras, axis=2, keepdims=True)
        return np.concatenate([across, np.cross(across[:, :1], across[:, 1:])], 1)

    def yaw(self, points: FloatArray) -> Array:
        """(N,) degrees about the head's vertical axis; positive: towards the picture's right."""
        gaze = self.rotations(points)[:, :, 2]
        return np.degrees(np.arctan2(gaze[:, 0], gaze[:, 2]))


def _centred(faces: Array) -> Array:
    return np.asarray(faces - faces.mean(1, keepdims=True))


def _symmetric(shape: Array) -> Array:
    return np.asarray((shape + shape[list(IBUG68.flip_order or ())] * [-1, 1, 1]) / 2)


TOO_LITTLE = 1.25
"""Factor on the yaw of a face: labels of half-hidden faces are guesses that underestimate it."""

_SIDEWAYS = {
    17: 68, 18: 60, 19: 50, 20: 40, 21: 32, 27: 8, 28: 8, 29: 5, 30: 0, 31: 60, 32: 60, 33: 15,
    36: 56, 37: 48, 38: 48, 39: 58, 40: 48, 41: 48, 48: 52, 49: 44, 50: 28, 51: 8, 57: 8, 58: 28,
    59: 44, 60: 50, 61: 28, 62: 8, 66: 8, 67: 28,
}  # fmt: skip
"""By point of the right half (and the middle line): degrees between where the skin there looks, or
what stands before it, and where the face looks. With the face turned away by more than the rest to
90, it is hidden. The jaw is where the face ends in the picture, and seen on either side (Kumar et
al., CVPR 2020)."""


def self_hidden(points: FloatArray, head: Head) -> npt.NDArray[np.bool_]:
    """(N, 68): which points of faces (N, 68, 2) are hidden by the face itself."""
    flip = list(IBUG68.flip_order or ())
    angle = np.zeros(68)
    for point, degrees in _SIDEWAYS.items():
        side = 1 if flip[point] != point else 0
        angle[point], angle[flip[point]] = -side * degrees, side * degrees
    # A face turned to the picture's right shows less of its own left half.
    away = TOO_LITTLE * head.yaw(points)[:, None] * np.sign(angle)
    return np.asarray((away > 90 - np.abs(angle)) & (angle != 0))
