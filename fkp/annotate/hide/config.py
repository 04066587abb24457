"""How faces are hidden."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.vision.covering import Outline, ellipse, hull
from fkp.vision.images import MAX_PIXELS

LOW, START = 0.2, 0.4
"""Scores: a face of a photo is hidden from LOW on. In a clip, a face that reaches START in any
frame is hidden in all frames in which it reaches LOW."""

DOUBTFUL = 0.5
"""Faces of a lower score are for a person to check."""

PADDING = 0.2

UNSEEN = 0.15
"""More padding, where a face was not found in this frame but must be near."""


@dataclass(frozen=True, slots=True)
class HideConfig:
    """How faces are hidden.

    method: one of METHODS. padding: how far beyond the face, in its sides. low, start: as LOW and
    START. sound, metadata: whether a clip's sound, and what files tell besides, goes along.
    """

    method: str = "mosaic"
    padding: float = PADDING
    low: float = LOW
    start: float = START
    sound: bool = True
    metadata: bool = False
    max_pixels: int = MAX_PIXELS

    def identity(self) -> dict[str, object]:
        """What the bytes of the copies depend on."""
        return {
            "with": self.method,
            "padding": float(self.padding),
            "min_score": float(self.low),
            "start_score": float(self.start),
            "sound": self.sound,
            "metadata": self.metadata,
        }

    def outline(
        self,
        box_xywh: npt.NDArray[np.float64],
        points: npt.NDArray[np.floating[Any]] | None,
        unseen: bool = False,
    ) -> Outline:
        """What is covered of a face.

        box_xywh: (4,), all of the face, see `whole_box`. points: (K, 2), None where they are not
        known. unseen: whether the place is a guess.
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
    """The box (4,) that holds a detector's box (4,) and the points (K, 2) of a face.

    Points that lie further from the box than it is large are no part of a face.
    """
    corners = np.stack([box_xywh[:2], box_xywh[:2] + box_xywh[2:]]).astype(np.float64)
    near = (points > corners[0] - box_xywh[2:] / 2) & (points < corners[1] + box_xywh[2:] / 2)
    known = np.asarray(points, np.float64)[near.all(-1)]
    extent = np.concatenate([corners, known])
    low, high = extent.min(0), extent.max(0)
    return np.concatenate([low, high - low])
