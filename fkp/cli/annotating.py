"""A run of `fkp annotate`, as its options ask for it."""

import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import click

from fkp import __version__
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs, find_inputs, read_list
from fkp.annotate.inputs import shard as take_shard
from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.journal import Journal, fingerprint
from fkp.annotate.output.merge import SHARD
from fkp.annotate.output.results import (
    CROPS,
    OVERLAYS,
    RUN,
    Output,
    TableFile,
    TableStream,
    claim_folder,
    claimed,
    is_finished,
    unreadable_in,
    write_run,
)
from fkp.annotate.photo.cluster import Cluster
from fkp.annotate.photo.drawing import Drawing
from fkp.annotate.photo.local import Local
from fkp.annotate.pipeline import Engine, Summary, annotate
from fkp.cli import console
from fkp.cli.models import load_named
from fkp.cli.options import FaceRequest
from fkp.keypoints import Scheme
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.devices import single_thread

SHOWN = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(FaceRequest):
    """The options, as given."""

    inputs: tuple[str, ...]
    out: Path
    jobs: int | None
    crops: bool
    crop_size: int
    max_pixels: int
    shard: tuple[int, int]
    null: bool
    backend: str
    scheduler: str | None

    @property
    def streams(self) -> bool:
        """Whether the rows go to stdout."""
        return str(self.out) == "-"

    def check(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.resume and self.overwrite:
            raise click.UsageError("--overwrite starts again, --resume goes on: which is it?")
        if self.resume and self.streams:
            raise click.UsageError("what went to stdout cannot be resumed")
        if self.streams and self.crops:
            raise click.UsageError("--crops needs a folder: --out FOLDER")
        if (self.backend == "dask") != (self.scheduler is not None):
            raise click.UsageError("--backend dask and --scheduler ADDRESS go together")

    def drawing(self) -> Drawing | None:
        """Which pictures to draw, None for none."""
        overlays = None if self.no_overlays or self.streams else self.out / OVERLAYS
        crops = self.out / CROPS if self.crops else None
        if overlays is None and crops is None:
            return None
        return Drawing(
            overlays, self.overlay_size, crops, self.crop_size, self.blur or "", self.max_pixels
        )

    def identity(self, found: Inputs, points: Scheme) -> dict[str, object]:
        """What must be the same for a stopped run to go on with the same bytes at its end."""
        paths = fingerprint(*(os.fsencode(path) for path in found.paths))
        return {
            "inputs": f"{len(found.paths)} files ({paths})",
            SHARD: "{}/{}".format(*self.shard),
            **self.shared_identity(points),
            "--crops": self.crops,
            "--crop-size": self.crop_size,
            "--max-pixels": self.max_pixels,
        }


def run(request: Request) -> int:
    """Annotate; the exit code."""
    request.check()
    network = load_named(request.model, request.device)
    output = request.output(network.scheme, gallery=not request.no_overlays)
    exclude = None if request.streams else request.out
    everything = find_inputs(_expand(request.inputs, request.null), exclude)
    found = take_shard(everything, *request.shard)
    output.check_names(everything.relative(path) for path in everything.paths)
    config = request.config(
        output.scheme,
        jobs=max(1, min(request.jobs or os.cpu_count() or 1, len(found.paths))),
        drawing=request.drawing(),
        max_pixels=request.max_pixels,
    )
    engine = _engine(request, network, config)
    if request.streams:
        return _to_stream(found, engine, output)
    identity = request.identity(everything, output.scheme)
    with claimed(request.out):
        return _to_folder(request, found, engine, output, identity, config.jobs)


def _engine(request: Request, network: Model, config: AnnotateConfig) -> Engine:
    detector = request.find_detector()
    if request.scheduler is not None:
        load = partial(load_named, request.model, request.device)
        return Cluster(load, detector, config, request.scheduler)
    single_thread()  # the workers have the other processors
    return Local(network, detector, config)


def _to_stream(found: Inputs, engine: Engine, output: Output) -> int:
    """Rows to stdout as they are ready; all else to stderr."""
    started = time.perf_counter()
    try:
        table = TableStream(sys.stdout.buffer, output.stream)
        with console.progress("annotate") as progress:
            summary = annotate(found, engine, progress, table)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    _print(found, summary, time.perf_counter() - started, console.note)
    return 3 if summary.failures else 0


def _to_folder(
    request: Request,
    found: Inputs,
    engine: Engine,
    output: Output,
    identity: dict[str, object],
    jobs: int,
) -> int:
    """All files, with a journal."""
    out = request.out
    claim_folder(out, request.overwrite, request.resume)
    if request.resume and is_finished(out):
        console.say(f"{out}: is finished already")
        return 3 if unreadable_in(out) else 0
    started, when = time.perf_counter(), datetime.now(UTC)
    journal = Journal.resume(out, identity)
    rows = output.table
    path = out / f"keypoints.{rows.suffix}"
    if journal.past.done:
        console.say(f"going on after {journal.past.done} of {len(found.paths)} inputs")
    try:
        with (
            console.progress("annotate") as bar,
            TableFile(path, rows, journal.past.bytes) as table,
        ):
            summary = annotate(found, engine, bar, table, journal)
        path = output.finish(out, found.root, jobs)
    except (KeyboardInterrupt, OSError):
        console.warn(f"stopped; --resume goes on, what there is so far is in {out}/")
        raise
    seconds = time.perf_counter() - started
    facts = {**_facts(found, summary, seconds), "started": when.isoformat(timespec="seconds")}
    write_run(out / RUN, {**facts, "identity": identity})
    journal.finish()
    if request.shard[1] == 1:  # fkp merge reads the rows of a shard
        output.tidy(out)
    _print(found, summary, seconds, console.say)
    console.say(f"look at {out / PAGE if output.gallery else path}")
    return 3 if summary.failures else 0


def _facts(found: Inputs, summary: Summary, seconds: float) -> dict[str, object]:
    """What `run.json` says of any run."""
    return {
        "fkp": __version__,
        "python": platform.python_version(),
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "root": found.root,
        "inputs": len(found.paths),
        "statuses": dict(summary.statuses),
        "faces": summary.faces,
        "passed_over": found.passed_over,
        "notes": dict(summary.notes),
        "workers_killed": summary.killed,
        "seconds": {k: round(v, 3) for k, v in {**summary.seconds, "total": seconds}.items()},
        "images_per_second": round(len(found.paths) / seconds, 2),
    }


def _expand(inputs: tuple[str, ...], null: bool) -> list[str]:
    expanded: list[str] = []
    for item in inputs:
        if item == "-":
            expanded += read_list(sys.stdin.buffer.read(), b"\0" if null else b"\n")
        else:
            expanded.append(item)
    return expanded


def _print(found: Inputs, summary: Summary, seconds: float, say: Callable[[str], None]) -> None:
    n = len(found.paths)
    counts = summary.statuses
    console.detail_seconds(summary.seconds)
    say(
        f"{n} pictures in {seconds:.1f} s ({n / seconds:.1f} a second): {summary.faces} faces in "
        f"{counts['ok']}, {counts['no_face']} without a face, {counts['unreadable']} unreadable"
    )
    if found.passed_over:
        say(f"{found.passed_over} files in folders are not pictures by name: passed over")
    for note, count in summary.notes.items():
        say(f"{count} pictures: {note}")
    if summary.killed:
        console.warn(
            f"worker processes were killed {summary.killed} times, perhaps for their memory; "
            "what they did was done again"
        )
    for path, reason in summary.failures[:SHOWN]:
        console.warn(f"unreadable: {path}: {reason}")
    if len(summary.failures) > SHOWN:
        console.warn(
            f"... and {len(summary.failures) - SHOWN} more (status unreadable in the table)"
        )
