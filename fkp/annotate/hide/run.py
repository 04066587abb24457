"""A run that hides faces: first they are found, then the copies are written."""

import csv
import os
import platform
import time
from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from fkp import __version__
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.hide.clear import ClearFaces
from fkp.annotate.hide.clip import HideClip
from fkp.annotate.hide.config import HideConfig
from fkp.annotate.hide.corrections import Corrections
from fkp.annotate.hide.finding import Finding, files_fingerprint
from fkp.annotate.hide.outcome import COLUMNS, FACE_COLUMNS, Outcome, copy_name
from fkp.annotate.hide.photo import HidePhoto, photo_outcome
from fkp.annotate.hide.plan import CLEAR, HIDDEN
from fkp.annotate.hide.review import write_review
from fkp.annotate.inputs import Inputs
from fkp.annotate.names import FACE_TABLE, HIDDEN_TABLE
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Result
from fkp.annotate.output.folder import claimed, is_finished, read_run, remove_parts, write_run
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.journal import Journal, differences, fingerprint
from fkp.annotate.output.sinks import LinesFile
from fkp.annotate.output.text import csv_line
from fkp.annotate.photo.workers import Workers
from fkp.annotate.pipeline import Progress, Summary
from fkp.annotate.run import Say, noted
from fkp.errors import FkpError
from fkp.vision.copying import SUFFIXES
from fkp.vision.detect import FaceDetector
from fkp.vision.joining import FORMS
from fkp.vision.sources import is_video_name

CHUNK = 32
"""Photos between two points at which a run can be resumed."""


@dataclass(frozen=True, slots=True)
class HideReport:
    """The outcome of a run.

    inputs: number of photos and clips. hidden, clear: numbers of faces in the copies. to_check:
    number of faces and inputs on the page, for a person to check. statuses: inputs by status.
    failures: inputs without a copy, each with the reason. notes: on inputs, with their counts.
    search: notes on the search for inputs; skipped: files that are no inputs.
    """

    folder: Path
    page: Path
    inputs: int
    hidden: int
    clear: int
    to_check: int
    statuses: Mapping[str, int]
    failures: Sequence[tuple[str, str]] = ()
    notes: Mapping[str, int] = field(default_factory=dict)
    search: Sequence[str] = ()
    skipped: int = 0
    seconds: float = 0.0
    finished_before: bool = False

    @property
    def exit_code(self) -> int:
        """0 if every input has a copy, 3 if some have none."""
        return 3 if self.statuses.get("unreadable") or self.statuses.get("failed") else 0


@dataclass(frozen=True, slots=True, eq=False)
class HideWork:
    """What a run works on.

    given: the inputs as the user named them. keep: fingerprint of the faces to leave clear. source:
    identifies network and detector. paths: whether `run.json` may contain absolute paths.
    """

    given: tuple[str, ...]
    inputs: Inputs
    network: KeypointNetwork
    detector: FaceDetector
    annotating: AnnotateConfig
    config: HideConfig
    clear: ClearFaces | None
    keep: str
    corrections: Corrections
    source: dict[str, object]
    paths: bool = True

    def identity(self) -> dict[str, object]:
        """What must be the same for a stopped run to be resumed."""
        paths = self.inputs.paths
        return {
            "fkp": __version__,
            "inputs": f"{len(paths)} files ({fingerprint(*map(os.fsencode, paths))})",
            "files": files_fingerprint(*paths),
            **self.source,
            **self.config.identity(),
            "max_pixels": self.config.max_pixels,
            "keep": self.keep,
            "corrections": fingerprint(self.corrections.data),
        }


def hide(
    work: HideWork, out: Path, overwrite: bool, resume: bool, progress: Progress, say: Say
) -> HideReport:
    """Write the copies, the tables and the page into a folder; see `fkp.annotate.run.to_folder`."""
    with claimed(out, overwrite, resume):
        if resume and is_finished(out):
            remove_parts(out)
            return _found(work, out)
        started = time.perf_counter()
        with noted(out):
            journal = Journal.resume(out, work.identity())
            if journal.past.done:
                say(f"resuming after {journal.past.done} inputs")
            finding = Finding(
                work.network, work.detector, work.annotating, work.source, out, progress, say,
                work.paths,
            )  # fmt: skip
            summary = _Copying(work, out, finding, progress).write(journal)
            to_check = write_review(out)
            report = _report(work, out, summary, to_check, time.perf_counter() - started)
            write_run(out, _facts(work, report))
        journal.finish()
        remove_parts(out)
    return report


