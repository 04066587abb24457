"""Files that are written whole or not at all."""

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_numbers = itertools.count()

PART = re.compile(r"\.(\d+)-\d+\.part(\..*)?")
"""Names of temporary files; the first group is the number of the process that writes one."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes the place of `path` when the block succeeds.

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
    """Write UTF-8 text to `path`, whole or not at all."""
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def is_stray(name: str) -> bool:
    """Whether a file of this name is temporary, and the process that wrote it is gone."""
    found = PART.fullmatch(name)
    if found is None or os.name != "posix":
        return False
    try:
        os.kill(int(found[1]), 0)  # no signal: does it exist?
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:  # another user's
        pass
    return False
