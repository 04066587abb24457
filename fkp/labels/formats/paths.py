"""Tables with a column of picture paths and columns of points, as annotate writes them."""

import re

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting
from fkp.labels.cells import Cells, listed
from fkp.labels.columns import find_points
from fkp.labels.formats.base import COLUMNS, Format
from fkp.labels.formats.points import other_columns, persons_column, read_points
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions, Rejected

PATH_COLUMNS = (
    "image", "image_path", "path", "file", "filename", "file_name", "image_name", "image_id",
    "imagename", "imagepath", "filepath", "file_path", "img", "img_path", "img_name", "picture",
    "photo", "input", "frame_path",
)  # fmt: skip
_PATH = re.compile(r".+\.[A-Za-z]\w{1,4}$")
_FOUND = "ok"
"""The status of detected faces in tables of annotate; `filled` faces are interpolated."""


def _recognise_csv(source: Source) -> bool:
    return not source.is_folder and find_paths(source.cells) is not None


def _read_csv(source: Source, options: ReadOptions) -> LabelTable:
    return read_cells_with_paths(source, source.cells, options, PATHS.title)


def read_cells_with_paths(
    source: Source, cells: Cells, options: ReadOptions, format: str
) -> LabelTable:
    """Read a table in which each row names a picture and gives the points of one face."""
    column = find_paths(cells)
    if column is None:
        raise LabelError(
            f"{source} row 1: expected a column of picture paths (named image, path, file, ...), "
            f"got {listed(cells.header)}"
        )
    found = find_points(cells.header, options.columns)
    if found is None:
        raise LabelError(
            f"{source} row 1: expected point columns <name>_x, <name>_y, x0, y0 or bare numbers, "
            f"got {listed(cells.header)}",
            Setting("columns", "PATTERN,...", "which columns hold the points"),
        )
    scheme, columns = found.scheme(options, str(source))
    cells = _with_faces(cells, column)
    points, keep = read_points(cells, columns)
    cells = cells.take(keep)
    note = found.note(cells.header)
    return LabelTable(
        str(source), scheme, points, cells.rows,
        images=cells.column(column),
        frames=_frames(cells),
        persons=persons_column(cells),
        sizes_wh=_sizes(cells),
        folder=source.folder,
        rejected=cells.rejected,
        notes=[note] if note else [],
        other=other_columns(cells, columns, column),
        format=format,
    )  # fmt: skip


def find_paths(cells: Cells) -> int | None:
    """The column of picture paths, by its name, or the first whose cells look like paths."""
    named = cells.index(*PATH_COLUMNS)
    if named is not None:
        return named
    for i in range(len(cells.header)):
        if all(_PATH.match(row[i].strip()) for row in cells.cells[:20]):
            return i
    return None


def _is_annotated(cells: Cells) -> bool:
    """Whether it has the columns of a table of annotate."""
    return {"status", "face", "frame"} <= set(cells.header)


def _with_faces(cells: Cells, column: int) -> Cells:
    """The rows that name a picture and, in tables of annotate, contain a face."""
    named = cells.known(column)
    for row in cells.rows[~named]:
        reason = "expected a picture path"
        cells.rejected.append(Rejected(cells.source, int(row), cells.header[column], reason))
    if _is_annotated(cells):
        status = cells.column(cells.header.index("status"))
        for i in np.flatnonzero(named):
            if status[i] != _FOUND:
                reason = f"no face: {status[i]}"
                row = int(cells.rows[i])
                cells.rejected.append(Rejected(cells.source, row, "status", reason, False))
        named &= np.array([word == _FOUND for word in status], bool)
    kept = cells.take(named)
    if len(kept) == 0:
        raise LabelError(f"no row can be used; the first: {cells.rejected[0]}")
    return kept


def _frames(cells: Cells) -> npt.NDArray[np.int64] | None:
    """The frame numbers, if the rows are about frames of clips."""
    if not _is_annotated(cells):
        return None
    numbers = cells.numbers([cells.header.index("frame")], cells.rejected.append)[:, 0]
    return None if np.isnan(numbers).any() else numbers.astype(np.int64)


def _sizes(cells: Cells) -> npt.NDArray[np.float64] | None:
    """The sizes of the pictures, if there are columns for them."""
    columns = [cells.index(f"image_{side}", f"img_{side}") for side in ("width", "height")]
    if None in columns:
        return None
    sizes = cells.numbers([i for i in columns if i is not None], lambda rejected: None)
    return np.where((sizes > 0).all(1, keepdims=True), sizes, np.nan)


PATHS = Format(
    "paths", "CSV with picture paths (fkp's keypoints.csv and others)",
    _recognise_csv, _read_csv, settings=COLUMNS,
)  # fmt: skip
