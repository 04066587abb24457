"""Which pictures or clips a run is about, in which order."""

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fkp.errors import DataError
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_video_name


@dataclass(frozen=True, slots=True)
class Inputs:
    """paths: as they were given, or as found below a given folder, in the order of rows.

    passed_over: files in folders that are none by their names.
    root: the folder that holds them all; result pictures mirror the tree below it.
    """

    paths: tuple[str, ...]
    passed_over: int
    root: str

    def relative(self, path: str) -> str:
        """A path below the root, without `..`."""
        return relative_to(self.root, path)


def relative_to(root: str, path: str) -> str:
    """A path below a folder that holds it, without `..`."""
    return os.path.relpath(os.path.abspath(path), root)


@dataclass(frozen=True, slots=True)
class Kind:
    """What is looked for in folders. named: whether a file is one by its name."""

    what: str
    named: Callable[[str], bool]


PICTURES = Kind("pictures", is_image_name)
CLIPS = Kind("clips", is_video_name)


def find_inputs(given: Sequence[str], exclude: Path | None = None, kind: Kind = PICTURES) -> Inputs:
    """Expand files, folders (recursive, sorted) and globs; what lies in `exclude` is left out.

    A file given by name is an input whatever it is called, also if it cannot be read.
    """
    paths: list[str] = []
    passed_over = 0
    barred = os.path.abspath(exclude) if exclude is not None else None
    for item in given:
        if os.path.isdir(item):
            found, others = _walk(item, barred, kind)
            paths += found
            passed_over += others
        elif os.path.lexists(item) or not glob.has_magic(item):
            paths.append(item)
        else:
            matches = sorted(glob.glob(item, recursive=True))
            if not matches:
                raise DataError(f"{item}: no file matches")
            inner = find_inputs(matches, exclude, kind)
            paths += inner.paths
            passed_over += inner.passed_over
    if not paths:
        where = ", ".join(given[:3]) or "the list of inputs"
        raise DataError(f"{where}: no {kind.what} ({passed_over} other files)")
    return Inputs(tuple(paths), passed_over, common_folder(paths))


def common_folder(paths: Iterable[str]) -> str:
    """The folder that holds all these files, absolute."""
    return os.path.commonpath({os.path.dirname(os.path.abspath(path)) for path in paths})


def shard(inputs: Inputs, number: int, total: int) -> Inputs:
    """Part `number` (from 1) of `total` parts, in the order of the inputs; it may be empty."""
    n = len(inputs.paths)
    start, stop = n * (number - 1) // total, n * number // total
    return replace(inputs, paths=inputs.paths[start:stop])


def _walk(folder: str, barred: str | None, kind: Kind) -> tuple[list[str], int]:
    found: list[str] = []
    others = 0
    # Links to folders are not followed: a link to a folder above would never end.
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(
            name for name in folders
            if not name.startswith(".") and os.path.abspath(os.path.join(parent, name)) != barred
        )  # fmt: skip
        for name in sorted(files):
            if kind.named(name) and not name.startswith("."):
                found.append(os.path.join(parent, name))
            else:
                others += 1
    return found, others


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: {(error.strerror or 'cannot be listed').lower()}")


def read_list(data: bytes, separator: bytes) -> Iterable[str]:
    """Paths from a stream, one a line or NUL-terminated; bytes that are not UTF-8 survive.

    A byte order mark is no part of the first path.
    """
    for item in data.removeprefix(b"\xef\xbb\xbf").split(separator):
        path = item.rstrip(b"\r") if separator == b"\n" else item
        if path:
            yield os.fsdecode(path)
