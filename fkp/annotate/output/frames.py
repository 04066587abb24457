"""Results as pandas DataFrames, in the columns of `keypoints.csv`."""

from collections.abc import Iterable, Sequence

import pandas as pd

from fkp.annotate.output.rows import Cell, Column, Columns, Record, rows_of
from fkp.keypoints import Faces

DTYPES = {"text": "object", "whole": "Int64", "number": "float64"}


def table(records: Iterable[Record], columns: Columns) -> pd.DataFrame:
    """A row per face, and one for each input without."""
    rows = [
        columns.cells(row)
        for image, result in records
        for row in rows_of(image, result, columns.measured, columns.quality)
    ]
    return _frame(rows, columns.all())


def face_table(faces: Faces, each: bool) -> pd.DataFrame:
    """A row per face: its number, and the columns that describe a face."""
    columns = Columns(faces.scheme, each)
    rows = [
        [i if face.number is None else face.number, *columns.face_cells(face)]
        for i, face in enumerate(faces)
    ]
    return _frame(rows, [Column("face", "whole"), *columns.of_face()])


def _frame(rows: Sequence[Sequence[Cell]], columns: Sequence[Column]) -> pd.DataFrame:
    data = {
        column.name: pd.Series([row[i] for row in rows], dtype=DTYPES[column.kind])
        for i, column in enumerate(columns)
    }
    return pd.DataFrame(data)
