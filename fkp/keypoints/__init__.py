"""What a set of facial keypoints is (`Scheme`), and the faces found in a picture (`Faces`).

Coordinates are pixels: x right, y down, pixel centres at integers. Left and right are the
subject's own. NaN means missing, and nothing else does.
"""

from fkp.keypoints.faces import RADIUS_90, Face, Faces, Prediction
from fkp.keypoints.scheme import (
    ANCHOR_NAMES,
    AVERAGES,
    FKP4,
    IBUG68,
    KAGGLE15,
    MTFL5,
    SCHEMES,
    WFLW98,
    FloatArray,
    PointIndices,
    Scheme,
    mean_points,
)

__all__ = [
    "ANCHOR_NAMES",
    "AVERAGES",
    "FKP4",
    "IBUG68",
    "KAGGLE15",
    "MTFL5",
    "RADIUS_90",
    "SCHEMES",
    "WFLW98",
    "Face",
    "Faces",
    "FloatArray",
    "PointIndices",
    "Prediction",
    "Scheme",
    "mean_points",
]
