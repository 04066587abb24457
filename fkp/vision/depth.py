"""Values of more than 8 bits, or with a sign, as the 8 bits that detector and network take."""

import numpy as np
import numpy.typing as npt

from fkp.vision.others import Values

LOW, HIGH = 0.1, 99.9
"""Percentiles that become black and white."""

FILLED = 0.5
"""Of the range of 16 bits: pictures whose values span more are taken as they are."""

SAMPLE = 1_000_000
"""Values that the percentiles are taken from, at least."""


def to_8_bits(values: Values) -> tuple[npt.NDArray[np.uint8], str]:
    """A picture (H, W) or (H, W, 3) as uint8, and a note where its values had to be stretched.

    16 bits that are used whole are divided by 257. All else is stretched, all colours alike,
    so that the percentiles LOW and HIGH become black and white: 10 or 12 bits in 16, a narrow band,
    signed and floating-point values. NaN becomes black.
    """
    if values.dtype == np.uint8:
        return values, ""
    known = values[:: _step(values)]
    known = known[np.isfinite(known)]
    low, high = np.percentile(known, (LOW, HIGH)) if known.size else (0.0, 0.0)
    note = f"values were stretched: percentiles {LOW} and {HIGH} became black and white"
    if values.dtype == np.uint16 and high - low > FILLED * 65535:
        low, high, note = 0.0, 65535.0, ""
    factor = 255 / (high - low) if high > low else 0.0
    exact: npt.NDArray[np.float64]
    exact = values.astype(np.float32 if values.itemsize <= 2 else np.float64)
    exact -= low
    exact *= factor
    clean = np.nan_to_num(exact, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
    return np.rint(clean.clip(0, 255)).astype(np.uint8), note


def _step(values: Values) -> int:
    """Of how many rows one is looked at."""
    return max(1, min(values.size // SAMPLE, len(values) // 16))
