"""NumPy array files, read without running code or trusting the size in their header."""

import tokenize
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError


def load_array(path: Path) -> npt.NDArray[np.generic]:
    """The array of an .npy file, memory-mapped, or the only array of an .npz file.

    Raises DataError if the file is neither, or shorter than its header says.
    """
    try:
        loaded: object = np.load(path, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.lib.npyio.NpzFile):
            with loaded:
                if len(loaded.files) != 1:
                    names = ", ".join(loaded.files)
                    raise DataError(f"{path}: expected one array, got {names or 'none'}")
                return np.asarray(loaded[loaded.files[0]])
        if not isinstance(loaded, np.ndarray):
            raise DataError(f"{path}: expected an array, got {type(loaded).__name__}")
        return loaded
    except (
        OSError, ValueError, EOFError, SyntaxError, MemoryError, OverflowError,
        tokenize.TokenError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        first = reason.splitlines()[0].split(". ")[0]
        raise DataError(f"{path}: expected a NumPy array file: {first.lower()}") from error
