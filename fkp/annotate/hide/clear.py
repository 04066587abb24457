"""Which faces are left clear: those that look like given ones, or have given numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.annotate.hide.tracks import Source, Track
from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.likeness import Look, alike, look_of

CLEARLY, PERHAPS = 0.6, 0.35
"""Minimum likeness of a face that is left clear, and of one that a person should check. Of pairs of
news photographs of two persons, 1 in 25,000 reaches CLEARLY and 1 in 27 PERHAPS; of pairs of
one person on different occasions, 1 in 45 and 1 in 4 (`tests/benchmarks/likeness.py`)."""

SAMPLES = 16
"""Maximum number of frames in which a face of a clip is compared."""

QUARTILE = 75
"""The likeness of a face of a clip is this percentile over its frames."""


@dataclass(frozen=True, slots=True, eq=False)
class ClearFaces:
    """Which faces are left clear.

    looks: of the faces in given pictures. numbers: of faces in the only input. scheme: of the
    points found. layout: (5, 2), size: of the crops that are compared, see `CropTransform.framed`.
    """

    looks: tuple[Look, ...]
    numbers: frozenset[int]
    scheme: Scheme
    layout: npt.NDArray[np.float64]
    size: int

    def transform(
        self, points: npt.NDArray[np.float32], size_wh: tuple[int, int]
    ) -> CropTransform | None:
        """The crop of a face with these points (K, 2); None if the edge cuts the face off."""
        anchors = self.scheme.anchor_points(points)
        if not ((anchors >= 0) & (anchors < size_wh)).all():
            return None
        try:
            return CropTransform.framed(anchors, self.layout, self.size)
        except DataError:
            return None

    def likeness(self, crop: Image) -> float:
        """Likeness of a gray crop to the given face that it resembles most."""
        look = look_of(crop)
        return max(alike(look, own) for own in self.looks)


def sampled(track: Track) -> list[int]:
    """Up to SAMPLES frames in which a face of a clip is seen, evenly spread."""
    seen = sorted(i for i, spot in track.spots.items() if spot.source is Source.SEEN)
    if len(seen) <= SAMPLES:
        return seen
    return [seen[round(k)] for k in np.linspace(0, len(seen) - 1, SAMPLES)]


def overall(values: Sequence[float]) -> float:
    """The likeness of a face from its likeness in single frames, NaN if there are none."""
    return float(np.percentile(values, QUARTILE)) if values else float("nan")
