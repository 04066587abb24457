"""All files of one clip."""

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from fkp import __version__
from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Result
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.journal import Journal
from fkp.annotate.output.results import (
    BLINKS,
    OVERLAY,
    PARTS,
    RAW,
    RUN,
    Output,
    TableFile,
    claim_folder,
    claimed,
    is_finished,
    unreadable_in,
    write_run,
)
from fkp.annotate.output.rows import Record
from fkp.annotate.pipeline import Summary, annotate
from fkp.annotate.video.blinks import write_blinks
from fkp.annotate.video.film import Film
from fkp.annotate.video.live import Live
from fkp.annotate.video.page import write_page
from fkp.annotate.video.run import ClipEngine
from fkp.annotate.video.series import draw_series
from fkp.annotate.video.state import State
from fkp.cli import console
from fkp.vision.recording import with_sound
from fkp.vision.video import is_stream


@dataclass(frozen=True, slots=True)
class ClipFolder:
    """One clip and the folder of its results. identity: what a run that goes on must agree in."""

    path: str
    out: Path
    engine: ClipEngine
    output: Output
    identity: dict[str, object]

    def make(
        self, draws: bool, raw: bool, series: Path | None, overwrite: bool, resume: bool
    ) -> int:
        """Write all; the exit code."""
        with claimed(self.out):
            claim_folder(self.out, overwrite, resume)
            if resume and is_finished(self.out):
                console.say(f"{self.out}: is finished already")
                return 3 if unreadable_in(self.out) else 0
            started, when = time.perf_counter(), datetime.now(UTC)
            try:
                journal, summary = self._annotate(draws, raw)
                self._finish(draws, series)
            except (KeyboardInterrupt, OSError):
                console.warn(f"stopped; --resume goes on, what there is so far is in {self.out}/")
                raise
            seconds = time.perf_counter() - started
            facts = self._facts(summary, seconds)
            write_run(self.out / RUN, {**facts, "started": when.isoformat(timespec="seconds")})
            journal.finish()
            shutil.rmtree(self.out / PARTS)
            self.output.tidy(self.out)
        report(self.path, summary, self.engine.live, seconds, console.say)
        console.say(f"look at {self.out / PAGE}")
        return 3 if summary.failures else 0

    @property
    def table(self) -> Path:
        """The main table."""
        return self.out / f"keypoints.{self.output.table.suffix}"

    def _film(self, draws: bool) -> Film | None:
        film = self.engine.film
        return replace(film, folder=self.out / PARTS) if film is not None and draws else film

    def _annotate(self, draws: bool, raw: bool) -> tuple[Journal, Summary]:
        """The tables, and the parts of the overlay."""
        journal = Journal.resume(self.out, self.identity)
        parts = self.out / PARTS
        parts.mkdir(exist_ok=True)
        past = None
        if journal.past.done:
            past = State.load(parts, journal.past.done, self.output.scheme)
            console.say(f"{self.path}: going on after {past.done} frames")
        with ExitStack() as stack:
            bar = stack.enter_context(console.progress("video"))
            rows = TableFile(self.table, self.output.table, journal.past.bytes)
            table = stack.enter_context(rows)
            written = None
            if raw:
                own = replace(self.output, form="csv").table
                other = TableFile(self.out / RAW, own, past.raw if past else 0)
                written = _Raw(self.path, stack.enter_context(other))
            engine = replace(
                self.engine, film=self._film(draws), raw=written, past=past,
                states=parts if self.engine.live is None else None,
            )  # fmt: skip
            return journal, annotate(Inputs((self.path,), 0, ""), engine, bar, table, journal)

    def _finish(self, draws: bool, series: Path | None) -> None:
        """What is made of the finished tables."""
        film = self._film(draws)
        overlay = None
        if film is not None and film.parts():  # no part where no frame could be decoded
            overlay = OVERLAY
            part = self.out / f"{OVERLAY}.part"
            excerpt = self.engine.excerpt
            sound = None if is_stream(self.path) else self.path
            with_sound(film.parts(), sound, part, excerpt.start, excerpt.end)
            os.replace(part, self.out / OVERLAY)
        write_page(self.out / PAGE, overlay, self._records())
        if self.output.measured is not None:
            write_blinks(self.out / BLINKS, self._records())
        if series is not None:
            draw_series(series, self.output.scheme, self._records())
        self.output.finish(self.out, os.path.dirname(os.path.abspath(self.path)), 1)

    def _records(self) -> Iterator[Record]:
        return self.output.table.read(self.table)

    def _facts(self, summary: Summary, seconds: float) -> dict[str, object]:
        """What `run.json` says."""
        frames = sum(summary.statuses.values())
        facts: dict[str, object] = {
            "fkp": __version__,
            "python": platform.python_version(),
            "arguments": sys.argv[1:],
            "folder": os.getcwd(),
            "clip": self.path,
            "frames": frames,
            "statuses": dict(summary.statuses),
            "faces": summary.faces,
            "notes": dict(summary.notes),
            "seconds": {k: round(v, 3) for k, v in {**summary.seconds, "total": seconds}.items()},
            "frames_per_second": round(frames / seconds, 2),
        }
        if self.engine.live is not None:
            facts["dropped"] = self.engine.live.dropped
            if self.engine.live.done:
                median, high = self.engine.live.latency()
                facts["latency"] = {"median": round(median, 4), "95 %": round(high, 4)}
        return {**facts, "identity": self.identity}


@dataclass(frozen=True, slots=True)
class _Raw:
    """Writes the points before they are smoothed."""

    path: str
    table: TableFile

    def write(self, result: Result) -> None:
        """The rows of a frame."""
        self.table.write(self.path, result)

    def flush(self) -> int:
        """Bring them to the disk."""
        return self.table.flush()


def report(
    path: str, summary: Summary, live: Live | None, seconds: float, say: Callable[[str], None]
) -> None:
    """Say what a run came to."""
    n, counts = sum(summary.statuses.values()), summary.statuses
    console.detail_seconds(summary.seconds)
    if n == counts["unreadable"] == 1:  # the clip itself
        console.warn(f"unreadable: {path}: {summary.failures[0][1]}")
        return
    say(
        f"{path}: {n} frames in {seconds:.1f} s ({n / seconds:.1f} a second), {counts['ok']} with "
        f"faces, {counts['no_face']} without, {counts['unreadable']} that cannot be decoded"
    )
    if live is not None:
        median, high = live.latency()
        say(
            f"{live.dropped} frames dropped; results {1000 * median:.0f} ms after their frame, "
            f"95 % within {1000 * high:.0f} ms"
        )
    for note in summary.notes:
        console.warn(f"{path}: {note}")
    if summary.failures:
        console.warn(f"{path}: {len(summary.failures)} frames: {summary.failures[0][1]}")
