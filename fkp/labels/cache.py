"""Tables that go straight to training: prepared once, into a cache keyed by their content."""

import hashlib
import os
from pathlib import Path

from fkp import __version__
from fkp.errors import LabelError
from fkp.labels.cut import Progress, find_folder
from fkp.labels.formats.course import find_array
from fkp.labels.formats.kaggle import looks_like_pixel_csv
from fkp.labels.prepare import PrepareConfig, prepare, read_source
from fkp.labels.store import is_prepared
from fkp.labels.table import ReadOptions


def cache_folder() -> Path:
    """`$FKP_CACHE`, else `fkp` in `$XDG_CACHE_HOME` or `~/.cache`."""
    if os.environ.get("FKP_CACHE"):
        return Path(os.environ["FKP_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "fkp"


def prepared(data: Path, progress: Progress) -> Path:
    """The data set itself, or a foreign table prepared with the defaults.

    The key is the table's bytes, its array's where it has one, the names, sizes and times of its
    pictures where it names files, its place and fkp's version. Raises LabelError where rows are
    malformed: `fkp prepare` lists them.
    """
    if is_prepared(data):
        return data
    if data.is_dir():
        raise LabelError(f"{data}: a folder; prepare it first: fkp prepare {data} -o data.csv")
    try:
        digest = hashlib.sha256(f"{__version__}:{data.resolve()}".encode())
        array = find_array(data, ReadOptions())
        for path in (data, array):
            if path is not None:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
        for picture in _pictures(data):
            state = picture.stat() if os.path.isfile(picture) else None
            digest.update(f"{picture}:{state and (state.st_size, state.st_mtime_ns)}".encode())
    except OSError as error:
        raise LabelError(f"{data}: {(error.strerror or str(error)).lower()}") from error
    target = cache_folder() / digest.hexdigest()[:24] / "data.csv"
    if not target.exists():
        report = prepare(PrepareConfig((data,), target), progress)
        bad = [r for r in report.rejected if r.malformed]
        if bad:
            target.unlink()
            raise LabelError(
                f"{len(bad)} malformed rows, the first: {bad[0]}; "
                f"fkp prepare {data} -o data.csv leaves them out and lists them"
            )
    return target


def _pictures(data: Path) -> list[Path]:
    """The picture files that a table names; [] for one with pixels of its own."""
    with data.open("rb") as file:
        if looks_like_pixel_csv(file.read(1 << 16)):
            return []
    table = read_source(data, ReadOptions())
    folder = find_folder(table)
    return [folder / name for name in table.images or []]
