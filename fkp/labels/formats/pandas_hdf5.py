"""Data frames that pandas wrote to HDF5 (with PyTables), read without running code.

pandas itself would unpickle parts of such files. Both of its layouts are supported, `fixed` and
`table`. In the latter, column names are pickled lists, from which only plain data are accepted.
"""

import io
import pickle
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError
from fkp.labels.formats.hdf5 import strings, text_of

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class NumberTable:
    """N rows and C columns of numbers, with the levels of column and row names."""

    columns: list[Names]
    index: list[Names]
    values: npt.NDArray[np.float64]


class _PlainUnpickler(pickle.Unpickler):
    """Accepts lists, tuples, strings and numbers; anything else would run code."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain data")


def find_frame(file: Any) -> str | None:
    """The name of the first data frame in a file, None if there is none."""
    for key in file:
        kind = text_of(file[key].attrs.get("pandas_type", ""))
        if kind in ("frame", "frame_table"):
            return str(key)
    return None


def read_frame(file: Any, key: str, source: str) -> NumberTable:
    """Read a data frame of numbers; raises LabelError if it holds anything else."""
    group = file[key]
    if text_of(group.attrs["pandas_type"]) == "frame":
        return _fixed(group, source)
    return _table(group, source)


def _fixed(group: Any, source: str) -> NumberTable:
    columns, index = _axis(group, "axis0"), _axis(group, "axis1")
    places = {name: i for i, name in enumerate(columns)}
    values = np.full((len(index), len(columns)), np.nan)
    for k in range(int(group.attrs["nblocks"])):
        block = group[f"block{k}_values"]
        if block.dtype.kind not in "iuf":
            raise LabelError(f"{source}: expected numbers in all columns, got {block.dtype}")
        at = [places[name] for name in _axis(group, f"block{k}_items")]
        own = np.asarray(block[:], np.float64)
        values[:, at] = own if own.shape == (len(index), len(at)) else own.T
    return NumberTable(columns, index, values)


def _axis(group: Any, name: str) -> list[Names]:
    """The names along an axis, with one or several levels."""
    if name in group:
        return [(text,) for text in strings(group[name][:])]
    levels = int(group.attrs[f"{name}_nlevels"])
    named = []
    for level in range(levels):
        texts = strings(group[f"{name}_level{level}"][:])
        codes = group[f"{name}_label{level}"][:]
        named.append([texts[code] if code >= 0 else "" for code in codes.tolist()])
    return list(zip(*named, strict=True))


def _table(group: Any, source: str) -> NumberTable:
    rows = group["table"][:]
    kinds = dict(group["table"].attrs)
    columns: list[Names] = []
    blocks = []
    for name in rows.dtype.names or ():
        if not name.startswith("values_block"):
            continue
        for item in _plain(kinds[f"{name}_kind"], source):
            levels = item if isinstance(item, tuple | list) else (item,)
            columns.append(tuple(str(level) for level in levels))
        if rows[name].dtype.kind not in "iuf":
            raise LabelError(f"{source}: expected numbers in all columns, got {rows[name].dtype}")
        blocks.append(np.asarray(rows[name], np.float64).reshape(len(rows), -1))
    order = _plain(group.attrs["non_index_axes"], source)
    wanted = [tuple(str(v) for v in name) for name in order[0][1]]
    at = [columns.index(name) for name in wanted]
    values = np.concatenate(blocks, axis=1)[:, at]
    return NumberTable(wanted, [(text,) for text in strings(rows["index"])], values)


def _plain(value: Any, source: str) -> list[Any]:
    """Unpickle a list of plain data."""
    data = value.tobytes() if hasattr(value, "tobytes") else value
    data = data if isinstance(data, bytes) else str(data).encode()
    try:
        found = _PlainUnpickler(io.BytesIO(data), encoding="utf-8").load()
    except (pickle.UnpicklingError, EOFError, AttributeError, UnicodeDecodeError) as error:
        raise LabelError(f"{source}: unreadable column names: {error}") from error
    if not isinstance(found, list):
        raise LabelError(f"{source}: expected a list of columns, got {type(found).__name__}")
    return found
