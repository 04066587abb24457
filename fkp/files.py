"""Writing files atomically."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_numbers = itertools.count()

PART = re.compile(r"\.(\d+)-\d+\.part(\..*)?")
"""Names of temporary files; the first group is the ID of the process that writes the file."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed to `path` when the block succeeds.

    If the block raises, the temporary file is removed and `path` stays as it was. The temporary
    name is short, so any possible name can be replaced, and keeps the suffix, by which some
    libraries choose a format.
    """
    suffix = path.suffix if len(path.suffix) <= 16 else ""
    part = path.with_name(f".{os.getpid()}-{next(_numbers)}.part{suffix}")
    try:
        yield part
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def replace_text(path: Path, text: str) -> None:
    """Write UTF-8 text to `path` atomically."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def is_stray(name: str) -> bool:
    """Whether this names a temporary file whose process has ended."""
    found = PART.fullmatch(name)
    if found is None or os.name != "posix":
        return False
    try:
        os.kill(int(found[1]), 0)  # signal 0 only checks that it exists
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # it belongs to another user
        pass
    return False
