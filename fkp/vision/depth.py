"""Conversion of values with more than 8 bits, or with a sign, to 8 bits for detector and
network."""

import numpy as np
import numpy.typing as npt

from fkp.vision.others import Values

LOW, HIGH = 0.1, 99.9
"""Percentiles mapped to black and white."""

FILLED = 0.5
"""Share of the 16-bit range; pictures whose values span more are not stretched."""

SAMPLE = 1_000_000
"""Minimum number of values from which percentiles are computed."""


def to_8_bits(values: Values) -> tuple[npt.NDArray[np.uint8], str]:
    """A picture (H, W) or (H, W, 3) as uint8, and a note if its values were stretched.

    16-bit values that span their range are divided by 257. All others are stretched, all colours
    alike, so that the percentiles LOW and HIGH become black and white: 10 or 12 bits in 16, a
    narrow band, signed and floating-point values. NaN becomes black.
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
    """The step between the rows that are sampled."""
    return max(1, min(values.size // SAMPLE, len(values) // 16))
