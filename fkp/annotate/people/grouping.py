"""Groups of subjects that look alike; two subjects in one picture are never grouped."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from fkp.annotate.people.subjects import Subject
from fkp.errors import DataError
from fkp.vision.appearance import Appearance, likeness

LIKENESS = 0.6
"""Minimum mean likeness of two groups to count as one person. Merging two groups takes one name in
the sheet, splitting one a change per face, so that 98 % of the pairs in a group should be of one
person (`tests/benchmarks/likeness.py`)."""

MOST = 15_000
"""Maximum number of faces: all pairs are compared, which takes about a gigabyte."""

NEVER = 1e9
"""The distance of two faces in one picture, so large that no group can hold both."""

SAME = 2.0
"""The maximum likeness."""


def grouped(
    subjects: Sequence[Subject], seen: Sequence[Appearance], least: float = LIKENESS
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The group of each subject (N,), numbered from 0, largest first, and its fit (N,).

    Uses average linkage. fit: the mean likeness to the others in the group, minus that to the
    nearest other group; NaN if there is nothing to compare with. Raises DataError for more than
    MOST subjects.
    """
    # Imported here, since every command imports this module for the default likeness.
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    count = len(subjects)
    if count > MOST:
        raise DataError(f"expected at most {MOST} faces to compare, got {count}")
    if count < 2:
        return np.zeros(count, np.int64), np.full(count, np.nan)
    alike = likeness(seen, seen).astype(np.float64)
    alike = (alike + alike.T) / 2
    distance = np.maximum(SAME - alike, 0)
    for i, j in _pairs(subjects):
        distance[i, j] = distance[j, i] = NEVER
    np.fill_diagonal(distance, 0)
    found = fcluster(
        linkage(squareform(distance, checks=False), "average"), SAME - least, "distance"
    )
    return _ranked(found), _fits(alike, found)


def _pairs(subjects: Sequence[Subject]) -> list[tuple[int, int]]:
    """The pairs of subjects in one picture."""
    groups: dict[tuple[int, str], list[int]] = {}
    for i, subject in enumerate(subjects):
        groups.setdefault((subject.run, subject.image), []).append(i)
    return [
        (i, j)
        for members in groups.values()
        for at, i in enumerate(members)
        for j in members[at + 1 :]
        if subjects[i].beside(subjects[j])
    ]


def _ranked(found: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Groups numbered from 0 by decreasing size, then by their first member."""
    names, first, counts = np.unique(found, return_index=True, return_counts=True)
    order = np.lexsort((first, -counts))
    rank = {int(names[group]): place for place, group in enumerate(order)}
    return np.array([rank[int(one)] for one in found], np.int64)


def _fits(
    alike: npt.NDArray[np.float64], found: npt.NDArray[np.integer]
) -> npt.NDArray[np.float64]:
    names = np.unique(found)
    member = found[:, None] == names[None]  # (N, G)
    sums, sizes = alike @ member, member.sum(0)
    own = member.argmax(1)
    rows = np.arange(len(found))
    others = np.where(member, -np.inf, sums / sizes).max(1)
    inside = (sums[rows, own] - alike[rows, rows]) / np.maximum(sizes[own] - 1, 1)
    fit = np.where(sizes[own] > 1, inside, LIKENESS) - others
    return np.where(np.isfinite(fit), fit, np.nan)
