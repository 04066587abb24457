"""The framing of a network's training crops: where eyes, nose and mouth are in them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.vision.crop import CropTransform
from fkp.vision.detect import FaceDetector

if TYPE_CHECKING:  # a header needs no pandas
    from fkp.labels.store import Samples

ENOUGH = 0.05
"""Minimum share of the training crops in which the detector must find a face to measure their
framing."""


@dataclass(frozen=True, slots=True, eq=False)
class Framing:
    """The mean anchor points of the training crops; new crops are cut to match them.

    layout: (5, 2) fractions of the crop side, NaN where unknown; at least two are known.
    measured: its source: `labels`, or the name of a detector.
    """

    layout: npt.NDArray[np.float64]
    measured: str

    def __post_init__(self) -> None:
        if self.layout.shape != (5, 2) or np.isfinite(self.layout).all(1).sum() < 2:
            raise DataError("a framing needs the mean position of at least two of the five points")

    def between(self, other: "Framing", size: int, other_size: int) -> CropTransform:
        """The mean similarity from crops of this framing, of `size`, to crops of another."""
        return CropTransform.framed(self.layout * size - 0.5, other.layout, other_size)


def measure_framing(samples: "Samples", detector: FaceDetector | None) -> Framing:
    """The framing of a data set: from its labels, or if they have no eyes, by a detector on up to
    500 crops. Raises DataError if neither works.
    """
    if not np.isfinite(samples.points).any():
        raise DataError("there are no labelled points")
    layout = _layout(samples.anchor_points(), samples.size)
    if np.isfinite(layout).all(1).sum() >= 2 and np.isfinite(layout[:2]).any():
        return Framing(layout, "labels")
    if detector is None:
        raise DataError(
            f"none of the points {', '.join(samples.scheme.names[:4])}, ... is an eye by its name, "
            "and there is no face detector to measure how the crops are framed"
        )
    rows = np.linspace(0, len(samples) - 1, min(500, len(samples))).astype(int)
    found = []
    for image in samples.crops[rows]:
        faces = detector.detect(np.repeat(np.asarray(image)[:, :, None], 3, axis=2))
        if len(faces.boxes):
            found.append(faces.anchors[int(np.argmax(faces.boxes[:, 2]))])
    if len(found) < max(1, ENOUGH * len(rows)):
        raise DataError(
            f"none of the points {', '.join(samples.scheme.names[:4])}, ... is an eye by its name, "
            f"and the detector found a face in only {len(found)} of {len(rows)} crops: their "
            "framing is unknown; name the eye points left_eye and right_eye"
        )
    return Framing(_layout(np.stack(found), samples.size), detector.name)


def _layout(anchors: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    known = np.isfinite(anchors)
    mean = np.where(known, anchors, 0).sum(0) / np.maximum(known.sum(0), 1)
    # A point labelled in few crops says little about the others.
    often = known.sum(0) >= 0.1 * len(anchors)
    return np.where(often & (known.sum(0) > 0), (mean + 0.5) / size, np.nan)
