"""A cache of prepared data sets, for tables that are given directly to training."""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from fkp import __version__
from fkp.errors import LabelError, UndecidedError, parse_json
from fkp.files import replace_text
from fkp.labels.cut import Progress
from fkp.labels.formats.course import find_array
from fkp.labels.pictures import find_pictures
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source
from fkp.labels.store import is_prepared
from fkp.labels.table import LabelTable, ReadOptions


def cache_folder() -> Path:
    """`$FKP_CACHE`, or `fkp` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if os.environ.get("FKP_CACHE"):
        return Path(os.environ["FKP_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "fkp"


def prepared(data: Path, progress: Progress) -> Path:
    """The path of a prepared data set: `data` itself, or `data` prepared with the defaults.

    The key is made of the table's path and bytes, the bytes of its array, the names, sizes and
    times of its pictures, and fkp's version. The pictures of a table are listed in the cache, so a
    table that was prepared before is not read again. Raises LabelError if rows are malformed.
    """
    if is_prepared(data):
        return data
    if data.is_dir():
        raise LabelError(f"{data}: a folder; turn it into a data set with prepare first")
    try:
        return _cached(data, progress)
    except UndecidedError as error:
        why = f"{error.args[0]}; run prepare first"
        raise UndecidedError(why, *error.settings) from error
    except OSError as error:
        raise LabelError(f"{data}: {(error.strerror or str(error)).lower()}") from error


def _cached(data: Path, progress: Progress) -> Path:
    """The prepared data set of a table in the cache, where it is created if necessary."""
    content = _content(data)
    listing = cache_folder() / "pictures" / f"{content}.json"
    table, pictures = None, _listed(listing)
    if pictures is None:
        table = read_source(data, ReadOptions())
        pictures = _pictures(table)
        listing.parent.mkdir(parents=True, exist_ok=True)
        replace_text(listing, json.dumps(pictures))
    target = cache_folder() / _with_states(content, pictures) / "data.csv"
    if not target.exists():
        report = prepare(PrepareConfig((data,), target), progress, [table] if table else None)
        bad = [r for r in report.rejected if r.malformed]
        if bad:
            target.unlink()
            raise LabelError(
                f"{len(bad)} malformed rows, the first: {bad[0]}; "
                "prepare the table to leave them out and list them"
            )
    return target


def _content(data: Path) -> str:
    """A digest of the table's path and bytes, and of its array's bytes."""
    digest = hashlib.sha256(os.fsencode(f"{__version__}:{data.resolve()}"))
    for path in (data, find_array(data, ReadOptions())):
        if path is not None:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:24]


def _listed(listing: Path) -> list[str] | None:
    """The pictures of a table that was read before, None for a new one."""
    try:
        names = parse_json(listing.read_bytes())
    except (OSError, ValueError):
        return None  # not read before, or damaged
    return [str(name) for name in names] if isinstance(names, list) else None


def _pictures(table: LabelTable) -> list[str]:
    """The files that a table refers to, and further files that it was read from."""
    files = [str(path) for path in table.files]
    if table.images is None or table.encoded is not None:
        return files
    found = find_pictures(table, ReadOptions())
    paths = (found.path(i) for i in range(len(table.rows)))
    return list(dict.fromkeys([*files, *(str(path) for path in paths if path is not None)]))


def _with_states(key: str, pictures: Iterable[str]) -> str:
    """A key that also depends on the sizes and times of the pictures."""
    digest = hashlib.sha256(key.encode())
    for picture in pictures:
        state = os.stat(picture) if os.path.isfile(picture) else None
        about = state and (state.st_size, state.st_mtime_ns)
        digest.update(os.fsencode(f"{picture}:{about}"))
    return digest.hexdigest()[:24]
