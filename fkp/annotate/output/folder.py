"""The folder of a run: its files, and the lock on it."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fkp.annotate.names import (
    COPIES,
    CROPS,
    EVENTS,
    FACE_TABLE,
    HIDDEN_TABLE,
    JOURNAL,
    MINUTES,
    OVERLAY,
    OVERLAYS,
    PARTS,
    RAW,
    REVIEW,
    RUN,
    YOLO,
)
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.schemas import SCHEMAS
from fkp.errors import FkpError, parse_json
from fkp.files import is_stray, remove_strays, replace_text
from fkp.locks import locked

TABLE_FORMATS = ("csv", "jsonl", "parquet")
"""Formats of the main table, and suffixes of its name."""

FOLDERS = (OVERLAYS, CROPS, YOLO, PARTS, COPIES, REVIEW)
FILES = (
    *(f"keypoints.{name}" for name in TABLE_FORMATS),
    *(schema.file for schema in SCHEMAS.values() if schema.file not in FOLDERS),
    PAGE, RUN, JOURNAL, OVERLAY, RAW, EVENTS, MINUTES, HIDDEN_TABLE, FACE_TABLE,
)  # fmt: skip
"""All files that a run may leave in its folder."""


@contextmanager
def claimed(out: Path, overwrite: bool = False, resume: bool = False) -> Iterator[None]:
    """Create the folder if necessary, lock it, and prepare it for a run.

    Raises FkpError if it holds results, unless they may be overwritten or resumed. Temporary files
    of killed runs are removed.
    """
    _make(out)
    with locked(out):
        try:
            _take_over(out, overwrite, resume)
        except OSError as error:
            raise _unusable(out, error) from error
        yield


def _make(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(out, error) from error
    if not os.access(out, os.W_OK):
        raise FkpError(f"{out}: no permission to write there")


def _unusable(out: Path, error: OSError) -> FkpError:
    return FkpError(f"{out}: cannot be used for results: {(error.strerror or 'failed').lower()}")


def _take_over(out: Path, overwrite: bool, resume: bool) -> None:
    for name in FOLDERS:
        if (out / name).is_symlink():
            raise FkpError(f"{out / name}: is a link; remove it, or choose another folder")
    if not any((out / name).exists() for name in FILES):
        return
    if not overwrite and not resume:
        if (out / JOURNAL).exists():
            raise FkpError(f"{out}: holds an unfinished run; resume or overwrite it")
        raise FkpError(f"{out}: holds results; overwrite them or choose another folder")
    remove_strays(out, alone=True)
    for name in FILES if overwrite else ():
        (out / name).unlink(missing_ok=True)
        (out / f"{name}.part").unlink(missing_ok=True)
    for name in FOLDERS:
        _clear(out / name, everything=overwrite)


def _clear(folder: Path, everything: bool) -> None:
    """Remove the contents of a folder, or only the temporary files of interrupted writes."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if everything or is_stray(name, alone=True):
                os.unlink(os.path.join(parent, name))
        for name in folders if everything else ():
            path = os.path.join(parent, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)


def is_finished(out: Path) -> bool:
    """Whether the folder holds the results of a finished run."""
    return (out / RUN).exists() and not (out / JOURNAL).exists()


def read_run(out: Path) -> dict[str, Any]:
    """The `run.json` of a finished run; raises FkpError if it is damaged."""
    try:
        facts = dict(parse_json((out / RUN).read_text(encoding="utf-8")))
        {str(status): int(count) for status, count in facts["statuses"].items()}
        return {**facts, "faces": int(facts["faces"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FkpError(f"{out / RUN}: damaged: {error!r}; overwrite it to start again") from error


def write_run(out: Path, facts: Mapping[str, object]) -> None:
    """Write `run.json`."""
    replace_text(out / RUN, json.dumps(facts, indent=1, allow_nan=False) + "\n")


def remove_parts(out: Path) -> None:
    """Remove the files that only an unfinished run needs."""
    shutil.rmtree(out / PARTS, ignore_errors=True)
