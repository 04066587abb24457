"""Cropping badly framed faces again: rotated, too large, too small, or off centre."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fkp.annotate.network import TOLERANCE, KeypointNetwork
from fkp.errors import DataError
from fkp.keypoints import Prediction
from fkp.vision.crop import CropTransform

SHIFT, SCALE, TURN = 0.08, 1.2, np.deg2rad(12)
"""Maximum deviation of the points found in a crop from its layout: fractions of the side, a factor
either way, and radians. Detectors deviate by less on upright faces; by more often on infants."""


def reframe(
    crops: npt.NDArray[np.uint8],
    transforms: Sequence[CropTransform],
    said: Prediction,
    network: KeypointNetwork,
    batch: int,
    usable: npt.NDArray[np.bool_],
) -> tuple[Prediction, list[CropTransform]]:
    """Prediction and transforms of N crops, of which badly framed ones are cut again.

    They are cut around the points found in them, and predicted again.

    usable: (N,) whether a crop holds a face that was framed by a detector. A second prediction
    counts only if the network is more confident of it.
    """
    steps = {int(i): _step(said.points[i], network) for i in np.flatnonzero(usable)}
    wanted = {i: step for i, step in steps.items() if step is not None}
    if not wanted:
        return said, list(transforms)
    rows = np.array(list(wanted))
    again = network.predict(
        np.stack([step.cut(crops[i]) for i, step in wanted.items()]),
        batch,
        np.zeros(len(rows), np.float32),
    )
    tolerance = TOLERANCE * network.size
    first, second = (p.confidence(tolerance).mean(1) for p in (said.take(rows), again))
    better = np.flatnonzero(~(second <= first))
    framed = list(transforms)
    for i in better:
        framed[rows[i]] = wanted[int(rows[i])].after(framed[rows[i]])
    return said.changed(rows[better], again.take(better)), framed


def _step(points: npt.NDArray[np.float32], network: KeypointNetwork) -> CropTransform | None:
    """From a crop's pixels to those of the crop that frames its points; None if the crop already
    does.
    """
    size = network.size
    try:
        anchors = network.scheme.anchor_points(points)
        step = CropTransform.framed(anchors, network.layout, size)
    except DataError:
        return None
    middle = np.full(2, (size - 1) / 2)
    shift = np.linalg.norm(step.invert(middle) - middle) / size
    turn = abs(np.arctan2(step.b, step.a))
    off = shift > SHIFT or abs(np.log(step.scale)) > np.log(SCALE) or turn > TURN
    return step if off else None
