"""The pictures or clips of a run, in order."""

import glob
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fkp.annotate.searching import Search
from fkp.errors import DataError
from fkp.vision.images import is_image_name
from fkp.vision.sources import is_video_name


@dataclass(frozen=True, slots=True)
class Inputs:
    """paths: as they were given, or as found below a given folder, in the order of rows.

    skipped: files in folders without a matching extension.
    root: the folder that holds them all; result pictures mirror the tree below it.
    notes: on the search, for the user.
    """

    paths: tuple[str, ...]
    skipped: int
    root: str
    notes: tuple[str, ...] = ()

    def relative(self, path: str) -> str:
        """A path below the root, without `..`."""
        return relative_to(self.root, path)


def relative_to(root: str, path: str) -> str:
    """A path below a folder that holds it, without `..`."""
    return os.path.relpath(os.path.abspath(path), root)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of input to look for in folders.

    named: whether a file name matches. row: whether a folder that cannot be listed becomes an
    input, whose row gives the reason.
    """

    what: str
    named: Callable[[str], bool]
    row: bool


PICTURES = Kind("pictures", is_image_name, row=True)
CLIPS = Kind("clips", is_video_name, row=False)
PHOTOS_AND_CLIPS = Kind(
    "photos or clips", lambda name: is_image_name(name) or is_video_name(name), row=True
)


def find_inputs(given: Sequence[str], exclude: Path | None = None, kind: Kind = PICTURES) -> Inputs:
    """Expand files, folders (recursive, sorted) and globs; skips what is in `exclude`.

    A file given by name is always an input, whatever its extension and even if it cannot be read.
    Below a given folder, links to folders are followed once, and fkp's own output is skipped; the
    notes mention both. Raises DataError if nothing is found.
    """
    search = Search(exclude)
    paths: list[str] = []
    skipped = 0
    for item in expanded(given):
        if not os.path.isdir(item):
            paths.append(item)
            continue
        for folder, names in search.folders(item):
            found = [name for name in names if kind.named(name) and not name.startswith(".")]
            paths += (os.path.join(folder, name) for name in found)
            skipped += len(names) - len(found)
    notes = search.notes
    if not paths:
        where = ", ".join(given[:3]) or "the list of inputs"
        said = "".join(f"; {note}" for note in notes)
        raise DataError(f"{where}: no {kind.what} ({skipped} other files){said}")
    if kind.row:
        paths += (folder for folder, _ in search.unlisted)
    return Inputs(tuple(paths), skipped, common_folder(paths), tuple(notes))


def expanded(given: Sequence[str]) -> Iterator[str]:
    """The given files and folders, with globs expanded in place. Raises DataError for one that
    matches nothing.
    """
    for item in given:
        if os.path.lexists(item) or not glob.has_magic(item):
            yield item
            continue
        matches = sorted(glob.glob(item, recursive=True))
        if not matches:
            raise DataError(f"{item}: no file matches")
        yield from matches


def common_folder(paths: Iterable[str]) -> str:
    """The folder that holds all these files, absolute."""
    return os.path.commonpath({os.path.dirname(os.path.abspath(path)) for path in paths})


def shard(inputs: Inputs, number: int, total: int) -> Inputs:
    """Part `number` (from 1) of `total` parts, in the order of the inputs; it may be empty."""
    n = len(inputs.paths)
    start, stop = n * (number - 1) // total, n * number // total
    return replace(inputs, paths=inputs.paths[start:stop])


def read_list(data: bytes, separator: bytes) -> Iterable[str]:
    """Paths from a stream, one per line or NUL-terminated; bytes that are not UTF-8 survive.

    A leading byte order mark is ignored.
    """
    for item in data.removeprefix(b"\xef\xbb\xbf").split(separator):
        path = item.rstrip(b"\r") if separator == b"\n" else item
        if path:
            yield os.fsdecode(path)
