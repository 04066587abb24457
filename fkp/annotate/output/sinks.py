"""Destinations of a table's rows: a file that can be resumed, or a stream."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from fkp.annotate.outcome import Result
from fkp.annotate.output.text import Rows
from fkp.errors import FkpError


class LinesFile:
    """Writes a text file whole or not at all.

    Until the end, the lines are in `NAME.part`. Unlike the temporary files of `files.replacing`, it
    outlives an interrupted run, which resumes after its first `keep` bytes.
    """

    def __init__(self, path: Path, header: str, keep: int = 0) -> None:
        self.path, self.header, self.keep = path, header, keep
        self.part = path.with_name(path.name + ".part")

    def __enter__(self) -> Self:
        if self.keep:
            self._cut_back()
        # File names may hold bytes that are not UTF-8; they are written unchanged.
        mode = "a" if self.keep else "w"
        self._file = self.part.open(mode, newline="", encoding="utf-8", errors="surrogateescape")
        if not self.keep:
            self._file.write(self.header)
        return self

    def _cut_back(self) -> None:
        """Cut off the rows that are not in the journal."""
        if not self.part.exists() and self.path.exists():  # killed just before it finished
            os.replace(self.path, self.part)
        size = self.part.stat().st_size if self.part.exists() else 0
        if size < self.keep:
            raise FkpError(
                f"{self.part}: has {size} of the {self.keep} bytes that were written: the run "
                "cannot be resumed; overwrite it to start again"
            )
        os.truncate(self.part, self.keep)

    def put(self, text: str) -> None:
        """Write whole lines."""
        self._file.write(text)

    def flush(self) -> int:
        """Flush the rows to disk; returns the size of the file in bytes."""
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


class TableFile(LinesFile):
    """A `LinesFile` of the rows of inputs."""

    def __init__(self, path: Path, rows: Rows, keep: int = 0) -> None:
        super().__init__(path, rows.header(), keep)
        self.rows = rows

    def write(self, image: str, result: Result) -> None:
        """Write the rows of one input."""
        self.put(self.rows.of(image, result))


class TableStream:
    """Writes to an open binary stream, such as stdout, one chunk at a time."""

    def __init__(self, stream: BinaryIO, rows: Rows) -> None:
        self.stream, self.rows, self.bytes = stream, rows, 0
        self._put(rows.header())

    def write(self, image: str, result: Result) -> None:
        """Write the rows of one input."""
        self._put(self.rows.of(image, result))

    def flush(self) -> int:
        """Flush the stream; returns the number of bytes so far."""
        self.stream.flush()
        return self.bytes

    def _put(self, text: str) -> None:
        self.bytes += self.stream.write(text.encode("utf-8", "surrogateescape"))
