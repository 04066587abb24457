"""A run of `fkp video`, as its options ask for it."""

import os
import platform
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from fkp import __version__
from fkp.annotate.gallery import PAGE
from fkp.annotate.inputs import CLIPS, Inputs, find_inputs
from fkp.annotate.outcome import Result
from fkp.annotate.pipeline import AnnotateConfig, Summary, annotate
from fkp.annotate.results import (
    OVERLAY,
    RAW,
    RUN,
    Output,
    TableFile,
    TableStream,
    claim_folder,
    is_finished,
    unreadable_in,
    wanted_scheme,
    write_run,
)
from fkp.annotate.video.page import write_page
from fkp.annotate.video.reading import Excerpt
from fkp.annotate.video.run import ClipEngine, Film
from fkp.cli import console
from fkp.cli.models import find_detector, load_named
from fkp.errors import FkpError, ImageError
from fkp.learn.devices import single_thread
from fkp.vision.recording import with_sound

PICTURES_ONLY = ("coco", "yolo", "kaggle")
"""Schemas whose entries are picture files."""


@dataclass(frozen=True, slots=True)
class Request:
    """The options, as given."""

    inputs: tuple[str, ...]
    out: Path | None
    form: str
    schema: str
    model: str
    scheme: str | None
    detector: str
    detector_model: Path | None
    det_size: int
    min_score: float
    min_face: float
    max_faces: int | None
    confidence: bool
    batch: int
    device: str
    every: int
    start: float
    end: float
    max_frames: int | None
    smooth: float
    fill: int
    raw: bool
    no_overlays: bool
    overlay_size: int
    blur: str | None
    overwrite: bool
    resume: bool

    @property
    def streams(self) -> bool:
        """Whether the rows go to stdout."""
        return str(self.out) == "-"

    def check(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.resume and self.overwrite:
            raise click.UsageError("--overwrite starts again, --resume goes on: which is it?")
        if self.streams and (self.resume or self.raw):
            raise click.UsageError("--resume and --raw need a folder: --out FOLDER")
        if self.schema in PICTURES_ONLY:
            raise click.UsageError(
                f"--schema {self.schema} lists picture files, which the frames of a clip are not; "
                "write the frames out and annotate these, or use another schema"
            )
        if self.start > self.end:
            raise click.UsageError(f"--start {self.start:g} is behind --end {self.end:g}")

    def folders(self, found: Inputs) -> list[Path]:
        """Where the results of each clip go: no two to the same place."""
        if len(found.paths) == 1 and self.out is not None:
            return [self.out]
        base = self.out or Path("results")
        names = [Path(found.relative(path)) for path in found.paths]
        bare = Counter(name.with_suffix("") for name in names)
        folders = [
            base / (name.with_suffix("") if bare[name.with_suffix("")] == 1 else name)
            for name in names
        ]
        twice = [folder for folder, count in Counter(folders).items() if count > 1]
        if twice:
            raise FkpError(f"{twice[0]}: two clips would share this folder; give each once")
        return folders


@dataclass(slots=True)
class _Run:
    """What is the same for all clips."""

    request: Request
    engine: ClipEngine
    output: Output

    def stream(self, paths: tuple[str, ...]) -> int:
        """Rows of all clips to stdout; all else to stderr."""
        code = 0
        try:
            table = TableStream(sys.stdout.buffer, self.output.stream)
            for path in paths:
                try:
                    with console.progress("video") as bar:
                        started = time.perf_counter()
                        summary = annotate(Inputs((path,), 0, ""), self.engine, bar, table)
                except ImageError as error:
                    console.warn(f"unreadable: {path}: {error}")
                    code = 3
                    continue
                _print(path, summary, time.perf_counter() - started, console.note)
                code = 3 if summary.failures else code
        except BrokenPipeError:  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return code

    def folder(self, path: str, out: Path) -> int:
        """All files of one clip."""
        request = self.request
        claim_folder(out, request.overwrite, request.resume)
        if request.resume and is_finished(out):
            console.say(f"{out}: is finished already")
            return 3 if unreadable_in(out) else 0
        started, when = time.perf_counter(), datetime.now(UTC)
        pictures = out / f"{OVERLAY}.pictures.part"
        film = Film(pictures, request.overlay_size, request.blur or "")
        rows = self.output.table
        try:
            with ExitStack() as stack:
                bar = stack.enter_context(console.progress("video"))
                table = stack.enter_context(TableFile(out / f"keypoints.{rows.suffix}", rows))
                raw = None
                if request.raw:
                    other = TableFile(out / RAW, replace(self.output, form="csv").table)
                    raw = _Raw(path, stack.enter_context(other))
                engine = replace(self.engine, film=None if request.no_overlays else film, raw=raw)
                summary = annotate(Inputs((path,), 0, ""), engine, bar, table)
            overlay = self._overlay(path, pictures, out / OVERLAY)
            page = None if overlay is None else OVERLAY
            write_page(out / PAGE, page, rows.read(out / f"keypoints.{rows.suffix}"))
            self.output.finish(out, os.path.dirname(os.path.abspath(path)), 1)
        finally:
            pictures.unlink(missing_ok=True)
        seconds = time.perf_counter() - started
        facts = _facts(path, summary, seconds)
        write_run(out / RUN, {**facts, "started": when.isoformat(timespec="seconds")})
        self.output.tidy(out)
        _print(path, summary, seconds, console.say)
        console.say(f"look at {out / PAGE}")
        return 3 if summary.failures else 0

    def _overlay(self, path: str, pictures: Path, target: Path) -> Path | None:
        if not pictures.exists():  # none wanted, or no frame could be decoded
            return None
        part = target.with_name(target.name + ".part")
        with_sound(pictures, path, part, self.request.start, self.request.end)
        os.replace(part, target)
        return target


@dataclass(frozen=True, slots=True)
class _Raw:
    """Writes the points before they are smoothed."""

    path: str
    table: TableFile

    def __call__(self, result: Result) -> None:
        self.table.write(self.path, result)


def run(request: Request) -> int:
    """Annotate clips; the exit code."""
    request.check()
    network = load_named(request.model, request.device)
    scheme = wanted_scheme(request.schema, request.scheme, network.scheme)
    network.scheme.convert(np.zeros((len(network.scheme), 2)), scheme)  # raises before any work
    output = Output(scheme, request.form, request.schema, request.confidence, gallery=False)
    detector = find_detector(
        request.detector, request.detector_model, request.det_size, request.min_face
    )
    found = find_inputs(request.inputs, None if request.streams else request.out, CLIPS)
    single_thread()  # decoding, drawing and encoding have the other processors
    config = AnnotateConfig(
        scheme=scheme,
        min_score=request.min_score,
        max_faces=request.max_faces or 0,
        batch=request.batch,
    )
    excerpt = Excerpt(request.every, request.start, request.end, request.max_frames or 0)
    engine = ClipEngine(network, detector, config, excerpt, request.smooth, request.fill)
    whole = _Run(request, engine, output)
    if request.streams:
        return whole.stream(found.paths)
    code = 0
    for path, out in zip(found.paths, request.folders(found), strict=True):
        try:
            code = max(code, whole.folder(path, out))
        except ImageError as error:
            console.warn(f"unreadable: {path}: {error}")
            code = 3
    return code


def _facts(path: str, summary: Summary, seconds: float) -> dict[str, object]:
    """What `run.json` says."""
    frames = sum(summary.statuses.values())
    return {
        "fkp": __version__,
        "python": platform.python_version(),
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "clip": path,
        "frames": frames,
        "statuses": dict(summary.statuses),
        "faces": summary.faces,
        "seconds": {k: round(v, 3) for k, v in {**summary.seconds, "total": seconds}.items()},
        "frames_per_second": round(frames / seconds, 2),
    }


def _print(path: str, summary: Summary, seconds: float, say: Callable[[str], None]) -> None:
    n, counts = sum(summary.statuses.values()), summary.statuses
    say(
        f"{path}: {n} frames in {seconds:.1f} s ({n / seconds:.1f} a second), {counts['ok']} with "
        f"faces, {counts['no_face']} without, {counts['unreadable']} that cannot be decoded"
    )
    if summary.failures:
        console.warn(f"{path}: {len(summary.failures)} frames: {summary.failures[0][1]}")