class _Copying:
    """Writes the copies."""

    def __init__(self, work: HideWork, out: Path, finding: Finding, progress: Progress) -> None:
        self._work, self._out, self._finding, self._progress = work, out, finding, progress
        self._names = frozenset(map(work.inputs.relative, work.inputs.paths))

    def write(self, journal: Journal) -> Summary:
        """Write the copies of all inputs after those in the journal; returns counts of all."""
        past = journal.past
        summary = past.summary()
        with ExitStack() as stack:
            table, faces = (
                stack.enter_context(LinesFile(self._out / name, csv_line(columns), keep))
                for name, columns, keep in (
                    (HIDDEN_TABLE, COLUMNS, past.bytes),
                    (FACE_TABLE, FACE_COLUMNS, past.raw),
                )
            )
            for outcomes in stack.enter_context(closing(self._outcomes(past.done))):
                for outcome in outcomes:
                    table.put(outcome.line())
                    faces.put(outcome.face_lines())
                    _count(summary, outcome)
                written = table.flush()
                journal.commit(summary, written, faces.flush())
        return summary

    def _outcomes(self, done: int) -> Generator[list[Outcome]]:
        """The outcomes of the inputs after the first `done`, in order."""
        paths = self._work.inputs.paths
        photos = tuple(path for path in paths if not is_video_name(path))
        found = self._finding.photos(replace(self._work.inputs, paths=photos))
        with Workers(self._work.annotating.jobs, lambda pieces: None) as workers:
            tasks: list[HidePhoto] = []
            for order, path in enumerate(paths):
                clip = is_video_name(path)
                if tasks and (clip or len(tasks) == CHUNK):
                    yield [photo_outcome(piece) for piece in workers.submit(tasks).result()]
                    tasks = []
                if not clip:
                    _, result = next(found)
                    tasks += [self._photo(order, result)] if order >= done else []
                elif order >= done:
                    yield [self._clip(order)]
                self._progress(order, len(paths))
            if tasks:
                yield [photo_outcome(piece) for piece in workers.submit(tasks).result()]

    def _photo(self, order: int, result: Result) -> HidePhoto:
        work, path = self._work, self._work.inputs.paths[order]
        name = copy_name(work.inputs.relative(path), SUFFIXES, ".png", self._names)
        return HidePhoto(
            path, result, self._out.absolute(), name, order, work.config, work.clear,
            work.corrections.of(path),
        )  # fmt: skip

    def _clip(self, order: int) -> Outcome:
        work, path = self._work, self._work.inputs.paths[order]
        below = work.inputs.relative(path)
        name = copy_name(below, frozenset(FORMS), ".mp4", self._names)
        return HideClip(
            path, self._finding.clip(path, below), work.detector, self._out, name, order,
            work.config, work.clear, work.corrections.of(path), self._progress,
        ).outcome()  # fmt: skip


def _count(summary: Summary, outcome: Outcome) -> None:
    """Count one more input and its hidden faces."""
    summary.statuses[outcome.status] += 1
    if outcome.status in ("unreadable", "failed"):
        summary.failures.append((outcome.path, outcome.reason))
        return
    summary.faces += outcome.count(HIDDEN)
    if outcome.reason:
        summary.notes[outcome.reason] += 1


def _report(
    work: HideWork, out: Path, summary: Summary, to_check: int, seconds: float
) -> HideReport:  # fmt: skip
    with (out / FACE_TABLE).open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        faces = Counter(row["status"] for row in csv.DictReader(file))
    return HideReport(
        out, out / PAGE, len(work.inputs.paths), faces[HIDDEN], faces[CLEAR], to_check,
        dict(summary.statuses), tuple(summary.failures), dict(summary.notes), work.inputs.notes,
        work.inputs.skipped, seconds,
    )  # fmt: skip


def _facts(work: HideWork, report: HideReport) -> dict[str, object]:
    """The contents of `run.json`."""
    given: dict[str, object] = {"given": list(work.given), "root": work.inputs.root}
    return {
        "fkp": __version__,
        "python": platform.python_version(),
        **(given if work.paths else {}),
        "inputs": report.inputs,
        "statuses": dict(report.statuses),
        "faces": report.hidden,
        "clear": report.clear,
        "to_check": report.to_check,
        "notes": dict(report.notes),
        "seconds": round(report.seconds, 3),
        "identity": work.identity(),
    }


def _found(work: HideWork, out: Path) -> HideReport:
    """The report of a run that was finished before."""
    facts = read_run(out)
    changed = differences(facts.get("identity", {}), work.identity(), ("then", "now"))
    if changed:
        raise FkpError(
            f"{out}: the run there is finished and differs in {'; '.join(changed)}; overwrite it "
            "to start again"
        )
    return HideReport(
        out, out / PAGE, int(facts["inputs"]), facts["faces"], int(facts["clear"]),
        int(facts["to_check"]), facts["statuses"], finished_before=True,
    )  # fmt: skip
