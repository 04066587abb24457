"""What is measured on a face with 68 points: how far eyes and mouth are open, where it looks."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray

MEASURES = (
    "right_eye_opening", "left_eye_opening", "mouth_opening", "yaw", "pitch", "roll",
)  # fmt: skip

_SEEN = (17, 21, 22, 26, 36, 39, 42, 45, 31, 35, 48, 54, 57, 8)
_HEAD = np.array(
    [
        [-6.825897, 6.760612, 4.402142],
        [-1.330353, 7.122144, 6.903745],
        [1.330353, 7.122144, 6.903745],
        [6.825897, 6.760612, 4.402142],
        [-5.311432, 5.485328, 3.987654],
        [-1.789930, 5.393625, 4.413414],
        [1.789930, 5.393625, 4.413414],
        [5.311432, 5.485328, 3.987654],
        [-2.005628, 1.409845, 6.165652],
        [2.005628, 1.409845, 6.165652],
        [-2.774015, -2.080775, 5.048531],
        [2.774015, -2.080775, 5.048531],
        [0.0, -3.116408, 6.097667],
        [0.0, -7.415691, 4.070434],
    ]
)
"""(14, 3): a generic head at the points `_SEEN`, centimetres: x to its left, y up, z forward. From
the anthropometric model that is common in examples of head pose by `solvePnP`."""

_UPRIGHT = np.diag([1.0, -1.0, -1.0])
"""From the head that faces the camera to the camera: x right, y down, z into the picture."""


def measure(points: FloatArray, width: int, height: int) -> npt.NDArray[np.float64]:
    """MEASURES of faces (F, 6) from points (F, 68, 2) in a picture of these pixels.

    Eyes: the eye aspect ratio (Soukupova & Cech, 2016), the mean distance of the lids over the
    distance of the corners. Mouth: the mean distance of the inner lips at three places over that
    of their corners. Angles: degrees of the generic head's pose by `cv2.solvePnP`, for a camera as
    wide as it is far (53 degrees over the picture's longer side); yaw is positive where the face
    turns to the picture's right, pitch where it looks up, roll where its top leans to the
    picture's right. NaN where points are missing.
    """
    values = np.full((len(points), len(MEASURES)), np.nan)
    for row, face in zip(values, np.asarray(points, np.float64), strict=True):
        row[0], row[1] = _eye(face[36:42]), _eye(face[42:48])
        row[2] = _ratio(face[[61, 62, 63]], face[[67, 66, 65]], face[60], face[64])
        seen = face[list(_SEEN)]
        if np.isfinite(seen).all():
            row[3:] = _angles(seen, width, height)
    return values


def _eye(contour: FloatArray) -> float:
    return _ratio(contour[[1, 2]], contour[[5, 4]], contour[0], contour[3])


def _ratio(upper: FloatArray, lower: FloatArray, one: FloatArray, other: FloatArray) -> float:
    """The mean distance of points above from those below over the distance of the corners."""
    across = float(np.linalg.norm(one - other))
    return float(np.linalg.norm(upper - lower, axis=-1).mean()) / across if across else np.nan


def _angles(seen: FloatArray, width: int, height: int) -> tuple[float, float, float]:
    focal = float(max(width, height))
    camera = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
    # Begun with a head that faces the camera: without it, the solution may stand on its head.
    start = cv2.Rodrigues(_UPRIGHT)[0]
    size = float(np.linalg.norm(seen.max(0) - seen.min(0)))
    away = focal * 20 / max(size, 1e-6)
    middle = (seen.mean(0) - camera[:2, 2]) / focal * away
    place = np.array([[middle[0]], [middle[1]], [away]])
    found, turned, _ = cv2.solvePnP(
        _HEAD, seen, camera, np.zeros(4), start, place, True, cv2.SOLVEPNP_ITERATIVE
    )
    if not found:
        return np.nan, np.nan, np.nan
    turn = cv2.Rodrigues(turned)[0]
    # The head's axes as the camera sees them: forward is where the nose points.
    right, up, forward = turn.T
    yaw = np.arctan2(forward[0], -forward[2])
    pitch = np.arctan2(-forward[1], np.hypot(forward[0], forward[2]))
    level = np.array([-forward[2], 0, forward[0]])  # to the head's left if it did not lean
    level = level / max(float(np.linalg.norm(level)), 1e-9)
    roll = np.arctan2(float(up @ level), float(right @ level))
    return float(np.degrees(yaw)), float(np.degrees(pitch)), float(np.degrees(roll))
