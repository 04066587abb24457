"""Making the mean head of `fkp.vision.head` from labelled faces in many poses.

    python -m fkp.bundled.mean_head build/weights/faces.csv fkp/vision/mean_head.csv

Structure from motion (Tomasi and Kanade, IJCV 9, 1992) with one symmetric shape for all faces and a
scaled orthographic camera for each, as in `Head.fit`, by maximum likelihood: each point has a
variance of its own, so that lips and jaw, which deform and slide, count less than eyes and nose.
Unweighted, they make the head too deep.

The faces are taken evenly by yaw, 5 degrees apart, up to 45 degrees. The result is in millimetres,
with the eye centres `INTERPUPILLARY` apart, and turned about the ear-to-ear axis until the line
from the middle of the eyes to the middle of the mouth corners leans forward by `LEAN`.
"""

import argparse
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.spatial.transform import Rotation

from fkp.bundled.head import Head
from fkp.keypoints import IBUG68
from fkp.labels.store import read_samples

Array = npt.NDArray[np.float64]

INTERPUPILLARY = 63.0
"""Millimetres between the pupils of adults, on average (Dodgson, Proc. SPIE 5291, 2004)."""

LEAN = 1.5
"""Degrees, chosen so that pitch is 0 where it is for MediaPipe's canonical head."""

SPREAD = 0.02  # maximum disagreement of the teacher's views on labels that count
EACH, STEP, MOST = 150, 5, 45  # faces in each range of yaw, its width and the largest yaw, degrees
FLOOR = 0.01  # of the distance of the outer eye corners: least standard deviation of a point
ROUNDS = 12

_FLIP = list(IBUG68.flip_order or ())
_MIRROR = np.array([-1, 1, 1])


def mean_head(points: Array, seed: int = 0) -> Array:
    """(68, 3) millimetres of faces (N, 68, 2): x to the subject's left, y down, z into the head.

    The origin is the middle of the eye centres.
    """
    first = Head.fit(points[:: max(1, len(points) // 8000)])
    faces = _evenly(points, first.yaw(points), np.random.default_rng(seed))
    faces = faces - faces.mean(1, keepdims=True)
    shape = first.shape / _eyes(first.shape)
    turn, size = first.rotations(faces), np.linalg.norm(first.cameras(faces), axis=2).mean(1)
    size *= _eyes(first.shape)
    place = np.zeros((len(faces), 2))
    weight = np.ones(68)
    for _ in range(ROUNDS):
        turn, size, place = _posed(faces, shape, weight, turn, size, place)
        seen = (faces - place[:, None]) / size[:, None, None]
        rest = seen - (shape @ turn.transpose(0, 2, 1))[..., :2]
        shape = _shape(seen, turn)
        shape -= shape.mean(0)
        shape /= _eyes(shape)
        variance = (rest**2).mean((0, 2))
        weight = 1 / (variance + variance[_FLIP] + 2 * FLOOR**2)
        weight /= weight.mean()
    return _upright(np.asarray(shape * [1, 1, -1]))


def _eyes(shape: Array) -> float:
    return float(np.linalg.norm(shape[36] - shape[45]))


def _evenly(points: Array, yaw: Array, rng: np.random.Generator) -> Array:
    """A sample with as many faces turned left as right, and as many turned as frontal."""
    groups = np.floor(yaw / STEP)
    wanted = [np.flatnonzero(groups == group) for group in range(-MOST // STEP, MOST // STEP)]
    rows = [rng.choice(own, min(EACH, len(own)), replace=False) for own in wanted]
    return np.asarray(points[np.concatenate(rows)])


def _posed(
    faces: Array, shape: Array, weight: Array, turn: Array, size: Array, place: Array
) -> tuple[Array, Array, Array]:
    """Better rotations (N, 3, 3), scales (N,) and shifts (N, 2) by weighted Gauss-Newton steps."""
    for _ in range(3):
        turned = shape @ turn.transpose(0, 2, 1)
        x, y, z = np.moveaxis(turned, -1, 0)
        rest = faces - size[:, None, None] * turned[..., :2] - place[:, None]
        one, none = np.ones_like(x), np.zeros_like(x)
        k = size[:, None]
        slopes = np.array(
            [[none, k * z, -k * y, x, one, none], [-k * z, none, k * x, y, none, one]]
        )
        heavy = slopes * weight
        normal = np.einsum("pank,pbnk->nab", heavy, slopes)
        down = np.einsum("pank,nkp->na", heavy, rest)
        step = np.linalg.solve(normal, down[..., None])[..., 0]
        turn = _rotation(step[:, :3]) @ turn
        size, place = size + step[:, 3], place + step[:, 4:]
    return turn, size, place


def _rotation(vectors: Array) -> Array:
    """(N, 3, 3) of rotation vectors (N, 3), radians."""
    return np.asarray(Rotation.from_rotvec(vectors).as_matrix())


def _shape(seen: Array, turn: Array) -> Array:
    """The symmetric shape (68, 3) that faces (N, 68, 2) of unit scale and their mirrors show."""
    mirrored = turn * _MIRROR[:, None] * _MIRROR
    rows = np.concatenate([turn[:, :2], mirrored[:, :2]])
    both = np.concatenate([seen, seen[:, _FLIP] * [-1, 1]])
    square = np.einsum("nia,nib->ab", rows, rows)
    shape = np.linalg.solve(square, np.einsum("nia,nki->ak", rows, both)).T
    return np.asarray((shape + shape[_FLIP] * _MIRROR) / 2)


def _upright(shape: Array) -> Array:
    """In millimetres, from the middle of the eyes, leaning as it should."""
    right, left = shape[36:42].mean(0), shape[42:48].mean(0)
    shape = (shape - (right + left) / 2) * INTERPUPILLARY / np.linalg.norm(left - right)
    mouth = (shape[48] + shape[54]) / 2
    by = np.radians(LEAN) - np.arctan2(-mouth[2], mouth[1])
    about_x = [[1, 0, 0], [0, np.cos(by), np.sin(by)], [0, -np.sin(by), np.cos(by)]]
    return np.asarray(shape @ np.array(about_x).T)


def main() -> None:
    """Fit the head, and write a line per point."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="a data set of fkp prepare with 68 points")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    samples = read_samples(given.faces)
    spread = samples.other["spread"].astype(np.float64)
    points = samples.points[spread < SPREAD].astype(np.float64)
    points = points[np.isfinite(points).all((1, 2))]
    table = pd.DataFrame(mean_head(points), columns=["x_mm", "y_mm", "z_mm"])
    table.insert(0, "point", list(IBUG68.names))
    table.to_csv(given.out, index=False, float_format="%.2f")


if __name__ == "__main__":
    main()
