"""A run over photos or a clip: into a folder, which can be resumed, or into a stream."""

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

    name: of the clip, or of the photos' folder. inputs: photos, or frames of a clip; skipped: files
    in folders without a matching extension; search: notes on the search for inputs. seconds: its
    duration, 0 if it was already finished.
    folder: of its results, None for a stream; page: for checking them, or the table if there is no
    page. live: counts and latencies if frames may be dropped.
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
        """0 if all inputs were read, 3 if some are unreadable."""
        return 3 if self.summary.statuses["unreadable"] else 0

    @property
    def per_second(self) -> float:
        """Inputs per second of the run."""
        return self.inputs / self.seconds if self.seconds else 0.0


class Work(Protocol):
    """The work of a run: photos, or one clip.

    name: for messages. unit: what its inputs are called. identity: the settings that must match for
    a stopped run to resume to the same bytes. raw: whether there is also a table of the points
    before smoothing. live: set if frames may be dropped.
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
        """The engine that annotates the inputs."""
        ...

    def finish(self, folder: Path) -> Sequence[str]:
        """Make all other files from the finished tables; returns notes on those that failed."""
        ...

    def page(self, folder: Path) -> Path:
        """The file to open when the run is finished."""
        ...

    def tidy(self, folder: Path) -> None:
        """Remove the files that only an unfinished run needs."""
        ...

    def facts(self) -> dict[str, object]:
        """The entries of `run.json` for this kind of run, other than counts."""
        ...


def to_stream(work: Work, table: TableStream, progress: Progress) -> Report:
    """Write the rows to a stream as they are ready."""
    started = time.perf_counter()
    summary = annotate(work.inputs, work.start(), progress, table)
    return _report(work, summary, time.perf_counter() - started)


def to_folder(
    work: Work, folder: Path, overwrite: bool, resume: bool, progress: Progress, say: Say
) -> Report:
    """Write all files of a run; one run at a time can write to a folder.

    Raises FkpError if the folder holds results that may not be overwritten, or if the run to resume
    is a different one. An exception that stops a run is raised again with a note on where the
    partial results are.
    """
    with claimed(folder, overwrite, resume):
        if resume and is_finished(folder):
            work.tidy(folder)  # the earlier process may have been killed just before this
            return _found(work, folder)
        started, when = time.perf_counter(), datetime.now(UTC)
        with noted(folder):
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
def noted(folder: Path) -> Iterator[None]:
    """Add to what stops a run a note that says where its partial results are."""
    try:
        yield
    except (KeyboardInterrupt, OSError) as error:
        error.add_note(f"partial results are in {folder}; resume the run to continue")
        raise


def _report(work: Work, summary: Summary, seconds: float) -> Report:
    counted, found = sum(summary.statuses.values()), work.inputs
    skipped, notes = found.skipped, found.notes
    return Report(work.name, counted, summary, seconds, skipped, notes, work.live)


def _found(work: Work, folder: Path) -> Report:
    """The report of a run that was already finished."""
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
    """The settings that must match for a run to be resumed, or merged with others."""
    return {"fkp": __version__, **work.identity}
