"""Faces that stay clear: those that look like given ones, or have given numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.annotate.hide.tracks import Path, Source
from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.likeness import Look, alike, look_of

CLEARLY, PERHAPS = 0.6, 0.35
"""Likeness from which a face stays clear, and from which a person should look at it. Of pairs of
photographs of two persons in the news, 1 in 25,000 reaches CLEARLY and 1 in 27 PERHAPS; of pairs of
one person on different occasions, 1 in 45 and 1 in 4 (`tests/benchmarks/likeness.py`)."""

SAMPLES = 16
"""Most frames in which a face of a clip is compared."""

QUARTILE = 75
"""The likeness of a face of a clip is this percentile over its frames."""


@dataclass(frozen=True, slots=True, eq=False)
class Keep:
    """Which faces stay clear.

    looks: of the faces in given pictures. numbers: of faces of the one clip. scheme: of the points
    that are found; layout: (5, 2), size: the crops in which faces are compared, see
    `CropTransform.framed`.
    """

    looks: tuple[Look, ...]
    numbers: frozenset[int]
    scheme: Scheme
    layout: npt.NDArray[np.float64]
    size: int

    def transform(
        self, points: npt.NDArray[np.float32], size_wh: tuple[int, int]
    ) -> CropTransform | None:
        """The crop of a face with these points (K, 2); None where it is cut off by the edge."""
        anchors = self.scheme.anchor_points(points)
        if not ((anchors >= 0) & (anchors < size_wh)).all():
            return None
        try:
            return CropTransform.framed(anchors, self.layout, self.size)
        except DataError:
            return None

    def likeness(self, crop: Image) -> float:
        """Of a gray crop, to the likest of the given faces."""
        look = look_of(crop)
        return max(alike(look, own) for own in self.looks)


def sampled(path: Path) -> list[int]:
    """Some frames in which a face of a clip is seen, spread over all."""
    seen = sorted(i for i, spot in path.spots.items() if spot.source is Source.SEEN)
    if len(seen) <= SAMPLES:
        return seen
    return [seen[round(k)] for k in np.linspace(0, len(seen) - 1, SAMPLES)]


def overall(values: Sequence[float]) -> float:
    """The likeness of a face from that in single frames, NaN where there is none."""
    return float(np.percentile(values, QUARTILE)) if values else float("nan")
