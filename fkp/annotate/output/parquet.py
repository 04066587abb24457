"""The main table as Parquet, by pyarrow (the extra `parquet`)."""

import importlib.util
import os
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from fkp.annotate.output.rows import Column, Columns, Record, rows_of
from fkp.errors import FkpError

GROUP = 20_000
"""Inputs per row group."""


def check_parquet() -> None:
    """Raise FkpError if pyarrow is missing."""
    if importlib.util.find_spec("pyarrow") is None:
        raise FkpError("the format parquet needs pyarrow: pip install 'fkp[parquet]'")


def write_parquet(path: Path, columns: Columns, records: Iterable[Record]) -> None:
    """Write the columns of `CsvRows`, typed; names that are not UTF-8 get `\\xff` escapes."""
    import pyarrow as pa
    from pyarrow import parquet

    def kind(column: Column) -> pa.DataType:
        if column.kind == "text":
            return pa.string()
        if column.kind == "whole":
            return pa.int64() if column.wide else pa.int32()
        return pa.float64() if column.wide else pa.float32()

    schema = pa.schema([(column.name, kind(column)) for column in columns.all()])
    waiting = iter(records)
    with parquet.ParquetWriter(path, schema) as writer:
        while group := list(islice(waiting, GROUP)):
            rows = [
                columns.cells(row)
                for image, result in group
                for row in rows_of(_utf8(image), result, columns.measured, columns.quality)
            ]
            cells = zip(*rows, strict=True)
            arrays = [pa.array(c, f.type) for c, f in zip(cells, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _utf8(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "backslashreplace")
