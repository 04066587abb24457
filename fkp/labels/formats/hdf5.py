"""HDF5 files from strangers, by h5py (the extra `hdf5`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError
from fkp.labels.source import Source

MAGIC = b"\x89HDF\r\n\x1a\n"


def is_hdf5(source: Source) -> bool:
    """Whether a file begins as HDF5."""
    return source.head.startswith(MAGIC)


@contextmanager
def open_hdf5(source: Source) -> Iterator[Any]:
    """The file, open for reading. Raises LabelError where h5py is missing or the file is damaged,
    also where reading it fails later.
    """
    try:
        import h5py
    except ImportError as error:
        raise LabelError(
            f"{source}: an HDF5 file, which takes h5py to read: pip install 'fkp[hdf5]'"
        ) from error
    if source.packed:
        raise LabelError(f"{source}: a packed HDF5 file; unpack it (gunzip)")
    try:
        with h5py.File(source.path, "r") as file:
            yield file
    except (OSError, RuntimeError, KeyError, TypeError, ValueError, IndexError) as error:
        first = " ".join(str(error).split())[:120]
        raise LabelError(f"{source}: an HDF5 file that cannot be read: {first}") from error


def strings(values: npt.NDArray[Any]) -> list[str]:
    """Fixed or variable strings, or numbers, of a dataset as text."""
    return [
        v.decode("utf-8", "replace") if isinstance(v, bytes) else str(v)
        for v in np.asarray(values).reshape(-1).tolist()
    ]


def text_of(value: object) -> str:
    """A string in an attribute or a scalar dataset."""
    if isinstance(value, np.ndarray):
        value = value.reshape(-1)[0] if value.size else b""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
