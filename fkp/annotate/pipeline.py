"""The pipeline: an engine annotates inputs chunk by chunk; results are written in order."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Failure, Result
from fkp.annotate.watch import Watch, add_seconds

CHUNK = 96
"""Inputs per chunk; the first chunks are smaller, so that the first rows come soon."""

Progress = Callable[[int, int], None]
"""Called with the number of inputs done and in total."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some inputs with their results, drawn if requested.

    raw: a clip's frames before smoothing, which run ahead of the results. seconds: spent per stage.
    killed: worker processes that were killed. resumable: whether the engine can resume after this
    chunk. notes: on the inputs.
    """

    paths: Sequence[str]
    results: Sequence[Result]
    seconds: dict[str, float] = field(default_factory=dict)
    killed: int = 0
    resumable: bool = True
    notes: Sequence[str] = ()
    raw: Sequence[Result] = ()


class Engine(Protocol):
    """Annotates inputs."""

    def run(self, inputs: Inputs, done: int, progress: Progress) -> Generator[Chunk]:
        """The inputs after the first `done`, chunk by chunk as `chunked` makes them."""
        ...


class Counts(Protocol):
    """The counts of a run so far."""

    @property
    def faces(self) -> int: ...

    @property
    def statuses(self) -> Mapping[str, int]: ...

    @property
    def failures(self) -> Sequence[tuple[str, str]]: ...

    @property
    def notes(self) -> Mapping[str, int]: ...


@dataclass(slots=True)
class Summary:
    """The counts of a run.

    seconds: summed over all workers for decode, detect, crop and draw; of the parent for network,
    write and waiting (for workers). killed: worker processes that were killed from outside.
    """

    statuses: Counter[str] = field(default_factory=Counter)  # inputs: ok, no_face, unreadable
    faces: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # path, reason
    notes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    killed: int = 0

    def count(self, path: str, result: Result) -> None:
        """Count one more input."""
        self.statuses[result.status] += 1
        if isinstance(result, Failure):
            self.failures.append((path, result.reason))
            return
        self.faces += len(result.faces)
        if result.note:
            self.notes[result.note] += 1


@dataclass(frozen=True, slots=True)
class Past:
    """The progress of an earlier run.

    done: inputs whose rows are written; bytes: size of the table with them; raw: size of the table
    of points before smoothing.
    """

    done: int = 0
    bytes: int = 0
    raw: int = 0
    faces: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)

    def summary(self) -> Summary:
        """Its counts, to continue from."""
        return Summary(
            Counter(self.statuses), self.faces, list(self.failures), Counter(self.notes)
        )  # fmt: skip


class Table(Protocol):
    """A destination of rows."""

    def write(self, image: str, result: Result) -> None:
        """Write the rows of one input."""
        ...

    def flush(self) -> int:
        """Flush the rows; returns the number of bytes written."""
        ...


class Log(Protocol):
    """Records the progress of a run."""

    @property
    def past(self) -> Past:
        """The progress before this run."""
        ...

    def commit(self, counts: Counts, written: int, raw: int) -> None:
        """Record that the rows so far are on disk, with the size of both tables."""
        ...


def annotate(
    inputs: Inputs,
    engine: Engine,
    progress: Progress,
    table: Table,
    log: Log | None = None,
    raw: Table | None = None,
) -> Summary:
    """Write the rows of all inputs into a table, and the rows before smoothing into another.

    Rows are in the order of the inputs. An unreadable input is a row and never ends the run. With a
    log, a stopped run resumes where it stopped.
    """
    past = log.past if log is not None else Past()
    summary = past.summary()
    with closing(engine.run(inputs, past.done, progress)) as chunks:
        for chunk in chunks:
            watch = Watch()
            for path, result in zip(chunk.paths, chunk.results, strict=True):
                table.write(path, result)
                summary.count(path, result)
            if raw is not None:
                for result in chunk.raw:
                    raw.write(inputs.paths[0], result)
            written = table.flush()
            if log is not None and chunk.resumable:
                log.commit(summary, written, raw.flush() if raw is not None else 0)
            watch.lap("write")
            add_seconds(summary.seconds, chunk.seconds)
            add_seconds(summary.seconds, watch.seconds)
            summary.killed += chunk.killed
            summary.notes.update(chunk.notes)
    return summary


def chunked(paths: Sequence[str], done: int) -> Iterator[Sequence[str]]:
    """The chunks after the first `done` inputs; the same ones wherever a run is resumed."""
    start, size = 0, CHUNK // 8
    while start < len(paths):
        if start >= done:
            yield paths[start : start + size]
        start += size
        size = min(2 * size, CHUNK)
