"""The engine of one machine: workers read, find, cut and draw; they also run the network if it is
light enough for each to have its own, otherwise the parent runs it.

While the network processes one chunk of inputs, the workers read the next one and draw the previous
one. Nothing else is kept, so memory depends only on the chunk size.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

from fkp.annotate.choosing import chosen
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.inputs import Inputs
from fkp.annotate.network import KeypointNetwork, PortableNetwork
from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.photo.cutting import Cut, FaceCutter, spent
from fkp.annotate.photo.drawing import DrawOutcome
from fkp.annotate.photo.workers import Cutting, Finding, Located, Piece, Sketch, Task, Workers
from fkp.annotate.pipeline import Chunk, chunked
from fkp.annotate.watch import Watch, add_seconds
from fkp.vision.detect import FaceDetector
from fkp.vision.process import settle

TASK = 8
"""Inputs per task of a worker."""


@dataclass(frozen=True, slots=True)
class Local:
    """The engine of one machine."""

    network: KeypointNetwork
    detector: FaceDetector | None
    config: AnnotateConfig

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The inputs after the first `done`, chunk by chunk."""
        settle()
        bar = _Progress(done, len(inputs.paths), progress)
        chunks = chunked(inputs.paths, done)
        paths: Sequence[str] = next(chunks, ())
        annotated: Chunk | None = None  # faces found
        drawing: Chunk | None = None  # pictures being drawn
        watch = Watch()
        with Workers(self.config.jobs, bar.told) as workers:
            pending = workers.submit(self._tasks(paths, None, inputs))
            while paths or annotated or drawing:
                watch.skip()
                pieces = pending.result()
                watch.lap("waiting")
                following: Sequence[str] = next(chunks, ())
                if paths or annotated:
                    pending = workers.submit(self._tasks(following, annotated, inputs))
                if drawing is not None:
                    yield _drawn(drawing, pieces)
                drawing, annotated = annotated, None
                if paths:
                    chunk = self._chunk(paths, pieces, watch, workers)
                    if self.config.drawing is None:
                        yield chunk
                    else:
                        annotated = chunk
                paths = following

    def _chunk(
        self, paths: Sequence[str], pieces: Sequence[Piece], watch: Watch, workers: Workers
    ) -> Chunk:
        """The network's part, where the workers have not done it."""
        located = [piece for piece in pieces if isinstance(piece, Located | Failure)]
        results = [piece.result if isinstance(piece, Located) else piece for piece in located]
        seconds: dict[str, float] = {}
        for piece in located:
            if isinstance(piece, Located):
                add_seconds(seconds, piece.seconds)
        watch.skip()
        if not isinstance(self.network, PortableNetwork):
            cuts = [piece for piece in pieces if isinstance(piece, Cut | Failure)]
            add_seconds(seconds, spent(cuts))
            found = predict(cuts, self.network, self.config)
            results = chosen(paths, cuts, found, self.config)
            watch.lap("network")
        add_seconds(seconds, watch.seconds)
        watch.seconds.clear()
        killed, workers.killed = workers.killed, 0
        return Chunk(paths, results, seconds, killed)

    def _tasks(self, paths: Sequence[str], drawn: Chunk | None, inputs: Inputs) -> list[Task]:
        cutter = FaceCutter(
            self.detector, self.network.layout, self.network.size, self.config.max_pixels,
            self.config.finer,
        )  # fmt: skip
        parts = [paths[i : i + TASK] for i in range(0, len(paths), TASK)]
        network = self.network
        tasks: list[Task] = [Cutting(cutter, part) for part in parts]
        if isinstance(network, PortableNetwork):
            tasks = [Finding(cutter, network, self.config, part) for part in parts]
        if drawn is not None and self.config.drawing is not None:
            tasks += [
                Sketch(self.config.drawing, path, inputs.relative(path), result.faces)
                for path, result in zip(drawn.paths, drawn.results, strict=True)
                if isinstance(result, Annotated)
            ]
        return tasks


@dataclass(slots=True)
class _Progress:
    done: int
    total: int
    show: Callable[[int, int], None]

    def told(self, pieces: Sequence[Piece]) -> None:
        """Report the inputs that have been read."""
        self.done += sum(not isinstance(piece, DrawOutcome) for piece in pieces)
        self.show(self.done, self.total)


def _drawn(chunk: Chunk, pieces: Sequence[Piece]) -> Chunk:
    """The chunk with pictures that could not be drawn turned into failures."""
    remaining = iter([piece for piece in pieces if isinstance(piece, DrawOutcome)])
    results: list[Result] = []
    seconds = dict(chunk.seconds)
    for result in chunk.results:
        if isinstance(result, Annotated):
            drawn = next(remaining)
            add_seconds(seconds, drawn.seconds)
            results.append(drawn.of(result))
        else:
            results.append(result)
    return replace(chunk, results=results, seconds=seconds)
