"""What a run writes into its folder, or to a stream: the rows and `run.json`."""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Protocol, Self

from fkp.annotate.journal import JOURNAL
from fkp.annotate.rows import FORMATS, Rows
from fkp.annotate.stages import Failure
from fkp.errors import FkpError
from fkp.keypoints import Faces

TABLES = {name: f"keypoints.{name}" for name in FORMATS}
"""File names by format."""

OVERLAYS = "overlays"
RUN = "run.json"


def claim_folder(out: Path, overwrite: bool = False, resume: bool = False) -> None:
    """Make the result folder; refuse one with results unless they may be replaced or gone on with.

    What a killed run left half-written there is removed.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK):
            raise FkpError(f"{out}: no permission to write there")
        if any((out / name).exists() for name in (*TABLES.values(), RUN, JOURNAL)):
            if not overwrite and not resume:
                what = (
                    "an unfinished run; --resume continues it"
                    if (out / JOURNAL).exists()
                    else "results"
                )
                raise FkpError(f"{out}: holds {what}; use --overwrite or another --out")
            if overwrite:
                for name in (*TABLES.values(), RUN, JOURNAL):
                    (out / name).unlink(missing_ok=True)
                    (out / f"{name}.part").unlink(missing_ok=True)
            _clear(out / OVERLAYS, everything=overwrite)
    except OSError as error:
        raise FkpError(f"{out}: cannot be used for results: {error.strerror}") from error


def _clear(folder: Path, everything: bool) -> None:
    """Remove what is in a folder, or only the temporary files of writes that were cut short."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for name in files:
            if everything or (name.startswith(".") and name.endswith(".part")):
                os.unlink(os.path.join(parent, name))
        for name in folders if everything else ():
            path = os.path.join(parent, name)
            os.unlink(path) if os.path.islink(path) else os.rmdir(path)


class Table(Protocol):
    """Where rows go."""

    def write(self, image: str, result: Faces | Failure) -> None:
        """The rows of one input."""
        ...

    def flush(self) -> int:
        """Bring the rows to where they go; how many bytes there are."""
        ...


class TableFile:
    """Writes a file whole or not at all.

    Until the end the rows stand in `NAME.part`, which an interrupted run leaves; `keep` bytes of
    that are gone on from.
    """

    def __init__(self, path: Path, rows: Rows, keep: int = 0) -> None:
        self.path, self.rows, self.keep = path, rows, keep
        self.part = path.with_name(path.name + ".part")

    def __enter__(self) -> Self:
        if self.keep:
            self._cut_back()
        # Names of files may hold bytes that are no UTF-8; they go out as they came.
        mode = "a" if self.keep else "w"
        self._file = self.part.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
        if not self.keep:
            self._file.write(self.rows.header())
        return self

    def _cut_back(self) -> None:
        """Leave only the rows that the journal knows of."""
        if not self.part.exists() and self.path.exists():  # killed at the very end
            os.replace(self.path, self.part)
        size = self.part.stat().st_size if self.part.exists() else 0
        if size < self.keep:
            raise FkpError(
                f"{self.part}: has {size} bytes, {self.keep} were written: it cannot be resumed; "
                "use --overwrite to start again"
            )
        os.truncate(self.part, self.keep)

    def write(self, image: str, result: Faces | Failure) -> None:
        """The rows of one input."""
        self._file.write(self.rows.of(image, result))

    def flush(self) -> int:
        """Bring the rows to the disk; how many bytes there are."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        if kind is None:
            os.replace(self.part, self.path)


class TableStream:
    """Writes to an open stream of bytes, such as stdout, a chunk at a time."""

    def __init__(self, stream: BinaryIO, rows: Rows) -> None:
        self.stream, self.rows, self.bytes = stream, rows, 0
        self._put(rows.header())

    def write(self, image: str, result: Faces | Failure) -> None:
        """The rows of one input."""
        self._put(self.rows.of(image, result))

    def flush(self) -> int:
        """Send what is written; how many bytes there are."""
        self.stream.flush()
        return self.bytes

    def _put(self, text: str) -> None:
        self.bytes += self.stream.write(text.encode("utf-8", "surrogateescape"))


def is_finished(out: Path) -> bool:
    """Whether the folder holds the results of a run that came to its end."""
    return (out / RUN).exists() and not (out / JOURNAL).exists()


def unreadable_in(out: Path) -> int:
    """How many inputs of a finished run were unreadable."""
    facts = json.loads((out / RUN).read_text(encoding="utf-8"))
    return int(facts["statuses"].get("unreadable", 0))


def write_run(path: Path, facts: dict[str, object]) -> None:
    """Write `run.json`."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
