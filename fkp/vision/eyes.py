"""Whether eyes are closed, by how far they are open."""

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray

CLOSED_OPENING = 0.19
"""Mean opening of both eyes below which they count as closed, if nothing is known about the person:
1 % of open eyes in photographs are below it."""

CLOSED_SHARE = 0.8
"""The same as a share of the person's own median opening in a clip, which tells more: 1 % of the
frames with open eyes lie below it.

Both, and how many closed eyes lie below, are printed by

    python -m tests.benchmarks.eyes DATA
"""


def eyes_opening(openings: FloatArray) -> npt.NDArray[np.float64]:
    """(F,): the mean opening of both eyes, from OPENINGS of faces (F, 3), see `find_openings`."""
    return np.asarray(openings[:, :2].mean(1), np.float64)
