"""Bringing one labeller's idea of the 68 points to another's.

Two labellers put a point such as the nose tip at places that differ by a few per cent of the
face, always in the same direction. Where both have labelled the same faces, that difference can
be learnt as a function of the pose, and taken from faces that only one of them has seen.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import IBUG68, FloatArray

_POSE_ONLY = range(17, 27), range(36, 48)
"""Brows and eyes: on faces seen from the front the labellers are taken to agree there, since eye
corners are unambiguous; only what the pose adds is translated."""

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Convention:
    """What to add to points (N, 68, 2) of one labeller, in a frame fixed to the eyes.

    weights: (F, 68, 2), by the F features of the pose, in distances of the eye centres.
    """

    weights: Array

    @classmethod
    def fit(cls, points: FloatArray, reference: FloatArray) -> "Convention":
        """From faces (N, 68, 2) that both have labelled; each counts once more as its mirror."""
        if len(points) < 100:
            raise DataError(f"learning a convention needs 100 faces labelled twice: {len(points)}")
        own, other = _canonical(points, points), _canonical(points, reference)
        own = np.concatenate([own, _mirrored(own)])
        other = np.concatenate([other, _mirrored(other)])
        features = _pose(own)
        gram = features.T @ features + 1e-5 * len(features) * np.eye(features.shape[1])
        weights = np.linalg.solve(gram, features.T @ (other - own).reshape(len(own), -1))
        weights = weights.reshape(-1, *own.shape[1:])
        for part in _POSE_ONLY:
            front = features[np.abs(own[:, 30, 0]) < 0.08].mean(0)
            weights[0, part] -= np.tensordot(front, weights[:, part], 1)
        return cls(np.asarray(weights, np.float64))

    def apply(self, points: FloatArray, share: float) -> Array:
        """Points (N, 68, 2) moved by a share of the difference, towards the reference."""
        moves = np.tensordot(_pose(_canonical(points, points)), self.weights, 1) * share
        _, across, down = _eye_frame(points)
        return points + moves[..., :1] * across[:, None] + moves[..., 1:] * down[:, None]


def _eye_frame(points: FloatArray) -> tuple[Array, Array, Array]:
    """Middle of the eyes, and the vectors across (right to left eye) and down, each (N, 2)."""
    right, left = IBUG68.anchor_points(points)[:, :2].swapaxes(0, 1)
    across = left - right
    return (right + left) / 2, across, np.stack([-across[:, 1], across[:, 0]], 1)


def _canonical(frame: FloatArray, points: FloatArray) -> Array:
    """Points (N, 68, 2) in the eye frame of other points of the same faces."""
    centre, across, down = _eye_frame(frame)
    scale = (across**2).sum(1)[:, None]
    away = points - centre[:, None]
    along = np.stack([(away * across[:, None]).sum(2), (away * down[:, None]).sum(2)], 2)
    return np.asarray(along / scale[..., None])


def _mirrored(canonical: Array) -> Array:
    return canonical[:, list(IBUG68.flip_order or ())] * [-1, 1]


def _pose(canonical: Array) -> Array:
    """(N, 5): one, turn, size of the turn, nod, mouth: how the face is seen."""
    turn, nod = canonical[:, 30, 0], canonical[:, 30, 1]
    mouth = canonical[:, [48, 54], 1].mean(1)
    return np.stack([np.ones(len(turn)), turn, np.abs(turn), nod - 0.6, mouth - 1.05], 1)
