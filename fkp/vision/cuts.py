"""Detection of scene cuts."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

_SMALL = (32, 18)
FINE = 160
"""Width and height to which pictures are reduced, in pixels."""

CUT, SUDDEN, ALIKE = 14.0, 2.5, 0.75
"""A cut is suspected where two consecutive frames, reduced, differ by more than CUT gray levels and
SUDDEN times as much as the two before (otherwise the camera pans), and correlate by less than
ALIKE."""

UNCHANGED, KEPT = 10.0, 0.35
"""It is not a cut if more than the share KEPT of the picture changes by less than UNCHANGED gray
levels: something moves past."""

CONFIRM = 0.25
"""Seconds that the new scene must last; after a flash the old one returns."""

Small = npt.NDArray[np.float32]


class Cuts:
    """Detects cuts, with a delay."""

    def __init__(self) -> None:
        self._last: Small | None = None
        self._apart = 0.0
        self._before: Small | None = None  # the picture before a change that may be a cut
        self._changed = 0.0  # its time
        self._ago = 0  # frames since

    @property
    def suspects(self) -> bool:
        """Whether a suspected cut waits for confirmation."""
        return self._before is not None

    def at(self, gray: Image, time: float) -> int | None:
        """The number of frames since a cut that is confirmed by this frame (H, W), 0 for a cut at
        it; None if no cut is confirmed. time: seconds.
        """
        small = _small(gray)
        last, self._last = self._last, small
        if last is None:
            return 0
        before, self._apart = self._apart, float(abs(small - last).mean())
        sudden = self._apart >= max(CUT, SUDDEN * before) and _differ(small, last)
        if self._before is None:
            if sudden:
                self._before, self._changed, self._ago = last, time, 0
            return None
        self._ago += 1
        if not _differ(small, self._before):
            self._before = None  # the old scene has returned
            return None
        if not sudden and time - self._changed < CONFIRM:
            return None
        ago, self._before = self._ago, None
        if sudden:  # this may be another cut
            self._before, self._changed, self._ago = last, time, 0
        return ago


def _small(gray: Image) -> Small:
    step = max(1, gray.shape[1] // FINE)
    thin = np.ascontiguousarray(gray[::step, ::step])
    return cv2.resize(thin, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)


def _differ(one: Small, other: Small) -> bool:
    """Whether two reduced pictures may be of different scenes."""
    change = abs(one - other)
    if change.mean() < CUT or (change < UNCHANGED).mean() > KEPT:
        return False
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum()) < ALIKE * float(np.sqrt((a * a).sum() * (b * b).sum()))
