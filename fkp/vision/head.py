"""A mean head in three dimensions, and the pose of a face's head in the camera's frame.

The head is the mean of thousands of faces of all ages, fitted by `fkp.bundled.mean_head`. Its frame
is the camera's when it faces the camera: x to the picture's right (the subject's left), y down, z
away from the camera; millimetres from the middle between the eyes. Its size is an adult's, with 63
mm between the eye centres (Dodgson, Proc. SPIE 5291, 2004), and pitch is 0 where it is for
MediaPipe's canonical head.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray

Array = npt.NDArray[np.float64]

HEAD: Array = np.loadtxt(
    Path(__file__).with_name("mean_head.csv"), delimiter=",", skiprows=1, usecols=(1, 2, 3)
)
"""(68, 3) millimetres: the points of IBUG68 on the mean head."""

RIGID = (*range(27, 36), 36, 39, 42, 45, 48, 54)
"""The points that determine the pose: nose, eye corners, mouth corners. Brows, lids, lips and jaw
move independently, and the jaw's points slide along its outline when a head turns."""

LEAST = 8
"""Minimum number of points for a pose."""

MISFIT = 0.15
"""Maximum root mean square distance of the points from the mean head's, relative to the distance of
its outer eye corners in the picture. Faces have 0.03 to 0.08."""

BEHIND = 110.0
"""Angle in degrees between a face's direction and the camera from which the face is invisible:
points with a larger angle have left and right swapped."""

POSES = ("yaw", "pitch", "roll", "head_x_mm", "head_y_mm", "head_z_mm")


@dataclass(frozen=True, slots=True)
class Camera:
    """How wide the camera sees. Raises DataError.

    focal: focal length in pixels. fov: angle of view along the longer side of the picture, degrees.
    Without either, the focal length is the longer side: an angle of 53 degrees. The optical axis
    is taken to go through the middle of the picture, and the lens not to distort.
    """

    focal: float | None = None
    fov: float | None = None

    def __post_init__(self) -> None:
        if self.focal is not None and self.fov is not None:
            raise DataError("expected a focal length or an angle of view, got both")
        if self.focal is not None and not 0 < self.focal < math.inf:
            raise DataError(f"focal length: expected pixels above 0, got {self.focal:g}")
        if self.fov is not None and not 0 < self.fov < 180:
            raise DataError(f"angle of view: expected degrees between 0 and 180, got {self.fov:g}")

    def matrix(self, width: int, height: int) -> Array:
        """(3, 3): from millimetres before the camera to pixels of a picture of this size."""
        focal = float(max(width, height))
        if self.focal is not None:
            focal = self.focal
        elif self.fov is not None:
            focal = focal / 2 / math.tan(math.radians(self.fov) / 2)
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """Where the mean head is before the camera: seen = turn @ HEAD + at.

    turn: (3, 3) rotation; at: (3,) millimetres, both in the camera's frame.
    """

    turn: Array
    at: Array

    def placed(self) -> Array:
        """(68, 3) millimetres: the mean head's points before the camera."""
        return np.asarray(HEAD @ self.turn.T + self.at)

    def angles(self) -> Array:
        """(3,) radians about x, y and z: the rotation is Rx @ Ry @ Rz, as OpenFace 2 tells it.

        They are positive where the face looks down, to the picture's left, and where it leans to
        the picture's right.
        """
        turn = self.turn
        about_y = math.asin(min(max(float(turn[0, 2]), -1.0), 1.0))
        about_x = math.atan2(-turn[1, 2], turn[2, 2])
        return np.array([about_x, about_y, math.atan2(-turn[0, 1], turn[0, 0])])


