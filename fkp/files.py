"""Writing files atomically."""

import itertools
import os
import platform
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TextIO

_numbers = itertools.count()

PART = re.compile(r"\.([0-9a-f]{8})-(\d+)-\d+\.part(\..*)?")
"""Names of temporary files: where the process runs that writes one, and its number."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds.

    If the block raises, the temporary file is removed and `path` stays as it was. The first time
    that a folder is written to, temporary files of killed processes are removed from it. The
    temporary name is short, so any possible name can be replaced, and keeps the suffix, by which
    some libraries choose a format.
    """
    suffix = path.suffix if len(path.suffix) <= 16 else ""
    _remove_strays_once(path.parent, os.getpid())
    part = path.with_name(temporary_name(os.getpid(), next(_numbers), suffix))
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        with suppress(OSError):  # of a disk that fails; it is the first error that is told
            part.unlink(missing_ok=True)
        raise


def is_special(path: Path) -> bool:
    """Whether this is a pipe or a device: to open it might wait forever, to read it never end."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):  # whoever opens it tells why
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def replace_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` atomically."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


@contextmanager
def scratch(folder: Path) -> Iterator[TextIO]:
    """A text file to write and read in a folder, which is removed at the end."""
    path = folder / temporary_name(os.getpid(), next(_numbers), ".txt")
    try:
        with path.open("w+", encoding="utf-8") as file:
            yield file
    finally:
        path.unlink(missing_ok=True)


def temporary_name(process: int, number: int, suffix: str) -> str:
    """The name of a process's temporary file."""
    return f".{_here()}-{process}-{number}.part{suffix}"


def is_stray(name: str, alone: bool = False) -> bool:
    """Whether a file of this name is temporary, and the process that wrote it is gone.

    alone: whether no other machine writes in its folder now.
    """
    found = PART.fullmatch(name)
    if found is None or os.name != "posix":
        return False
    if found[1] != _here():
        return alone
    try:
        os.kill(int(found[2]), 0)  # no signal: does it exist?
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it belongs to another user
        pass
    return False


def remove_strays(folder: Path, alone: bool = False) -> None:
    """Remove the temporary files of processes that are gone. alone: as in `is_stray`."""
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if is_stray(entry.name, alone):
                with suppress(FileNotFoundError):
                    os.unlink(entry.path)


@lru_cache(maxsize=1024)
def _remove_strays_once(folder: Path, process: int) -> None:
    remove_strays(folder)


@lru_cache(maxsize=1)
def _here() -> str:
    """Eight digits that differ where the number of a process means another process."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino  # differs between containers
    except OSError:
        space = 0
    return f"{zlib.crc32(f'{platform.node()} {space}'.encode()):08x}"
