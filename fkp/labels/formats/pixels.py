"""Pixels as text, as Kaggle writes them."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_SPACE, _ZERO = 32, 48


def parse_pixels(text: bytes) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32] | str:
    """Space-separated numbers 0..255 as uint8, fractions up to 1 as float32, or the error.

    Every byte is taken for the last digit of a number and given that number's value, all at
    once; then the true last digits are kept. Text that is not plain digits and single spaces
    goes to the slower, exact check.
    """
    padded = np.frombuffer(b"   " + text + b" ", np.uint8)
    digits = padded - np.uint8(_ZERO)
    is_digit = digits < 10
    digits *= is_digit
    one, ten, hundred = digits[3:-1], digits[2:-2], digits[1:-3] * is_digit[2:-2]
    here, left = is_digit[3:-1], is_digit[2:-2]
    four = here & left & is_digit[1:-3] & is_digit[:-4]
    rest = 10 * ten + one  # at most 99
    over = (hundred > 2) | ((hundred == 2) & (rest > 55))
    spaces = np.count_nonzero(padded == _SPACE) - 4
    single = np.count_nonzero(here & ~left) == spaces + 1  # as many numbers as spaces allow
    if not single or spaces + np.count_nonzero(here) != len(here) or (four | (here & over)).any():
        return _check_pixels(text)
    values = 100 * hundred + rest
    return values.compress(here & ~is_digit[4:])


def _check_pixels(text: bytes) -> npt.NDArray[np.uint8] | npt.NDArray[np.float32] | str:
    words = text.split()
    if not words:
        return "expected space-separated pixels, got an empty cell"
    values = np.empty(len(words), np.float32)
    for i, word in enumerate(words):
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 255:
            got = word[:40].decode("utf-8", "replace")
            return f'expected a number from 0 to 255 as pixel {i + 1}, got "{got}"'
        values[i] = number
    if values.max() <= 1 and (values != np.rint(values)).any():
        return values
    return np.rint(values).astype(np.uint8)


def to_gray(
    pictures: Sequence[npt.NDArray[np.uint8] | npt.NDArray[np.float32]],
) -> tuple[npt.NDArray[np.uint8], str, npt.NDArray[np.bool_]]:
    """N pictures of P pixels as (M, P) uint8, a note, and (N,) which of them were kept.

    If some pictures have fractions and none has a pixel above 1, all are scaled from 0..1. Pictures
    with fractions among others that go up to 255 are not kept.
    """
    fractions = np.array([picture.dtype != np.uint8 for picture in pictures], bool)
    if not fractions.any():
        return np.stack(pictures).astype(np.uint8, copy=False), "", ~fractions
    if all(picture.max() <= 1 for picture in pictures):
        values = np.rint(255 * np.stack(pictures).astype(np.float64)).astype(np.uint8)
        return (
            values,
            "pixels are between 0 and 1 and were scaled to 0 to 255",
            np.ones_like(fractions),
        )
    whole = [picture for picture in pictures if picture.dtype == np.uint8]
    return np.stack(whole).astype(np.uint8, copy=False), "", ~fractions