def fit_head(points: FloatArray, camera: Array, among: Sequence[int] = RIGID) -> Fit | None:
    """The mean head as a face with points (68, 2) in pixels shows it to a camera (3, 3).

    None if fewer than LEAST of the points `among` are known, or if they are not those of a face or
    would show a head from behind.
    """
    known = [i for i in among if np.isfinite(points[i]).all()]
    if len(known) < LEAST:
        return None
    shape, seen = HEAD[known], np.asarray(points[known], np.float64)
    best, least = None, math.inf
    for turn, place in _starts(shape, seen, camera):
        found, spin, at = cv2.solvePnP(
            shape, seen, camera, np.zeros(4), cv2.Rodrigues(turn)[0], place.reshape(3, 1), True,
            cv2.SOLVEPNP_ITERATIVE,
        )  # fmt: skip
        if not found or not np.isfinite(at).all() or at[2, 0] <= 0:
            continue
        drawn = cv2.projectPoints(shape, spin, at, camera, np.zeros(4))[0].reshape(-1, 2)
        eyes = camera[0, 0] * np.linalg.norm(HEAD[36] - HEAD[45]) / at[2, 0]
        misfit = float(np.sqrt(((drawn - seen) ** 2).sum(1).mean()) / eyes)
        if misfit < min(least, MISFIT):
            turned, where = cv2.Rodrigues(spin)[0], at[:, 0]
            best = Fit(np.asarray(turned, np.float64), np.asarray(where, np.float64))
            least = misfit
    return None if best is None or _from_behind(best) else best


def head_pose(points: FloatArray, camera: Array) -> Array:
    """POSES (6,) of a face with points (68, 2) in pixels, before a camera (3, 3).

    yaw, pitch, roll: degrees. yaw is positive where the face looks to the picture's right, pitch
    where it looks up, roll where it leans to the picture's right (clockwise, as seen). The head is
    first rolled about the axis of its gaze, then pitched, then yawed, in the camera's axes. The
    rest is where the middle between its eyes is: millimetres to the right of the camera's axis,
    below it, and before the camera, if the head has an adult's size.

    NaN where `fit_head` finds no head.
    """
    fit = fit_head(points, camera)
    return np.full(len(POSES), np.nan) if fit is None else _told(fit)


def lifted(points: FloatArray, fit: Fit, camera: Array) -> Array:
    """(68, 3) millimetres in the camera's frame: points (68, 2) in pixels as far away as the mean
    head has them, so that they project onto themselves.
    """
    depth = fit.placed()[:, 2:]
    focal, centre = camera[[0, 1], [0, 1]], camera[:2, 2]
    return np.hstack([(np.asarray(points, np.float64) - centre) / focal * depth, depth])


def _starts(shape: Array, seen: Array, camera: Array) -> list[tuple[Array, Array]]:
    """Rotations (3, 3) and places (3,) from which to look for the pose.

    The first is the best one under scaled orthographic projection, which finds a head at any turn;
    the second turns it the other way by as much, as under that projection a head that is
    flat is seen in the same way.
    """
    middle = shape.mean(0)
    flat = np.linalg.lstsq(shape - middle, seen - seen.mean(0), rcond=None)[0].T
    left, scales, right = np.linalg.svd(flat, full_matrices=False)
    rows, size = left @ right, max(float(scales.mean()), 1e-9)
    turn = np.vstack([rows, np.cross(rows[0], rows[1])])
    flip = np.diag([1.0, 1.0, -1.0])
    focal, centre = camera[0, 0], camera[:2, 2]
    starts = []
    for one in (turn, flip @ turn @ flip):
        z = focal / size
        at = np.array([*((seen.mean(0) - centre) / size), z]) - one @ middle
        starts.append((one, at))
    return starts


def _from_behind(fit: Fit) -> bool:
    cosine = float(fit.turn[:, 2] @ fit.at) / float(np.linalg.norm(fit.at))
    return cosine < math.cos(math.radians(BEHIND))


def _told(fit: Fit) -> Array:
    """POSES of a head."""
    turn = fit.turn
    gaze = -turn[:, 2]
    yaw = math.atan2(gaze[0], -gaze[2])
    pitch = math.atan2(-gaze[1], math.hypot(gaze[0], gaze[2]))
    level = np.array([math.cos(yaw), 0, math.sin(yaw)])  # to the head's left if it did not lean
    roll = math.atan2(float(-turn[:, 1] @ level), float(turn[:, 0] @ level))
    return np.array([*np.degrees([yaw, pitch, roll]), *fit.at])
