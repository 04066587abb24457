"""Annotation on many machines: whole chunks through joblib's Dask backend (the extra `dask`).

Every worker has its own network; the caller writes the rows in order and keeps the journal. The
pictures, and the result folder if pictures are drawn, must be on a file system that all machines
share.
"""

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import joblib

import fkp
from fkp.annotate.choosing import chosen
from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import predict
from fkp.annotate.inputs import Inputs
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.photo.cutting import FaceCutter, spent
from fkp.annotate.pipeline import Chunk, chunked
from fkp.annotate.watch import add_seconds
from fkp.errors import FkpError
from fkp.vision.detect import FaceDetector

AHEAD = 8
"""Chunks in flight for each thread of the cluster."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The engine of a Dask cluster. load: loads the network in a worker."""

    load: Callable[[], KeypointNetwork]
    detector: FaceDetector | None
    config: AnnotateConfig
    scheduler: str

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The inputs after the first `done`, chunk by chunk."""
        try:
            import distributed
        except ImportError as error:
            raise FkpError("the backend dask needs Dask: pip install 'fkp[dask]'") from error
        try:
            client = distributed.Client(  # type: ignore[no-untyped-call]
                self.scheduler, timeout=5, set_as_default=False
            )
        except (OSError, ValueError) as error:
            raise FkpError(f"{self.scheduler}: no Dask scheduler answers there: {error}") from error
        with client:
            threads = self._check(client)
            chunks = chunked(inputs.paths, done)
            config = self.config
            if config.drawing is not None:
                config = replace(config, drawing=config.drawing.absolute())
            work = joblib.delayed(_annotated)
            try:
                while window := list(islice(chunks, AHEAD * threads)):
                    tasks = [
                        work(self.load, self.detector, config, paths, *_places(paths, inputs))
                        for paths in window
                    ]
                    with joblib.parallel_config("dask", client=client, retries=3):
                        for chunk in joblib.Parallel(return_as="generator", batch_size=1)(tasks):
                            done += len(chunk.paths)
                            progress(done, len(inputs.paths))
                            yield chunk
            except distributed.scheduler.KilledWorker as error:
                raise FkpError(
                    f"{self.scheduler}: some of the inputs after the first {done} kill the workers "
                    "that read them, possibly for lack of memory; resume the run to continue"
                ) from error

    def _check(self, client: Any) -> int:
        """The number of threads of all workers; raises FkpError if there are none, or if fkp
        differs.
        """
        threads = sum(client.nthreads().values())
        if threads == 0:
            raise FkpError(f"{self.scheduler}: the Dask cluster there has no workers")
        try:
            versions = client.run(_version)
        except ModuleNotFoundError as error:
            raise FkpError(f"{self.scheduler}: a worker there has no fkp installed") from error
        for worker, version in versions.items():
            if version != fkp.__version__:
                raise FkpError(f"{worker} has fkp {version}, this is {fkp.__version__}")
        return int(threads)


def _version() -> str:
    return fkp.__version__


def _places(paths: Sequence[str], inputs: Inputs) -> tuple[list[str], list[str]]:
    """The absolute paths of the pictures, and their names relative to the folder of all inputs."""
    return [os.path.abspath(path) for path in paths], [inputs.relative(path) for path in paths]


def _annotated(
    load: Callable[[], KeypointNetwork],
    detector: FaceDetector | None,
    config: AnnotateConfig,
    paths: Sequence[str],
    places: Sequence[str],
    names: Sequence[str],
) -> Chunk:
    """Run all stages on a chunk, in a worker."""
    network = load()
    cutter = FaceCutter(detector, network.layout, network.size, config.max_pixels, config.finer)
    cuts = [cutter(place) for place in places]
    seconds = spent(cuts)
    found = chosen(paths, cuts, predict(cuts, network, config), config)
    results: list[Result] = []
    for place, name, result in zip(places, names, found, strict=True):
        if isinstance(result, Annotated) and config.drawing is not None:
            drawn = config.drawing.draw(place, name, result.faces)
            add_seconds(seconds, drawn.seconds)
            results.append(drawn.of(result))
        else:
            results.append(result)
    return Chunk(paths, results, seconds)
