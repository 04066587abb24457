"""Whether eyes are closed, from their openings."""

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray

CLOSED_OPENING = 0.215
"""Mean opening of both eyes below which they count as closed if nothing is known about the person:
1 % of open eyes in photos are below it.

    python -m tests.benchmarks.eyes DATA

prints how many closed eyes do.
"""


def eyes_opening(openings: FloatArray) -> npt.NDArray[np.float64]:
    """(F,): the mean opening of both eyes, from OPENINGS of faces (F, 3), see `find_openings`."""
    return np.asarray(openings[:, :2].mean(1), np.float64)
