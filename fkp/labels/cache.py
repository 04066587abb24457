"""Tables that go straight to training: prepared once, into a cache keyed by their content."""

import hashlib
import os
from pathlib import Path

from fkp import __version__
from fkp.errors import LabelError
from fkp.labels.course import find_array
from fkp.labels.cut import Progress
from fkp.labels.prepare import PrepareConfig, prepare
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

    The key is the table's bytes, its array's where it has one, its place (for its pictures)
    and fkp's version. Raises LabelError where rows are malformed: `fkp prepare` lists them.
    """
    if is_prepared(data):
        return data
    try:
        digest = hashlib.sha256(f"{__version__}:{data.resolve()}".encode())
        array = find_array(data, ReadOptions())
        for path in (data, array):
            if path is not None:
                with path.open("rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
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
