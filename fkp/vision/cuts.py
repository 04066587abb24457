"""Where one scene of a clip ends and another begins."""

import cv2
import numpy as np

from fkp.vision.images import Image

_SMALL = (32, 18)
FINE = 160
"""Pixels across a picture that are looked at."""

CUT, SUDDEN, ALIKE = 14.0, 2.5, 0.75
"""A scene ends where small pictures of two frames are further apart than CUT gray levels, SUDDEN
times as far as the two before (else the camera turns fast), and correlate less than ALIKE."""


class Cuts:
    """Sees where one scene ends and another begins."""

    def __init__(self) -> None:
        self._last: Image | None = None
        self._apart = 0.0

    def at(self, gray: Image) -> bool:
        """Whether this picture (H, W) begins a scene."""
        step = max(1, gray.shape[1] // FINE)
        thin = np.ascontiguousarray(gray[::step, ::step])
        small = np.asarray(cv2.resize(thin, _SMALL, interpolation=cv2.INTER_AREA), np.uint8)
        last, self._last = self._last, small
        if last is None:
            return True
        a, b = small.astype(np.float32), last.astype(np.float32)
        before, self._apart = self._apart, float(abs(a - b).mean())
        if self._apart < max(CUT, SUDDEN * before):
            return False
        a, b = a - a.mean(), b - b.mean()
        return float((a * b).sum()) < ALIKE * float(np.sqrt((a * a).sum() * (b * b).sum()))
