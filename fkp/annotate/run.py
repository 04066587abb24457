"""A run over photos or a clip: into a folder, where it can be resumed, or into a stream."""

import os
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fkp import __version__
from fkp.annotate.inputs import Inputs
from fkp.annotate.names import RAW
from fkp.annotate.output.folder import claimed, is_finished, read_run, write_run
from fkp.annotate.output.journal import Journal
from fkp.annotate.output.results import Output
from fkp.annotate.output.sinks import TableFile, TableStream
from fkp.annotate.pipeline import Engine, Progress, Summary, annotate

if TYPE_CHECKING:  # pictures need no decoder of videos
    from fkp.annotate.video.live import Live

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a run.

    name: of the clip, or of what the photos are in. inputs: photos, or frames of a clip; skipped:
    files in folders that are none by their names; search: notes on the search for them. seconds: it
    took, 0 where it was finished before.
    folder: of its results, None for a stream; page: to look at, or the table where there is no
    page. live: how it went, where frames may be dropped.
    """

    name: str
    inputs: int
    summary: Summary
    seconds: float
    skipped: int = 0
    search: Sequence[str] = ()
    live: "Live | None" = None
    folder: Path | None = None
    page: Path | None = None
    finished_before: bool = False

    @property
    def exit_code(self) -> int:
        """0 where all inputs were read, 3 where some are unreadable."""
        return 3 if self.summary.statuses["unreadable"] else 0

    @property
    def per_second(self) -> float:
        """Inputs per second."""
        return self.inputs / self.seconds if self.seconds else 0.0


class Work(Protocol):
    """The work of a run: photos, or one clip.

    name: for messages. unit: what its inputs are called. identity: what must be the same for a
    stopped run to be resumed to the same bytes. raw: whether there is a table of the points before
    smoothing, too. live: where frames may be dropped.
    """

    @property
    def name(self) -> str: ...

    @property
    def unit(self) -> str: ...

    @property
    def inputs(self) -> Inputs: ...

    @property
    def output(self) -> Output: ...

    @property
    def identity(self) -> Mapping[str, object]: ...

    @property
    def raw(self) -> bool: ...

    @property
    def live(self) -> "Live | None": ...

    def start(self) -> Engine:
        """What annotates the inputs."""
        ...

    def finish(self, folder: Path) -> Sequence[str]:
        """Make all else from the finished tables; notes on what could not be made."""
        ...

    def page(self, folder: Path) -> Path:
        """The file to look at when the run is finished."""
        ...

    def tidy(self, folder: Path) -> None:
        """Remove what only an unfinished run needs."""
        ...

    def facts(self) -> dict[str, object]:
        """What `run.json` says about this kind of run, besides the counts."""
        ...


def to_stream(work: Work, table: TableStream, progress: Progress) -> Report:
    """Send the rows as they are ready."""
    started = time.perf_counter()
    summary = annotate(work.inputs, work.start(), progress, table)
    return _report(work, summary, time.perf_counter() - started)


def to_folder(
    work: Work, folder: Path, overwrite: bool, resume: bool, progress: Progress, say: Say
) -> Report:
    """Write all files of a run, of which there is one at a time in a folder.

    Raises FkpError where the folder holds something that may not be replaced, and where the run to
    be resumed is another one. What stops a run is raised again, with a note that says where the
    partial results are.
    """
    with claimed(folder, overwrite, resume):
        if resume and is_finished(folder):
            work.tidy(folder)  # it may have been killed just before
            return _found(work, folder)
        started, when = time.perf_counter(), datetime.now(UTC)
        with _noted(folder):
            journal = Journal.resume(folder, _identity(work))
            if journal.past.done:
                say(f"{work.name}: resuming after {journal.past.done} {work.unit}")
            summary = _write(work, folder, journal, progress)
            summary.notes.update(work.finish(folder))
            seconds = time.perf_counter() - started
            facts = _facts(work, summary, seconds, when)
            write_run(folder, facts)
        journal.finish()
        work.tidy(folder)
    report = _report(work, summary, seconds)
    return replace(report, folder=folder, page=work.page(folder))


def _write(work: Work, folder: Path, journal: Journal, progress: Progress) -> Summary:
    past, output = journal.past, work.output
    with ExitStack() as stack:
        rows = TableFile(output.table(folder), output.rows, past.bytes)
        table = stack.enter_context(rows)
        raw = None
        if work.raw:
            own = replace(output, format="csv").rows
            raw = stack.enter_context(TableFile(folder / RAW, own, past.raw))
        return annotate(work.inputs, work.start(), progress, table, journal, raw)


@contextmanager
def _noted(folder: Path) -> Iterator[None]:
    try:
        yield
    except (KeyboardInterrupt, OSError) as error:
        error.add_note(f"partial results are in {folder}; resume to continue")
        raise


def _report(work: Work, summary: Summary, seconds: float) -> Report:
    counted, found = sum(summary.statuses.values()), work.inputs
    skipped, notes = found.passed_over, found.notes
    return Report(work.name, counted, summary, seconds, skipped, notes, work.live)


def _found(work: Work, folder: Path) -> Report:
    """The report of a run that was finished before."""
    facts = read_run(folder)
    summary = Summary(Counter(facts["statuses"]), facts["faces"])
    report = _report(work, summary, 0.0)
    return replace(report, folder=folder, page=work.page(folder), finished_before=True)


def _facts(work: Work, summary: Summary, seconds: float, when: datetime) -> dict[str, object]:
    """The contents of `run.json`."""
    spent = {**summary.seconds, "total": seconds}
    inputs = sum(summary.statuses.values())
    return {
        "fkp": __version__,
        "python": platform.python_version(),
        "started": when.isoformat(timespec="seconds"),
        **({"folder": os.getcwd()} if work.output.paths else {}),
        **work.facts(),
        work.unit: inputs,
        "statuses": dict(summary.statuses),
        "faces": summary.faces,
        "notes": dict(summary.notes),
        "workers_killed": summary.killed,
        "seconds": {stage: round(value, 3) for stage, value in spent.items()},
        f"{work.unit}_per_second": round(inputs / seconds, 2),
        "identity": _identity(work),
    }


def _identity(work: Work) -> dict[str, object]:
    """What must be the same for a run to be resumed, or joined with others."""
    return {"fkp": __version__, **work.identity}
