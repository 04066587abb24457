"""How sure the figures of an evaluation are: intervals, differences, calibration.

Pictures of one person are alike, so that persons are resampled, not faces.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fkp.keypoints import FloatArray

Array = npt.NDArray[np.float64]

ROUNDS = 2000
LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def interval(values: FloatArray, persons: npt.NDArray[np.str_], seed: int = 0) -> Interval:
    """The mean of values (N,), NaN left out, and its bootstrap percentiles over persons.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, with persons as the units.
    """
    sums, counts = _by_person(values, persons)
    if counts.sum() == 0:
        return Interval(float("nan"), float("nan"), float("nan"))
    rng = np.random.default_rng(seed)
    means = np.empty(ROUNDS)
    for i in range(ROUNDS):
        times = np.bincount(rng.integers(len(sums), size=len(sums)), minlength=len(sums))
        means[i] = (times @ sums) / max(float(times @ counts), 1.0)
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger the errors of a second model are, on the same faces.

    p: of as large a difference if it made no difference which model is which.
    """

    faces: int
    mean: Interval
    p: float


def difference(
    first: FloatArray, second: FloatArray, persons: npt.NDArray[np.str_], seed: int = 0
) -> Difference:
    """Compare errors (N,) of two models on the same faces.

    p is that of a permutation test: the two models change places at random, person by person.
    """
    change = np.where(np.isfinite(first) & np.isfinite(second), second - first, np.nan)
    sums, counts = _by_person(change, persons)
    rng = np.random.default_rng(seed)
    seen = abs(sums.sum())
    signs = (rng.integers(0, 2, len(sums)) * 2 - 1 for _ in range(5 * ROUNDS))
    as_large = sum(abs(float(s @ sums)) >= seen * (1 - 1e-12) for s in signs)
    p = (as_large + 1) / (5 * ROUNDS + 1)
    return Difference(int(counts.sum()), interval(change, persons, seed), float(p))


def _by_person(values: FloatArray, persons: npt.NDArray[np.str_]) -> tuple[Array, Array]:
    """Sum and number of the values that are not NaN, for each person."""
    _, index = np.unique(persons, return_inverse=True)
    known = np.isfinite(values)
    count = int(index.max(initial=-1)) + 1
    weights = np.asarray(values, np.float64)[known]
    sums = np.asarray(np.bincount(index[known], weights, count), np.float64)
    return sums, np.bincount(index[known], minlength=count).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """Which share of the points lies within the radius in which `expected` of them should."""

    expected: tuple[float, ...]
    observed: tuple[float, ...]
    points: int

    @property
    def error(self) -> float:
        """The largest difference."""
        return max(abs(o - e) for o, e in zip(self.observed, self.expected, strict=True))


def calibration(distances: FloatArray, scales: FloatArray) -> Calibration | None:
    """How far the errors keep to what the network says of them: distances and scales (N, K).

    None where it says nothing.
    """
    ratio = distances / scales
    ratio = ratio[np.isfinite(ratio)]
    if len(ratio) == 0:
        return None
    observed = tuple(float((ratio <= _radius(level)).mean()) for level in LEVELS)
    return Calibration(LEVELS, observed, len(ratio))


def _radius(level: float) -> float:
    """In scales, where the distribution of distances, Gamma of shape 2, reaches a level."""
    low, high = 0.0, 50.0
    for _ in range(60):
        middle = (low + high) / 2
        if 1 - (1 + middle) * np.exp(-middle) < level:
            low = middle
        else:
            high = middle
    return low
