"""The rotation of a face in its picture."""

import numpy as np
import numpy.typing as npt

_UPRIGHT = np.array([-0.14 - 0.17j, 0.14 - 0.17j, 0, -0.12 + 0.14j, 0.12 + 0.14j])
"""Anchor points of an upright face (right eye, left eye, nose tip, mouth right, mouth left), as
x + iy; only the directions matter."""


def rotation(anchors: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
    """Clockwise rotation of faces from upright, in degrees: (F, 5, 2) -> (F,), each 0, 90, 180 or
    270, or NaN if fewer than two anchor points are known.

    The angle of the least-squares similarity from an upright face, rounded.
    """
    places = anchors @ np.array([1, 1j])
    known = np.isfinite(places)
    there, upright = np.where(known, places, 0), np.where(known, _UPRIGHT, 0)
    count = np.maximum(known.sum(1), 1)
    turn = (upright.conj() * there).sum(1) - upright.sum(1).conj() * there.sum(1) / count
    quarters = np.rint(np.degrees(np.angle(turn)) / 90) % 4
    return np.where((known.sum(1) > 1) & (abs(turn) > 0), 90 * quarters, np.nan).astype(np.float32)
