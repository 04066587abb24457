"""Points, persons and further columns of tables."""

import numpy as np
import numpy.typing as npt

from fkp.labels.cells import Cells
from fkp.labels.columns import PointColumns
from fkp.labels.table import Rejected

_PERSONS = ("person", "subject", "identity", "person_id", "subject_id", "group")

MOST_OTHERS = 500
"""Limit for the further columns to keep."""


def read_points(
    cells: Cells, columns: PointColumns, numbers: npt.NDArray[np.float64] | None = None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The points (M, K, 2) of the rows without a bad cell, and (N,) which rows these are.

    The other rows are added to `cells.rejected`. numbers: (N, C) the values of all cells, if known.
    """
    wanted = [i for pair in columns.columns for i in pair]
    bad: list[Rejected] = []
    values = cells.numbers(wanted, bad.append) if numbers is None else numbers[:, wanted]
    cells.rejected.extend(sorted(bad, key=lambda r: r.row))
    keep = ~np.isin(cells.rows, [r.row for r in bad])
    points = values.reshape(len(cells), -1, 2)[keep]
    points[np.isnan(points).any(-1)] = np.nan  # a point with one coordinate is no point
    return points, keep


def other_columns(
    cells: Cells, points: PointColumns | None, image: int = -1
) -> dict[str, list[str]]:
    """The text of all columns except points and pictures."""
    used = {image, *(i for pair in points.columns for i in pair)} if points else {image}
    others = [i for i, name in enumerate(cells.header) if i not in used and name]
    return {cells.header[i]: [row[i] for row in cells.cells] for i in others[:MOST_OTHERS]}


def persons_column(cells: Cells) -> list[str] | None:
    """The person in each row, None if there is no column for it."""
    column = cells.index(*_PERSONS)
    return None if column is None else cells.column(column)
