"""Errors of predicted points. Every mean is a sum over a count; NaN labels are ignored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import FloatArray, Scheme
from fkp.labels.store import Samples

NORMS = ("outer", "pupil", "box")
NORM_TEXT = {
    "outer": "distance of the outer eye corners",
    "pupil": "distance of the eye centres",
    "box": "geometric mean of the sides of the labelled points' box",
}
THRESHOLDS = (0.08, 0.10)
_EYES = Scheme("eyes", ("right", "left"), anchors=((0,), (1,), (), (), ()))

Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Errors over N faces.

    rmse, mae: crop pixels; rmse is over single coordinates, as in the Kaggle contest; mae is the
    mean distance of a point from its label.
    nme: the mean over faces of their mean distance over the normaliser. `nme_of_face` (N,) is NaN
    for a face without a normaliser, and infinite for a missed one, which is a failure and excluded
    from means. normalised: the number of faces that are neither.
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
    missed: int
    failure: dict[float, float]
    auc: dict[float, float]
    nme_of_face: Array  # (N,)
    mae_of_point: Array  # (K,) pixels
    nme_of_point: Array  # (K,)
    count_of_point: npt.NDArray[np.int64]  # (K,)


def default_norm(scheme: Scheme) -> str:
    """The outer eye corners for 68 and 98 points, as in the literature; otherwise the eye centres,
    or without eyes the box.
    """
    if scheme.name in ("ibug68", "wflw98"):
        return "outer"
    return "pupil" if all(scheme.eyes) else "box"


def normalisers(points: FloatArray, scheme: Scheme, norm: str) -> Array:
    """The lengths (N,) by which errors against labels (N, K, 2) are divided; NaN where unknown.

    norm: one of NORMS. Raises DataError if the scheme lacks the points for it.
    """
    labels = np.asarray(points, np.float64)
    if norm == "box":
        low = np.where(np.isnan(labels), np.inf, labels).min(1)
        high = np.where(np.isnan(labels), -np.inf, labels).max(1)
        sides = np.clip(high - low, 0, None)
        lengths = np.sqrt(sides[:, 0] * sides[:, 1])
    elif norm == "outer":
        if scheme.outer_eyes is None:
            raise DataError(f"scheme {scheme.name} has no outer eye corners; use another norm")
        right, left = scheme.outer_eyes
        lengths = np.linalg.norm(labels[:, left] - labels[:, right], axis=-1)
    elif norm == "pupil":
        if not all(scheme.eyes):
            raise DataError(f"scheme {scheme.name} has no eyes; use the norm box")
        anchors = scheme.anchor_points(labels)
        lengths = np.linalg.norm(anchors[:, 1] - anchors[:, 0], axis=-1)
    else:
        raise DataError(f"unknown norm {norm}; expected one of {', '.join(NORMS)}")
    return np.asarray(np.where(lengths > 0, lengths, np.nan), np.float64)


def lengths(samples: Samples, norm: str | None = None) -> Array:
    """The normalisers (N,) of a data set's own labels, each by the scheme of the row's source."""
    norm = norm or default_norm(samples.scheme)
    if len(samples.schemes) > 1 and norm == "pupil":
        return normalisers(samples.anchor_points()[:, :2], _EYES, norm)
    return normalisers(samples.points, samples.scheme, norm)


def score(
    predicted: FloatArray,
    labels: FloatArray,
    scheme: Scheme,
    norm: str | None = None,
    lengths: FloatArray | None = None,
    missed: npt.NDArray[np.bool_] | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
) -> Scores:
    """Compare predictions and labels, both (N, K, 2) in crop pixels.

    lengths: (N,) normalisers, if not those of the labels. missed: (N,) faces that were not found
    and have no prediction. thresholds: of the NME, for failure rates and AUC. Raises DataError if
    no labelled point has a prediction.
    """
    norm = norm or default_norm(scheme)
    error = np.asarray(predicted, np.float64) - labels
    known = np.isfinite(error)
    if not known.any() and (missed is None or not missed.any()):
        raise DataError("no labelled points to compare with")
    distance = np.linalg.norm(error, axis=-1)  # (N, K)
    lengths = normalisers(labels, scheme, norm) if lengths is None else lengths
    relative = distance / lengths[:, None]
    of_face = _mean(relative, axis=1)
    if missed is not None:
        of_face = np.where(missed, np.inf, of_face)
    usable = of_face[~np.isnan(of_face)]
    found = usable[np.isfinite(usable)]
    return Scores(
        faces=len(distance),
        points=int(np.isfinite(distance).sum()),
        rmse=float(np.sqrt(_share(np.square(error[known])))),
        mae=_share(distance[np.isfinite(distance)]),
        nme=_share(found),
        norm=norm,
        normalised=len(found),
        missed=len(usable) - len(found),
        failure={t: _share(usable > t) for t in thresholds},
        auc={t: _share(np.clip(1 - usable / t, 0, None)) for t in thresholds},
        nme_of_face=of_face,
        mae_of_point=_mean(distance, axis=0),
        nme_of_point=_mean(relative, axis=0),
        count_of_point=np.isfinite(distance).sum(0),
    )


def _mean(values: FloatArray, axis: int) -> Array:
    """The mean of the finite values; NaN if there are none."""
    finite = np.isfinite(values)
    total = np.where(finite, values, 0).sum(axis)
    count = finite.sum(axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan), np.float64)


def _share(values: npt.NDArray[np.generic]) -> float:
    """The mean; NaN if there are no values."""
    return float(np.asarray(values, np.float64).mean()) if len(values) else float("nan")
