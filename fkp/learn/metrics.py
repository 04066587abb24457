"""Errors of predicted points. Every mean is a sum over a count; NaN labels take no part."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray, Scheme

NORMS = ("outer", "pupil", "box")
NORM_TEXT = {
    "outer": "distance of the outer eye corners",
    "pupil": "distance of the eye centres",
    "box": "geometric mean of the sides of the labelled points' box",
}
THRESHOLDS = (0.08, 0.10)


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Errors over N faces.

    rmse, mae: pixels of the crops; rmse as in the Kaggle contest, over single coordinates;
    mae the mean distance from a point to its label.
    nme: mean over faces of their mean distance over the normaliser; `nme_of_face` (N,) has NaN
    where a face cannot be normalised, and `normalised` counts the others.
    failure, auc: by threshold of the NME; AUC is the area under the cumulative error
    distribution up to the threshold, divided by it.
    """

    faces: int
    points: int
    rmse: float
    mae: float
    nme: float
    norm: str
    normalised: int
    failure: dict[float, float]
    auc: dict[float, float]
    nme_of_face: npt.NDArray[np.float64]  # (N,)
    mae_of_point: npt.NDArray[np.float64]  # (K,) pixels
    nme_of_point: npt.NDArray[np.float64]  # (K,)
    count_of_point: npt.NDArray[np.int64]  # (K,)


def default_norm(scheme: Scheme) -> str:
    """Outer eye corners for the 68 points, as in the literature; else eye centres; else the box."""
    if scheme.name == "ibug68":
        return "outer"
    return "pupil" if all(scheme.eyes) else "box"


def normalisers(points: FloatArray, scheme: Scheme, norm: str) -> npt.NDArray[np.float64]:
    """The length (N,) by which the errors of labels (N, K, 2) are divided, NaN where unknown."""
    labels = np.asarray(points, np.float64)
    if norm == "box":
        low = np.where(np.isnan(labels), np.inf, labels).min(1)
        high = np.where(np.isnan(labels), -np.inf, labels).max(1)
        sides = np.clip(high - low, 0, None)
        lengths = np.sqrt(sides[:, 0] * sides[:, 1])
    elif norm == "outer":
        if scheme.outer_eyes is None:
            raise DataError(f"scheme {scheme.name} has no outer eye corners; use another --norm")
        right, left = scheme.outer_eyes
        lengths = np.linalg.norm(labels[:, left] - labels[:, right], axis=-1)
    elif norm == "pupil":
        if not all(scheme.eyes):
            raise DataError(f"scheme {scheme.name} has no eyes; use --norm box")
        anchors = scheme.anchor_points(labels)
        lengths = np.linalg.norm(anchors[:, 1] - anchors[:, 0], axis=-1)
    else:
        raise DataError(f"unknown norm {norm}; expected one of {', '.join(NORMS)}")
    return np.asarray(np.where(lengths > 0, lengths, np.nan), np.float64)


def score(
    predicted: FloatArray, labels: FloatArray, scheme: Scheme, norm: str | None = None
) -> Scores:
    """Compare predictions and labels, both (N, K, 2) in crop pixels."""
    norm = norm or default_norm(scheme)
    error = np.asarray(predicted, np.float64) - labels
    known = np.isfinite(error)
    if not known.any():
        raise DataError("no labelled points to compare with")
    distance = np.linalg.norm(error, axis=-1)  # (N, K)
    lengths = normalisers(labels, scheme, norm)
    relative = distance / lengths[:, None]
    of_face = _mean(relative, axis=1)
    usable = of_face[np.isfinite(of_face)]
    return Scores(
        faces=len(distance),
        points=int(np.isfinite(distance).sum()),
        rmse=float(np.sqrt(np.square(error[known]).mean())),
        mae=float(distance[np.isfinite(distance)].mean()),
        nme=float(usable.mean()) if len(usable) else float("nan"),
        norm=norm,
        normalised=len(usable),
        failure={t: _share(usable > t) for t in THRESHOLDS},
        auc={t: _share(np.clip(1 - usable / t, 0, None)) for t in THRESHOLDS},
        nme_of_face=of_face,
        mae_of_point=_mean(distance, axis=0),
        nme_of_point=_mean(relative, axis=0),
        count_of_point=np.isfinite(distance).sum(0),
    )


def _mean(values: FloatArray, axis: int) -> npt.NDArray[np.float64]:
    """Mean of the finite values, NaN where there is none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis)
    count = finite.sum(axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float64)


def _share(values: npt.NDArray[np.generic]) -> float:
    return float(np.asarray(values, np.float64).mean()) if len(values) else float("nan")
