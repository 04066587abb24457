"""What is measured on a face with 68 points: openings of eyes and mouth, pose of the head."""

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray
from fkp.vision.head import POSES, Camera, head_pose

OPENINGS = ("right_eye_opening", "left_eye_opening", "mouth_opening")
MEASURES = (*OPENINGS, *POSES)


def measure(
    points: FloatArray, width: int, height: int, camera: Camera | None = None
) -> npt.NDArray[np.float64]:
    """MEASURES of faces (F, 9) from points (F, 68, 2) in a picture of these pixels.

    For the pose see `fkp.vision.head.head_pose`; without a camera its default. NaN where points are
    missing.
    """
    matrix = (camera or Camera()).matrix(width, height)
    poses = [head_pose(face, matrix) for face in np.asarray(points, np.float64)]
    return np.hstack([find_openings(points), np.reshape(poses, (-1, len(POSES)))])


def find_openings(points: FloatArray) -> npt.NDArray[np.float64]:
    """OPENINGS of faces (F, 3) from points (F, 68, 2).

    Each is the mean distance of the lids, or of the inner lips, over the distance of their corners
    (the eye aspect ratio of Soukupova and Cech, CVWW 2016): 0 is closed. NaN where points are
    missing.
    """
    values = np.full((len(points), len(OPENINGS)), np.nan)
    for row, face in zip(values, np.asarray(points, np.float64), strict=True):
        row[0], row[1] = _eye(face[36:42]), _eye(face[42:48])
        row[2] = _ratio(face[[61, 62, 63]], face[[67, 66, 65]], face[60], face[64])
    return values


def _eye(contour: FloatArray) -> float:
    return _ratio(contour[[1, 2]], contour[[5, 4]], contour[0], contour[3])


def _ratio(upper: FloatArray, lower: FloatArray, one: FloatArray, other: FloatArray) -> float:
    """The mean distance of points above from those below over the distance of the corners."""
    across = float(np.linalg.norm(one - other))
    return float(np.linalg.norm(upper - lower, axis=-1).mean()) / across if across else np.nan
