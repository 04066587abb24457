"""Finding and reading the files of published sets."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.io

from fkp.errors import DataError, LabelError
from fkp.labels.formats.pts import points_of_file
from fkp.vision.images import is_image_name

Array = npt.NDArray[np.float64]

_HDF5 = b"\x89HDF\r\n\x1a\n"
"""The magic bytes of HDF5, at the start of a file or after MATLAB's 512 bytes."""

_UNREADABLE = (
    OSError, ValueError, TypeError, LookupError, NotImplementedError, zlib.error,
    scipy.io.matlab.MatReadError,
)  # fmt: skip


def find(folder: Path, *names: str) -> Path | None:
    """The first of several files or folders, such as `a/b`, in a folder or below it; None if there
    is none.
    """
    for name in names:
        if (folder / name).exists():
            return folder / name
    for name in names:
        found = min(folder.rglob(name), default=None, key=lambda path: (len(path.parts), path))
        if found is not None:
            return found
    return None


def needed(folder: Path, title: str, *names: str) -> Path:
    """The same; raises DataError with what was expected."""
    found = find(folder, *names)
    if found is None:
        wanted = " or ".join(names)
        raise DataError(f"{folder}: expected {wanted}, as {title} is published, here or below")
    return found


def labelled_pictures(folder: Path) -> Iterator[tuple[Path, Array]]:
    """Pictures of a folder and the points (68, 2) in the `.pts` files of the same names, in order.

    Raises LabelError for a bad file, DataError for one without a picture.
    """
    pictures = {p.stem: p for p in sorted(folder.iterdir()) if is_image_name(p.name)}
    for path in sorted(folder.glob("*.pts")):
        if path.stem not in pictures:
            raise DataError(f"{path}: there is no picture of that name beside it")
        yield pictures[path.stem], points_of(path, 68)


def points_of(path: Path, count: int) -> Array:
    """The points (K, 2) of a `.pts` file, as written there; raises LabelError."""
    try:
        points = np.array(points_of_file(path), np.float64)
    except LabelError as error:
        raise LabelError(f"{path}: {error}") from error
    if points.shape != (count, 2):
        raise LabelError(f"{path}: expected {count} points, got {len(points)}")
    return points


def read_mat(path: Path, *names: str) -> dict[str, Any]:
    """Variables of a MATLAB file of any version, in MATLAB's shapes; cells are object arrays.

    Raises DataError.
    """
    try:
        with path.open("rb") as file:
            head = file.read(520)
        is_hdf5 = _HDF5 in (head[:8], head[512:])
        found = _read_hdf5(path, names) if is_hdf5 else dict(scipy.io.loadmat(path))
    except _UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as a MATLAB file: {error}") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise DataError(f"{path}: has no variable {missing[0]}")
    return found


def _read_hdf5(path: Path, names: tuple[str, ...]) -> dict[str, Any]:
    try:
        import h5py
    except ImportError as error:
        raise DataError(
            f"{path}: MATLAB 7.3 files need a package: pip install 'fkp[hdf5]'"
        ) from error

    def plain(value: Any) -> Any:
        array = value[()]
        if array.dtype != h5py.ref_dtype:
            return np.asarray(array).T
        cells = np.empty(array.T.shape, object)
        for place, reference in np.ndenumerate(array.T):
            cells[place] = plain(value.file[reference])
        return cells

    with h5py.File(path, "r") as file:
        return {name: plain(file[name]) for name in names if name in file}
