"""Tone mapping of high dynamic range (PQ and HLG, ITU-R BT.2100) to BT.709."""

from functools import cache

import cv2
import numpy as np
import numpy.typing as npt

from fkp.vision.images import Image

Reals = npt.NDArray[np.float64]

TRANSFERS = {16: "pq", 18: "hlg"}
"""FFmpeg's numbers of the transfer characteristics (AVCOL_TRC_SMPTE2084, _ARIB_STD_B67)."""

WHITE = 203.0
"""Luminance of diffuse white in HDR, cd/m2 (ITU-R BT.2408)."""

PEAK = 1000.0
"""Luminance that maps to the brightest level, cd/m2: the peak of most masters."""

_LEVELS = 65535

_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
"""Linear RGB of BT.2020 to that of BT.709 (ITU-R BT.2407)."""

_LUMA = np.array([0.2627, 0.6780, 0.0593])
"""Weights of linear BT.2020 RGB."""


def tone_mapped(rgb: npt.NDArray[np.uint16], transfer: str) -> Image:
    """Coded BT.2020 RGB (H, W, 3), 16 bits, to BT.709 BGR (H, W, 3)."""
    linear = np.take(_luminance(transfer), rgb)
    if transfer == "hlg":  # the display gamma acts on luminance
        luma = cv2.transform(linear, _LUMA[None].astype(np.float32))
        linear = linear * np.power(np.maximum(luma, 1e-6) / PEAK, np.float32(0.2))[..., None]
    to_bgr = np.ascontiguousarray(_TO_709[::-1]).astype(np.float32)
    bgr = cv2.transform(np.ascontiguousarray(linear), to_bgr * np.float32(_LEVELS / PEAK))
    return np.take(_shown(), np.clip(bgr, 0, _LEVELS).astype(np.uint16))


@cache
def gray_of(transfer: str) -> Image:
    """Table from 65,536 levels of coded luma to gray, exact for neutral colours."""
    linear = _luminance(transfer).astype(np.float64)
    if transfer == "hlg":
        linear = linear * (linear / PEAK) ** 0.2
    return np.take(_shown(), np.clip(linear / PEAK * _LEVELS, 0, _LEVELS).astype(np.uint16))


@cache
def _luminance(transfer: str) -> npt.NDArray[np.float32]:
    """Luminance in cd/m2 of 65,536 coded levels; for HLG, before the display gamma."""
    coded = np.arange(_LEVELS + 1) / _LEVELS
    return (_pq_decoded(coded) if transfer == "pq" else PEAK * _hlg_decoded(coded)).astype(
        np.float32
    )


@cache
def _shown() -> Image:
    """Coded BT.709 of 65,536 levels of luminance up to PEAK (ITU-R BT.1886)."""
    luminance = np.arange(_LEVELS + 1) / _LEVELS * PEAK
    return np.rint(255 * (_rolled_off(luminance) / WHITE) ** (1 / 2.4)).astype(np.uint8)


def _rolled_off(luminance: Reals) -> Reals:
    """Luminance from 0 to PEAK compressed to 0 to WHITE; dark parts are unchanged (ITU-R BT.2390,
    5.4.1).
    """
    white, peak = _pq_coded(np.array([WHITE, PEAK]))
    most = white / peak
    knee = 1.5 * most - 0.5
    coded = _pq_coded(luminance) / peak
    t = np.clip((coded - knee) / (1 - knee), 0, 1)
    bent = (
        (2 * t**3 - 3 * t**2 + 1) * knee
        + (t**3 - 2 * t**2 + t) * (1 - knee)
        + (3 * t**2 - 2 * t**3) * most
    )
    return np.minimum(_pq_decoded(np.where(coded < knee, coded, bent) * peak), WHITE)


def _pq_decoded(coded: Reals) -> Reals:
    """Luminance in cd/m2 of coded values 0..1 (SMPTE ST 2084)."""
    power = coded ** (32 / 2523)
    share = np.maximum(power - 0.8359375, 0) / (18.8515625 - 18.6875 * power)
    return np.asarray(10_000 * share ** (8192 / 1305))


def _pq_coded(luminance: Reals) -> Reals:
    """The inverse of `_pq_decoded`."""
    power = (luminance / 10_000) ** (1305 / 8192)
    return np.asarray(((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** (2523 / 32))


def _hlg_decoded(coded: Reals) -> Reals:
    """Scene light, 0..1, of coded values 0..1 (ITU-R BT.2100, table 5)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    bright = (np.exp((np.maximum(coded, 0.5) - c) / a) + b) / 12
    return np.where(coded <= 0.5, coded**2 / 3, bright)
