"""From inputs to results: workers read, find, cut and draw; the parent runs the network and writes.

While the network has one chunk of inputs, the workers have the next one, and the overlays of the
one before. Nothing else is held, so that the memory depends on the chunk alone.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import joblib

from fkp.annotate.faces import MIN_SCORE, KeypointNetwork, predict
from fkp.annotate.inputs import Inputs
from fkp.annotate.journal import Journal, Past
from fkp.annotate.results import Table
from fkp.annotate.stages import Cut, Drawn, FaceCutter, Failure, Overlay
from fkp.keypoints import Faces, Scheme
from fkp.vision.detect import FaceDetector
from fkp.vision.images import MAX_PIXELS, overlay_name

CHUNK = 96
"""Inputs between two runs of the network; fewer at the beginning, so that first rows come soon."""

TASK = 4
"""Inputs that a worker takes at a time."""

Result = Faces | Failure


@dataclass(frozen=True, slots=True)
class AnnotateConfig:
    """How to annotate.

    scheme, min_score, max_faces, batch: see `faces.predict`.
    overlays: the folder for them, None for none.
    """

    scheme: Scheme | None = None
    min_score: float = MIN_SCORE
    max_faces: int = 0
    jobs: int = 1
    batch: int = 64
    overlays: Path | None = None
    overlay: Overlay = field(default_factory=Overlay)
    max_pixels: int = MAX_PIXELS


@dataclass(slots=True)
class Summary:
    """What a run came to.

    seconds: of all workers together for decode, detect, crop and draw; of the parent for network,
    write and waiting (for workers).
    """

    statuses: Counter[str] = field(default_factory=Counter)  # inputs: ok, no_face, unreadable
    faces: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)  # path, reason
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, stage: str, seconds: float) -> None:
        """Time spent more."""
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds

    def count(self, path: str, result: Result) -> None:
        """One input more."""
        if isinstance(result, Failure):
            self.statuses["unreadable"] += 1
            self.failures.append((path, result.reason))
        else:
            self.statuses["ok" if len(result) else "no_face"] += 1
            self.faces += len(result)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some inputs with what was found in them."""

    paths: Sequence[str]
    results: list[Result]


def annotate(
    inputs: Inputs,
    network: KeypointNetwork,
    detector: FaceDetector | None,
    config: AnnotateConfig,
    progress: Callable[[int, int], None],
    table: Table,
    journal: Journal | None = None,
) -> Summary:
    """Write the rows of all inputs into a table, and their overlays into a folder.

    Rows come in the order of the inputs. An unreadable input is a row, and never ends the run.
    With a journal, a run that was stopped goes on where it was.
    """
    scheme = config.scheme or network.scheme
    past = journal.past if journal is not None else Past()
    summary = Summary(Counter(past.statuses), past.faces, list(past.failures))
    chunks = _chunks(inputs.paths, past.done)

    def write(chunk: _Chunk) -> None:
        with _clock(summary, "write"):
            for path, result in zip(chunk.paths, chunk.results, strict=True):
                table.write(path, result)
                summary.count(path, result)
            written = table.flush()
            if journal is not None:
                journal.commit(summary, written)

    with _Workers(inputs, network, detector, config, progress, past.done) as workers:
        drawn = to_draw = None
        pending = workers.submit(next(chunks, ()), None)
        while True:
            with _clock(summary, "waiting"):
                done = pending.result()
            for stage, seconds in done.seconds():
                summary.add(stage, seconds)
            if drawn is not None:
                write(_without(drawn, done.drawn))
            if not done.paths and to_draw is None:
                break
            pending = workers.submit(next(chunks, ()), to_draw)
            drawn, to_draw = to_draw, None
            with _clock(summary, "network"):
                results = predict(
                    done.cuts, network, scheme, config.batch, config.min_score, config.max_faces
                )
            if done.paths and config.overlays is not None:
                to_draw = _Chunk(done.paths, results)
            elif done.paths:
                write(_Chunk(done.paths, results))
    return summary


@dataclass(frozen=True, slots=True)
class _Done:
    """What the workers have done: the faces cut out of `paths`, and the drawings asked for."""

    paths: Sequence[str]
    cuts: list[Cut | Failure] = field(default_factory=list)
    drawn: list[Drawn] = field(default_factory=list)

    def seconds(self) -> Iterator[tuple[str, float]]:
        """By stage."""
        for part in (*self.cuts, *self.drawn):
            if not isinstance(part, Failure):
                yield from part.seconds.items()


class _Workers:
    """A pool that cuts the faces of one chunk and draws those of another at the same time."""

    def __init__(
        self,
        inputs: Inputs,
        network: KeypointNetwork,
        detector: FaceDetector | None,
        config: AnnotateConfig,
        progress: Callable[[int, int], None],
        done: int,
    ) -> None:
        self.inputs, self.config, self.progress, self.done = inputs, config, progress, done
        self.cutter = FaceCutter(detector, network.layout, network.size, config.max_pixels)
        self.pool = joblib.Parallel(n_jobs=config.jobs, return_as="generator", batch_size=1)
        self.thread = ThreadPoolExecutor(1)

    def __enter__(self) -> "_Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.thread.shutdown(cancel_futures=True)

    def submit(self, paths: Sequence[str], drawn: _Chunk | None) -> "Future[_Done]":
        """Begin with cutting the faces of `paths` and drawing those of `drawn`."""
        return self.thread.submit(self._run, paths, drawn)

    def _run(self, paths: Sequence[str], drawn: _Chunk | None) -> "_Done":
        tasks = [
            joblib.delayed(self.cutter.many)(paths[i : i + TASK])
            for i in range(0, len(paths), TASK)
        ]
        to_draw = [] if drawn is None else self._drawings(drawn)
        tasks += [joblib.delayed(self.config.overlay.draw)(*drawing) for drawing in to_draw]
        done = _Done(paths)
        for result in self.pool(tasks):
            if isinstance(result, Drawn):
                done.drawn.append(result)
                continue
            done.cuts.extend(result)
            self.done += len(result)
            self.progress(self.done, len(self.inputs.paths))
        return done

    def _drawings(self, chunk: _Chunk) -> list[tuple[str, Path, Faces]]:
        folder = self.config.overlays
        if folder is None:
            return []
        return [
            (path, folder / overlay_name(self.inputs.relative(path)), faces)
            for path, faces in zip(chunk.paths, chunk.results, strict=True)
            if isinstance(faces, Faces)
        ]


def _without(chunk: _Chunk, drawn: Sequence[Drawn]) -> _Chunk:
    """The chunk, in which pictures that could not be drawn have become failures."""
    remaining = iter(drawn)
    results: list[Result] = []
    for result in chunk.results:
        problem = next(remaining).problem if isinstance(result, Faces) else None
        results.append(result if problem is None else Failure(problem))
    return _Chunk(chunk.paths, results)


def _chunks(paths: Sequence[str], done: int) -> Iterator[Sequence[str]]:
    """The parts behind the first `done` inputs: always the same ones, wherever a run goes on."""
    start, size = 0, CHUNK // 8
    while start < len(paths):
        if start >= done:
            yield paths[start : start + size]
        start += size
        size = min(2 * size, CHUNK)


@contextmanager
def _clock(summary: Summary, stage: str) -> Iterator[None]:
    """Add the time spent to a stage."""
    started = time.perf_counter()
    yield
    summary.add(stage, time.perf_counter() - started)
