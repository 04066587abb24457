"""OpenFace 2's tables (Baltrusaitis et al., FG 2018), with points in x_0 ... y_67."""

import re

import numpy as np

from fkp.errors import LabelError
from fkp.keypoints import IBUG68
from fkp.labels.cells import Cells
from fkp.labels.columns import PointColumns
from fkp.labels.formats.base import COLUMNS, Format
from fkp.labels.formats.paths import find_paths, read_cells_with_paths
from fkp.labels.formats.points import other_columns, persons_column, read_points
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions, Rejected

_POINTS = [(f"x_{i}", f"y_{i}") for i in range(len(IBUG68))]
_MARKS = {"success", "confidence", "face_id", "gaze_0_x", "pose_tx"}
_DERIVED = re.compile(r"(gaze|eye_lmk|pose|p)_.*|[XYZ]_\d+|AU\d+_[rc]")
"""Columns that OpenFace derives from the same face; they are not kept."""


def _recognise(source: Source) -> bool:
    if source.is_folder or not source.first_lines or "x_0" not in source.first_lines[0]:
        return False
    names = set(source.cells.header)
    return {name for pair in _POINTS for name in pair} <= names and bool(
        _MARKS & {name.lower() for name in names}
    )


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read 68 points of each row with success.

    Without a column of picture paths, the table is about the picture of the same name or, if it
    has frames, the clip of the same name.
    """
    cells = source.cells
    if options.columns:
        return read_cells_with_paths(source, cells, options, OPENFACE.title)
    index = {name: i for i, name in enumerate(cells.header)}
    if not all(name in index for pair in _POINTS for name in pair):
        raise LabelError(f"{source}: expected the columns x_0 to y_67 of OpenFace")
    columns = PointColumns(
        IBUG68.names, tuple((index[x], index[y]) for x, y in _POINTS), numbered=False
    )
    paths = find_paths(cells)
    cells = _with_success(cells)
    points, keep = read_points(cells, columns)
    cells = cells.take(keep)
    frame = cells.index("frame") if paths is None else None
    frames = None
    if frame is not None:
        numbers = cells.numbers([frame], cells.rejected.append)[:, 0]
        frames = np.nan_to_num(numbers, nan=1).astype(np.int64) - 1
    own = str(options.images) if options.images and options.images.is_file() else source.path.stem
    others = {
        name: values
        for name, values in other_columns(cells, columns, -1 if paths is None else paths).items()
        if not _DERIVED.fullmatch(name)
    }
    return LabelTable(
        str(source), IBUG68, points, cells.rows,
        images=[own] * len(cells) if paths is None else cells.column(paths),
        frames=frames,
        persons=persons_column(cells),
        folder=source.folder, rejected=cells.rejected, other=others, format=OPENFACE.title,
    )  # fmt: skip


def _with_success(cells: Cells) -> Cells:
    """The rows with a face; in the others, points are zero."""
    success = cells.index("success")
    if success is None:
        return cells
    found = cells.numbers([success], cells.rejected.append)[:, 0] == 1
    for row in cells.rows[~found]:
        cells.rejected.append(Rejected(cells.source, int(row), "success", "no face", False))
    kept = cells.take(found)
    if len(kept) == 0:
        raise LabelError(f"{cells.source}: no row has a face (success 1)")
    return kept


OPENFACE = Format(
    "openface",
    "OpenFace 2's .csv (and fkp's openface.csv)",
    _recognise,
    _read,
    settings=COLUMNS,
)
