"""Quality of the picture of a face, for cleaning data sets."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray
from fkp.vision.head import HEAD, POSES, Camera, head_pose
from fkp.vision.images import Image

QUALITY = ("sharpness", "exposure", "face_size", "occluded", "border_cut", "out_of_plane")

SEEN = 2
"""The first SEEN of these need the picture itself."""

REACH = 9
"""Length of the blur with which sharpness is measured, in pixels of the crop."""

SIDE = 96
"""Side to which crops are resized first, in pixels, so that values do not depend on the network."""

HIDDEN = 0.5
"""Confidence below which a point counts as occluded."""


def picture_quality(crop: Image) -> npt.NDArray[np.float32]:
    """Sharpness and exposure (2,) of the face in a gray crop (S, S), both 0..1.

    Sharpness is 1 minus blur (Crete et al., SPIE 6492, 2007), where blur is the share of the
    differences between neighbouring pixels that survives another blurring, in the blurrier
    direction. It depends little on contrast; noise counts as sharp. Exposure is the mean luma of
    the face: 0 is black, 1 is white. The sharpness of a uniformly gray crop is NaN.
    """
    small = np.asarray(crop)
    if small.shape[0] != SIDE:
        small = np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    inner = slice(SIDE // 6, SIDE - SIDE // 6)
    face = small[inner, inner].astype(np.float32)
    sharp = 1 - max(_blur(face, (REACH, 1)), _blur(face.T.copy(), (REACH, 1)))
    return np.array([sharp, face.mean() / 255], np.float32)


def _blur(face: FloatArray, reach: tuple[int, int]) -> float:
    """The blur along the rows, 0..1; NaN if no pixel differs from its neighbour."""
    blurred = cv2.blur(face, reach, borderType=cv2.BORDER_REPLICATE)
    own, after = (np.abs(np.diff(one, axis=1)) for one in (face, np.asarray(blurred)))
    total = float(own.sum())
    return (total - float(np.maximum(own - after, 0).sum())) / total if total else float("nan")


def quality(
    boxes: FloatArray,
    points: FloatArray,
    confidence: FloatArray,
    seen: FloatArray | None,
    size_wh: tuple[int, int],
    camera: Camera | None = None,
) -> npt.NDArray[np.float64]:
    """QUALITY (F, 6) of faces in a picture of this width and height, NaN for unknown values.

    boxes: (F, 4) xywh. points: (F, K, 2) pixels. confidence: (F, K). seen: (F, SEEN) of
    `picture_quality`, None if unknown. face_size: longer side of the box in pixels. occluded: share
    of the points with a confidence below HIDDEN. border_cut: share of the box that is outside the
    picture. out_of_plane: degrees between the direction of the face and the camera's axis, for 68
    points.
    """
    values = np.full((len(boxes), len(QUALITY)), np.nan)
    if seen is not None:
        values[:, :SEEN] = seen
    values[:, 2] = np.asarray(boxes)[:, 2:].max(1)
    known = np.isfinite(confidence)
    with np.errstate(invalid="ignore"):
        hidden = (np.nan_to_num(confidence, nan=1.0) < HIDDEN).sum(1)
        values[:, 3] = hidden / np.where(known.any(1), known.sum(1), np.nan)
    values[:, 4] = [_outside(box, size_wh) for box in np.asarray(boxes, np.float64)]
    if np.shape(points)[1] == len(HEAD):
        matrix = (camera or Camera()).matrix(*size_wh)
        values[:, 5] = [_angle(face, matrix) for face in np.asarray(points, np.float64)]
    return values


def _outside(box: FloatArray, size_wh: tuple[int, int]) -> float:
    """The share of a box (4,) that is outside a picture, whose pixel centres are integers."""
    low = np.maximum(box[:2], -0.5)
    high = np.minimum(box[:2] + box[2:], np.array(size_wh) - 0.5)
    area = float(box[2] * box[3])
    return 1 - float((high - low).clip(0).prod()) / area if area > 0 else float("nan")


def _angle(points: FloatArray, matrix: npt.NDArray[np.float64]) -> float:
    """Degrees by which a face (68, 2) is rotated out of the picture's plane."""
    pose = dict(zip(POSES, head_pose(points, matrix), strict=True))
    yaw, pitch = np.radians([pose["yaw"], pose["pitch"]])
    return float(np.degrees(np.arccos(np.clip(np.cos(yaw) * np.cos(pitch), -1, 1))))
