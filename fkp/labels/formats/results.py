"""The table of `fkp annotate` as JSON lines and Parquet."""

import importlib.util

import numpy as np

from fkp.errors import LabelError
from fkp.json_values import JsonError, JsonValue
from fkp.labels.cells import Cells
from fkp.labels.formats.base import COLUMNS, Format
from fkp.labels.formats.paths import read_cells_with_paths
from fkp.labels.source import Source
from fkp.labels.table import LabelTable, ReadOptions, Rejected

_PARQUET = b"PAR1"


def _recognise_jsonl(source: Source) -> bool:
    if source.is_folder or not source.starts_as_json or not source.first_lines:
        return False
    try:
        return JsonValue.parse(source.first_lines[0]).has("image", "status", "face")
    except JsonError:
        return False


def _read_jsonl(source: Source, options: ReadOptions) -> LabelTable:
    """Read an object per line, with points by name."""
    rejected: list[Rejected] = []
    lines: list[dict[str, str]] = []
    numbers: list[int] = []
    for number, line in enumerate(source.text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            lines.append(_flat(JsonValue.parse(line)))
            numbers.append(number)
        except JsonError as error:
            rejected.append(Rejected(str(source), number, "", str(error)))
    if not lines:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the file has no lines")
    header = list(dict.fromkeys(name for line in lines for name in line))
    rows = [[line.get(name, "") for name in header] for line in lines]
    cells = Cells(str(source), header, rows, np.array(numbers, np.int64), rejected)
    return read_cells_with_paths(source, cells, options, JSONL.title)


def _flat(line: JsonValue) -> dict[str, str]:
    """A line as cells by column name, as in CSV."""
    row: dict[str, str] = {}
    for name, value in line.members().items():
        if name == "points":
            for point, place in value.members().items():
                x, y = _two(place)
                row |= {f"{point}_x": x, f"{point}_y": y}
        elif name == "size":
            row["image_width"], row["image_height"] = _two(value)
        elif not isinstance(value.data, list | dict):
            row[name] = "" if value.data is None else str(value.data)
    return row


def _two(value: JsonValue) -> tuple[str, str]:
    """The text of two numbers, "" for null."""
    found = ["" if item.data is None else repr(item.number()) for item in value.items()]
    if len(found) != 2:
        raise JsonError(f"{value.place}: expected two numbers, got {len(found)}")
    return found[0], found[1]


def _recognise_parquet(source: Source) -> bool:
    return source.head.startswith(_PARQUET)


def _read_parquet(source: Source, options: ReadOptions) -> LabelTable:
    """Read a Parquet file with a column of picture paths and columns of points."""
    if importlib.util.find_spec("pyarrow") is None:
        raise LabelError(f"{source}: reading Parquet needs pyarrow: pip install 'fkp[parquet]'")
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(source.data))
    except (pa.ArrowException, OSError, ValueError) as error:
        first = str(error).splitlines()[0][:120]
        raise LabelError(f"{source}: the Parquet file is damaged: {first}") from error
    columns = [
        ["" if v is None else str(v) for v in column.to_pylist()] for column in table.columns
    ]
    rows = [list(row) for row in zip(*columns, strict=True)]
    numbers = np.arange(1, table.num_rows + 1)
    cells = Cells(str(source), list(map(str, table.column_names)), rows, numbers, [])
    return read_cells_with_paths(source, cells, options, PARQUET.title)


JSONL = Format("jsonl", "fkp's keypoints.jsonl", _recognise_jsonl, _read_jsonl, settings=COLUMNS)
PARQUET = Format(
    "parquet", "Parquet with picture paths (fkp's keypoints.parquet and others)",
    _recognise_parquet, _read_parquet, settings=COLUMNS,
)  # fmt: skip
