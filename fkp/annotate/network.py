"""The interface that annotation requires of a keypoint network."""

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fkp.keypoints import Prediction, Scheme

TOLERANCE = 0.02
"""A point's confidence is the probability that it is within this share of the crop's side of its
true position: about 5 % of the distance of the outer eye corners."""


class KeypointNetwork(Protocol):
    """Finds the points in crops."""

    @property
    def scheme(self) -> Scheme:
        """The points that it finds."""
        ...

    @property
    def size(self) -> int:
        """Side of its crops in pixels."""
        ...

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Positions of the five anchor points in its crops, (5, 2) fractions of the side."""
        ...

    def predict(
        self, crops: npt.NDArray[np.uint8], batch: int, least: npt.NDArray[np.float32]
    ) -> Prediction:
        """Predict crops (N, S, S); points are not needed for crops whose face probability is below
        `least` (N,).
        """
        ...


@runtime_checkable
class PortableNetwork(KeypointNetwork, Protocol):
    """A network that is light and picklable enough for every worker to have its own."""

    portable: bool
