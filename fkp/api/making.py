"""Building a run over pictures from the arguments of `fkp.annotate`."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import find_inputs
from fkp.annotate.inputs import shard as take_shard
from fkp.annotate.names import CROPS, OVERLAYS
from fkp.annotate.output.keep import names_one_of
from fkp.annotate.output.results import Output, wanted_scheme
from fkp.annotate.output.schemas import chosen
from fkp.annotate.output.sinks import TableStream
from fkp.annotate.photo.drawing import DrawConfig
from fkp.annotate.photo.local import Local
from fkp.annotate.photo.work import PhotoWork
from fkp.annotate.pipeline import Engine, Progress
from fkp.annotate.run import Report, Say, Work, to_folder, to_stream
from fkp.api.loading import load_once
from fkp.api.network import Network, scheme_of, workers
from fkp.api.wanted import wanted_faces
from fkp.errors import UsageError
from fkp.keypoints import Scheme
from fkp.learn.networks.devices import single_thread
from fkp.learn.networks.names import BUNDLED, find_model
from fkp.vision.head import Camera
from fkp.vision.iris import IRIS
from fkp.vision.measures import MEASURES
from fkp.vision.quality import QUALITY


@dataclass(frozen=True, slots=True)
class Place:
    """Where results go: into a folder, or as rows into an open stream."""

    out: str | Path | BinaryIO | None
    overwrite: bool
    resume: bool
    progress: Progress
    say: Say

    def __post_init__(self) -> None:
        if self.overwrite and self.resume:
            raise UsageError("overwrite and resume cannot be combined")
        if self.resume and self.stream is not None:
            raise UsageError("a run that writes to a stream cannot be resumed; write to a folder")

    @property
    def stream(self) -> BinaryIO | None:
        """The open stream, None for a folder."""
        return None if self.out is None or isinstance(self.out, str | Path) else self.out

    @property
    def folder(self) -> Path | None:
        """The folder, None for a stream or if none was given."""
        return Path(self.out) if isinstance(self.out, str | Path) else None

    def table(self, output: Output) -> TableStream:
        """The rows in the open stream; raises UsageError where there is none."""
        if self.stream is None:
            raise UsageError("give a folder or an open stream for the results")
        return TableStream(self.stream, output.stream)

    def make(self, work: Work, folder: Path) -> Report:
        """Write all files of a run."""
        return to_folder(work, folder, self.overwrite, self.resume, self.progress, self.say)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is written about the faces."""

    scheme: str | Scheme | None
    format: str
    also: str | Sequence[str]
    confidence: bool
    measures: bool
    focal: float | None
    fov: float | None
    overlays: bool
    overlay_size: int | None
    blur: str | None
    paths: bool
    quality: bool
    iris: bool
    keep: str | None
    order: str = "surest"

    def output(self, network: Network, gallery: bool, events: bool = False) -> Output:
        """The settings of the files; raises FkpError, before any work, if the network's points do
        not suit.
        """
        also = (self.also,) if isinstance(self.also, str) else tuple(self.also)
        scheme = wanted_scheme(also, scheme_of(self.scheme), network.keypoints.scheme)
        measures = self.measures or self._about(MEASURES)
        posed = measures or events or any(schema.posed for schema in chosen(also))
        if not posed and (self.focal is not None or self.fov is not None):
            raise UsageError(
                "the camera's focal length and angle of view are for measures, events and openface"
            )
        if self.focal is not None and self.fov is not None:
            raise UsageError("the focal length and the angle of view cannot be combined")
        camera = Camera(self.focal, self.fov)
        measured = camera if measures else None
        rated = self.quality or self._about(QUALITY)
        return Output(
            scheme, self.format, also, self.confidence, gallery, measured, self.paths, rated,
            self.iris or self._about(IRIS), camera,
        )  # fmt: skip

    def _about(self, columns: Sequence[str]) -> bool:
        """Whether `keep` needs any of these columns, which are then also in the table."""
        return self.keep is not None and names_one_of(self.keep, columns)

    def config(self, config: AnnotateConfig, output: Output) -> AnnotateConfig:
        """Which faces are kept, in which order, and what is measured of their pictures."""
        return wanted_faces(
            replace(config, scheme=output.scheme), output.quality, output.iris, self.keep,
            self.order, output.measured,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Photos:
    """Which pictures, and how they are processed. given: as the user named them."""

    given: list[str]
    crops: bool
    crop_size: int
    max_pixels: int
    jobs: int | None
    shard: tuple[int, int]
    backend: str
    scheduler: str | None

    def __post_init__(self) -> None:
        number, total = self.shard
        if not 1 <= number <= total:
            raise UsageError(f"shard: expected I of N with I from 1 to N, got {number} of {total}")
        if (self.backend == "dask") != (self.scheduler is not None):
            raise UsageError("give the address of a scheduler with the backend dask, and only then")

    def drawing(self, wanted: Wanted, folder: Path | None) -> DrawConfig | None:
        """What to draw, None for nothing."""
        if folder is None or not (wanted.overlays or self.crops):
            return None
        return DrawConfig(
            folder / OVERLAYS if wanted.overlays else None, wanted.overlay_size,
            folder / CROPS if self.crops else None, self.crop_size, wanted.blur, self.max_pixels,
        )  # fmt: skip


def annotate_photos(network: Network, photos: Photos, wanted: Wanted, place: Place) -> Report:
    """Annotate pictures."""
    if photos.crops and place.folder is None:
        raise UsageError("crops need a folder for the results, not a stream")
    output = wanted.output(network, gallery=wanted.overlays)
    everything = find_inputs(photos.given, place.folder)
    inputs = take_shard(everything, *photos.shard)
    output.check_names(everything.relative(path) for path in everything.paths)
    config = replace(
        wanted.config(network.config, output), jobs=workers(photos.jobs, inputs),
        drawing=photos.drawing(wanted, place.folder), max_pixels=photos.max_pixels,
    )  # fmt: skip
    engine: Engine = Local(network.keypoints, network.detector, config)
    if photos.scheduler is not None:
        from fkp.annotate.photo.cluster import Cluster

        # The package may be installed elsewhere on the other machines.
        own = network.path == find_model(BUNDLED)
        name = BUNDLED if own else str(network.path.resolve())
        again = partial(load_once, name, network.device)
        engine = Cluster(again, network.detector, config, photos.scheduler)
    work = PhotoWork(
        tuple(photos.given), everything, inputs, engine, output, config, network.identity(),
        photos.shard,
    )  # fmt: skip
    with single_thread():  # leave the other cores to the workers
        if place.folder is not None:
            return place.make(work, place.folder)
        return to_stream(work, place.table(output), place.progress)
