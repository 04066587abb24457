"""How faces are hidden."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.vision.covering import Outline, ellipse, hull
from fkp.vision.images import MAX_PIXELS

LOW, START = 0.2, 0.4
"""Scores: a face in a photo is hidden if it reaches LOW; a face in a clip that reaches START in any
frame is hidden in every frame in which it reaches LOW."""

DOUBTFUL = 0.5
"""Faces with a lower score should be checked by a person."""

PADDING = 0.2

UNSEEN = 0.15
"""Extra padding in frames in which the face was not found but must be near."""


@dataclass(frozen=True, slots=True)
class HideConfig:
    """How faces are hidden.

    method: one of METHODS. padding: margin around the face, as a share of its size. min_score,
    start_score: see LOW and START. sound, metadata: whether to keep a clip's sound, and EXIF and
    tags.
    """

    method: str = "mosaic"
    padding: float = PADDING
    min_score: float = LOW
    start_score: float = START
    sound: bool = True
    metadata: bool = False
    max_pixels: int = MAX_PIXELS

    def identity(self) -> dict[str, object]:
        """What the bytes of the copies depend on."""
        return {
            "with": self.method,
            "padding": float(self.padding),
            "min_score": float(self.min_score),
            "start_score": float(self.start_score),
            "sound": self.sound,
            "metadata": self.metadata,
        }

    def outline(
        self,
        box_xywh: npt.NDArray[np.float64],
        points: npt.NDArray[np.floating[Any]] | None,
        unseen: bool = False,
    ) -> Outline:
        """The outline that covers a face.

        box_xywh: (4,), the whole face, see `whole_box`. points: (K, 2), None if unknown. unseen:
        whether the position is a guess.
        """
        grown = self.padding + (UNSEEN if unseen else 0.0)
        if self.method == "mask" and points is not None:
            outline = hull(points, grown)
            if len(outline):
                return outline
        return ellipse(box_xywh, grown)


def whole_box(
    box_xywh: npt.NDArray[np.floating[Any]], points: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """The box (4,) around a detector's box (4,) and the points (K, 2) of a face.

    Points more than half the box's size outside it are ignored.
    """
    corners = np.stack([box_xywh[:2], box_xywh[:2] + box_xywh[2:]]).astype(np.float64)
    near = (points > corners[0] - box_xywh[2:] / 2) & (points < corners[1] + box_xywh[2:] / 2)
    known = np.asarray(points, np.float64)[near.all(-1)]
    extent = np.concatenate([corners, known])
    low, high = extent.min(0), extent.max(0)
    return np.concatenate([low, high - low])
