"""Where one scene of a clip ends and another begins."""

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

_SMALL = (32, 18)
FINE = 160
"""Pixels across a picture that are looked at."""

CUT, SUDDEN, ALIKE = 14.0, 2.5, 0.75
"""A scene may end where small pictures of two frames are further apart than CUT gray levels, SUDDEN
times as far as the two before (otherwise the camera turns fast), and correlate less than ALIKE."""

UNCHANGED, KEPT = 10.0, 0.35
"""It goes on where more than the share KEPT of the picture changes by less than UNCHANGED gray
levels: something moves past."""

CONFIRM = 0.25
"""Seconds that the new scene must last: after a flash the picture is as it was before."""

Small = npt.NDArray[np.float32]


class Cuts:
    """Sees where one scene ends and another begins, a little later."""

    def __init__(self) -> None:
        self._last: Small | None = None
        self._apart = 0.0
        self._before: Small | None = None  # the picture before a change that may be a cut
        self._changed = 0.0  # when that was
        self._ago = 0  # frames since

    @property
    def suspects(self) -> bool:
        """Whether there was a change that may be a cut or not."""
        return self._before is not None

    def at(self, gray: Image, time: float) -> int | None:
        """How many frames before this one (H, W) a scene has begun, 0: with it; None: with none of
        those that were not known yet. time: seconds.
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
            self._before = None  # as it was: no cut
            return None
        if not sudden and time - self._changed < CONFIRM:
            return None
        ago, self._before = self._ago, None
        if sudden:  # and here begins another one, perhaps
            self._before, self._changed, self._ago = last, time, 0
        return ago


def _small(gray: Image) -> Small:
    step = max(1, gray.shape[1] // FINE)
    thin = np.ascontiguousarray(gray[::step, ::step])
    return cv2.resize(thin, _SMALL, interpolation=cv2.INTER_AREA).astype(np.float32)


def _differ(one: Small, other: Small) -> bool:
    """Whether two small pictures can be of different scenes."""
    change = abs(one - other)
    if change.mean() < CUT or (change < UNCHANGED).mean() > KEPT:
        return False
    a, b = one - one.mean(), other - other.mean()
    return float((a * b).sum()) < ALIKE * float(np.sqrt((a * a).sum() * (b * b).sum()))
