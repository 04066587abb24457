"""A face of 68 points that tests move: pixels, 100 wide at the jaw; and how heads turn."""

import numpy as np
import numpy.typing as npt

from fkp.vision.head import HEAD

FRONTAL: npt.NDArray[np.float64] = HEAD[:, :2] * (100 / np.ptp(HEAD[:, 0])) + [70, 50]


def _lowered(points: tuple[int, ...], by: float) -> npt.NDArray[np.float64]:
    """(68, 2): some points down by so much."""
    shift = np.zeros((68, 2))
    shift[list(points), 1] = by
    return shift


BLINK = _lowered((37, 38, 43, 44), 0.9 * float(FRONTAL[41, 1] - FRONTAL[37, 1]))
"""What closes the eyes."""

SPEECH = _lowered((55, 56, 57, 58, 59, 65, 66, 67), 4.0) + _lowered((6, 7, 8, 9, 10), 3.0)
"""What opens the mouth."""


def rotation(yaw: float, pitch: float, roll: float) -> npt.NDArray[np.float64]:
    """(3, 3) in the camera's frame, x right, y down, z away, of a head that looks along -z.

    Degrees: yaw to the picture's right, pitch up, roll clockwise as seen.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    about_y = [[np.cos(y), 0, -np.sin(y)], [0, 1, 0], [np.sin(y), 0, np.cos(y)]]
    about_x = [[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]]
    about_z = [[np.cos(r), -np.sin(r), 0], [np.sin(r), np.cos(r), 0], [0, 0, 1]]
    return np.asarray(np.array(about_y) @ about_x @ about_z)
