"""The uncertainty of an evaluation's metrics: intervals, differences, calibration.

Pictures of one person are alike, so persons are resampled, not faces.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincinv

from fkp.keypoints import FloatArray

Array = npt.NDArray[np.float64]

ROUNDS = 2000
PERMUTATIONS = 9999
BATCH = 100
"""Number of resamplings in memory at a time."""

LEVELS = (0.5, 0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval; the ends are NaN for fewer than two persons."""

    mean: float
    low: float
    high: float

    def text(self, format: str = ".2f") -> str:
        """The interval in percent, such as `2.04 to 2.27`, or that it is unknown."""
        if np.isnan(self.low):
            return "unknown for one person"
        return f"{100 * self.low:{format}} to {100 * self.high:{format}}"


def interval(values: FloatArray, persons: npt.NDArray[np.str_], seed: int = 0) -> Interval:
    """The mean of values (N,) without NaN, and its bootstrap percentiles over persons.

    Efron and Tibshirani, An Introduction to the Bootstrap, 1993, with persons as the units.
    """
    from scipy.stats import bootstrap  # heavy

    sums, counts = _by_person(values, persons)
    if len(sums) < 2:
        mean = float(sums[0] / counts[0]) if len(sums) else float("nan")
        return Interval(mean, float("nan"), float("nan"))

    def mean_of(sums: Array, counts: Array, axis: int) -> Array:
        return np.asarray(sums.sum(axis) / counts.sum(axis))

    found = bootstrap(
        (sums, counts), mean_of, paired=True, vectorized=True, method="percentile",
        n_resamples=ROUNDS, batch=BATCH, random_state=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return Interval(float(sums.sum() / counts.sum()), float(found.low), float(found.high))


@dataclass(frozen=True, slots=True)
class Difference:
    """How much larger the errors of a second model are, on the same faces.

    p: the probability of a difference this large if the two models were equally good; NaN for fewer
    than two persons.
    """

    faces: int
    mean: Interval
    p: float


def difference(
    first: FloatArray, second: FloatArray, persons: npt.NDArray[np.str_], seed: int = 0
) -> Difference:
    """Compare errors (N,) of two models on the same faces.

    p is two-sided, from a permutation test that swaps the models at random for each person: the
    sign of each person's difference is random.
    """
    from scipy.stats import permutation_test  # heavy

    change = np.where(np.isfinite(first) & np.isfinite(second), second - first, np.nan)
    sums, counts = _by_person(change, persons)
    p = float("nan")
    if len(sums) >= 2:
        p = float(
            permutation_test(
                (sums,), np.sum, permutation_type="samples", vectorized=True,
                n_resamples=PERMUTATIONS, batch=BATCH, random_state=np.random.default_rng(seed),
            ).pvalue
        )  # fmt: skip
    return Difference(int(counts.sum()), interval(change, persons, seed), p)


def _by_person(values: FloatArray, persons: npt.NDArray[np.str_]) -> tuple[Array, Array]:
    """Sum and number of the values that are not NaN, for each person with any."""
    known = np.isfinite(values)
    _, index = np.unique(persons[known], return_inverse=True)
    weights = np.asarray(values, np.float64)[known]
    sums = np.asarray(np.bincount(index, weights), np.float64)
    return sums, np.bincount(index).astype(np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Calibration:
    """The share of points within the radius in which `expected` of them should lie."""

    expected: tuple[float, ...]
    observed: tuple[float, ...]
    points: int

    @property
    def error(self) -> float:
        """The largest difference."""
        return max(abs(o - e) for o, e in zip(self.observed, self.expected, strict=True))


def calibration(distances: FloatArray, scales: FloatArray) -> Calibration | None:
    """Compare distances (N, K) with the scales (N, K) that the network estimated.

    None where it estimated none. The radius for a level is the scale times the quantile of a Gamma
    distribution of shape 2, see `losses.doubt`.
    """
    ratio = distances / scales
    ratio = ratio[np.isfinite(ratio)]
    if len(ratio) == 0:
        return None
    observed = tuple(float((ratio <= gammaincinv(2, level)).mean()) for level in LEVELS)
    return Calibration(LEVELS, observed, len(ratio))
