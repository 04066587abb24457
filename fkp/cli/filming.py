"""A run of `fkp video`, as its options ask for it."""

import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import click

from fkp.annotate.inputs import CLIPS, Inputs, find_inputs
from fkp.annotate.output.results import Output, TableStream
from fkp.annotate.pipeline import annotate
from fkp.annotate.video.film import Film
from fkp.annotate.video.live import Live
from fkp.annotate.video.reading import Excerpt
from fkp.annotate.video.run import ClipEngine
from fkp.annotate.video.view import View
from fkp.cli import console
from fkp.cli.clip_folder import ClipFolder, report
from fkp.cli.models import load_named
from fkp.cli.options import FaceRequest
from fkp.errors import FkpError
from fkp.keypoints import Scheme
from fkp.learn.networks.devices import single_thread
from fkp.vision.sources import Opening, is_live, is_stream

PICTURES_ONLY = ("coco", "yolo", "kaggle")
"""Schemas whose entries are picture files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(FaceRequest):
    """The options, as given."""

    inputs: tuple[str, ...]
    out: Path | None
    every: int
    start: float
    end: float
    max_frames: int | None
    smooth: float
    fill: int
    raw: bool
    series: Path | None
    stream_number: int | None
    deinterlace: str
    fps: float | None
    live: bool
    view: bool

    @property
    def to_stdout(self) -> bool:
        """Whether the rows go to stdout."""
        return str(self.out) == "-"

    @property
    def stream(self) -> bool:
        """Whether the one input is a camera, an address or stdin."""
        return any(is_stream(name) for name in self.inputs)

    @property
    def opening(self) -> Opening:
        """How clips are read."""
        return Opening(self.stream_number, self.deinterlace, self.fps)

    @property
    def drops(self) -> bool:
        """Whether frames are dropped rather than that the results fall behind."""
        return self.live or any(is_live(name) for name in self.inputs)

    def check(self) -> None:
        """Raise UsageError for options that contradict each other."""
        if self.resume and self.overwrite:
            raise click.UsageError("--overwrite starts again, --resume goes on: which is it?")
        if self.to_stdout and (self.resume or self.raw or self.series):
            raise click.UsageError("--resume, --raw and --series need a folder: --out FOLDER")
        if self.resume and (self.stream or self.live):
            raise click.UsageError("what came as a stream is gone: --resume needs files")
        if (self.stream or self.live) and len(self.inputs) > 1:
            raise click.UsageError("a stream, or --live, is the one input of a run")
        if self.series and len(self.inputs) > 1:
            raise click.UsageError("--series draws one clip: give one")
        if self.fill and self.drops:
            raise click.UsageError("--fill looks ahead, for which live results cannot wait")
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
        if self.stream:
            return [base / _name(found.paths[0])]
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

    def identity(self, path: str, points: Scheme) -> dict[str, object]:
        """What must be the same for a stopped run to go on with the same bytes at its end."""
        return {
            "clip": path,
            "bytes": os.path.getsize(path) if os.path.exists(path) else None,
            **self.shared_identity(points),
            "--every": self.every,
            "--start": _finite(self.start),
            "--end": _finite(self.end),
            "--max-frames": self.max_frames,
            "--smooth": self.smooth,
            "--fill": self.fill,
            "--raw": self.raw,
            "--stream": self.stream_number,
            "--deinterlace": self.deinterlace,
            "--fps": self.fps,
        }


def run(request: Request) -> int:
    """Annotate clips; the exit code."""
    request.check()
    network = load_named(request.model, request.device)
    output = request.output(network.scheme, gallery=False)
    detector = request.find_detector()
    if request.stream:
        found = Inputs(request.inputs, 0, os.getcwd())
    else:
        out = None if request.to_stdout else request.out
        found = find_inputs(request.inputs, out, CLIPS)
    single_thread()  # decoding, drawing and encoding have the other processors
    config = request.config(output.scheme)
    excerpt = Excerpt(request.every, request.start, request.end, request.max_frames or 0)
    engine = ClipEngine(
        network, detector, config, excerpt, request.opening, request.smooth, request.fill
    )
    with ExitStack() as stack:
        engine = _set_up(request, engine, stack)
        if request.to_stdout:
            return _to_stdout(found.paths, engine, output)
        return _to_folders(request, found, engine, output)


def _set_up(request: Request, engine: ClipEngine, stack: ExitStack) -> ClipEngine:
    """The engine with what its pictures and its live run need."""
    live = None
    if request.drops:
        live = Live(pace=not request.stream)
        stack.enter_context(_stops(live))
    show = None
    if request.view:
        began = time.monotonic()
        view = View(lambda: _now(live, time.monotonic() - began))
        console.note(f"look at {stack.enter_context(view).address}")
        show = view.show
    draws = request.view or not (request.no_overlays or request.to_stdout)
    film = Film(None, request.overlay_size, request.blur or "", show=show) if draws else None
    return replace(engine, live=live, film=film)


def _now(live: Live | None, seconds: float) -> dict[str, object]:
    """What the page says beside the picture."""
    if live is None:
        return {"seconds": f"{seconds:.0f}"}
    median, high = live.latency()
    return {
        "seconds": f"{seconds:.0f}",
        "frames": live.done,
        "dropped": live.dropped,
        "latency": f"{1000 * median:.0f} ms, 95 % below {1000 * high:.0f}",
    }


@contextmanager
def _stops(live: Live) -> Iterator[None]:
    """Let the first Ctrl-C end the run as its stream's end would; the second one breaks it off."""

    def stop(number: int, frame: object) -> None:
        live.stop.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _to_stdout(paths: tuple[str, ...], engine: ClipEngine, output: Output) -> int:
    """Rows of all clips to stdout; all else to stderr."""
    code = 0
    try:
        table = TableStream(sys.stdout.buffer, output.stream)
        for path in paths:
            started = time.perf_counter()
            with console.progress("video") as bar:
                summary = annotate(Inputs((path,), 0, ""), engine, bar, table)
            report(path, summary, engine.live, time.perf_counter() - started, console.note)
            code = 3 if summary.failures else code
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _to_folders(request: Request, found: Inputs, engine: ClipEngine, output: Output) -> int:
    code = 0
    for path, out in zip(found.paths, request.folders(found), strict=True):
        identity = request.identity(path, output.scheme)
        one = ClipFolder(path, out, engine, output, identity)
        draws = not request.no_overlays
        own = one.make(draws, request.raw, request.series, request.overwrite, request.resume)
        code = max(code, own)
    return code


def _finite(number: float) -> float | None:
    """As JSON can have it."""
    return number if math.isfinite(number) else None


def _name(stream: str) -> str:
    """A folder's name for a camera, an address or stdin."""
    if stream == "-":
        return "stdin"
    if stream.isdigit():
        return f"camera{stream}"
    parts = urlsplit(stream)
    last = Path(parts.path).stem or "stream"
    return f"{parts.hostname or 'address'}-{last}"
