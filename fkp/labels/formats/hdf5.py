"""HDF5 files, read with h5py (the extra `hdf5`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError
from fkp.labels.source import Source

MAGIC = b"\x89HDF\r\n\x1a\n"


def is_hdf5(source: Source) -> bool:
    """Whether a file starts as HDF5."""
    return source.head.startswith(MAGIC)


@contextmanager
def open_hdf5(source: Source) -> Iterator[Any]:
    """Open a file for reading; raises LabelError if h5py is missing or the file is damaged.

    Errors of h5py in the block are also turned into LabelError.
    """
    try:
        import h5py
    except ImportError as error:
        raise LabelError(f"{source}: reading HDF5 needs h5py: pip install 'fkp[hdf5]'") from error
    if source.packed:
        raise LabelError(f"{source}: a compressed HDF5 file; decompress it first (gunzip)")
    try:
        with h5py.File(source.path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
        first = " ".join(str(error).split())[:120]
        raise LabelError(f"{source}: the HDF5 file is damaged or incomplete: {first}") from error


def strings(values: npt.NDArray[Any]) -> list[str]:
    """The strings or numbers of a dataset as text."""
    return [
        v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)
        for v in np.asarray(values).reshape(-1).tolist()
    ]


def text_of(value: object) -> str:
    """The string in an attribute or scalar dataset."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else b""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
