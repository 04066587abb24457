"""From inputs to results: an engine annotates chunk by chunk; what comes is written in order."""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Protocol

from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Failure, Result
from fkp.annotate.output.journal import Journal, Past
from fkp.annotate.output.results import Table
from fkp.annotate.watch import Watch, add_seconds

CHUNK = 96
"""Inputs between two runs of the network; fewer at the beginning, so that first rows come soon."""


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Some inputs with what was found in them, drawn if so wished.

    seconds: spent, by stage. killed: worker processes that did not survive it. resumable: whether
    the engine can go on behind it. notes: what there is to say of the inputs.
    """

    paths: Sequence[str]
    results: Sequence[Result]
    seconds: dict[str, float] = field(default_factory=dict)
    killed: int = 0
    resumable: bool = True
    notes: Sequence[str] = ()


class Engine(Protocol):
    """What annotates inputs."""

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The inputs behind the first `done`, chunk by chunk as `chunked` makes them."""
        ...


@dataclass(slots=True)
class Summary:
    """What a run came to.

    seconds: of all workers together for decode, detect, crop and draw; of the parent for network,
    write and waiting (for workers). killed: worker processes that were killed from outside.
    """

    statuses: Counter[str] = field(default_factory=Counter)  # inputs: ok, no_face, unreadable
    faces: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # path, reason
    notes: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    killed: int = 0

    def add(self, seconds: dict[str, float]) -> None:
        """Time spent more, by stage."""
        add_seconds(self.seconds, seconds)

    def count(self, path: str, result: Result) -> None:
        """One input more."""
        self.statuses[result.status] += 1
        if isinstance(result, Failure):
            self.failures.append((path, result.reason))
            return
        self.faces += len(result.faces)
        if result.note:
            self.notes[result.note] += 1


def annotate(
    inputs: Inputs,
    engine: Engine,
    progress: Callable[[int, int], None],
    table: Table,
    journal: Journal | None = None,
) -> Summary:
    """Write the rows of all inputs into a table.

    Rows come in the order of the inputs. An unreadable input is a row, and never ends the run.
    With a journal, a run that was stopped goes on where it was.
    """
    past = journal.past if journal is not None else Past()
    summary = Summary(
        Counter(past.statuses), past.faces, list(past.failures), Counter(past.notes)
    )  # fmt: skip
    with closing(engine.run(inputs, past.done, progress)) as chunks:
        for chunk in chunks:
            watch = Watch()
            for path, result in zip(chunk.paths, chunk.results, strict=True):
                table.write(path, result)
                summary.count(path, result)
            written = table.flush()
            if journal is not None and chunk.resumable:
                journal.commit(summary, written)
            watch.lap("write")
            summary.add(chunk.seconds)
            summary.add(watch.seconds)
            summary.killed += chunk.killed
            summary.notes.update(chunk.notes)
    return summary


def chunked(paths: Sequence[str], done: int) -> Iterator[Sequence[str]]:
    """The chunks behind the first `done` inputs: always the same ones, wherever a run goes on."""
    start, size = 0, CHUNK // 8
    while start < len(paths):
        if start >= done:
            yield paths[start : start + size]
        start += size
        size = min(2 * size, CHUNK)
