"""Building a run from the arguments of `fkp.annotate` and `fkp.video`."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import BinaryIO

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs, find_inputs
from fkp.annotate.inputs import shard as take_shard
from fkp.annotate.names import CROPS, OVERLAYS
from fkp.annotate.outcome import Failure
from fkp.annotate.output.keep import names_one_of
from fkp.annotate.output.results import Output, wanted_scheme
from fkp.annotate.output.schemas import chosen
from fkp.annotate.output.sinks import TableStream
from fkp.annotate.photo.cluster import Cluster
from fkp.annotate.photo.drawing import DrawConfig
from fkp.annotate.photo.local import Local
from fkp.annotate.photo.work import PhotoWork
from fkp.annotate.pipeline import Engine, Progress, Summary
from fkp.annotate.run import Report, Say, to_folder, to_stream
from fkp.annotate.video.inputs import absent, find_clips, skipped_endings
from fkp.annotate.video.live import Live
from fkp.annotate.video.view import View
from fkp.annotate.video.work import ClipConfig, ClipWork, check_schemas, clip_folders
from fkp.api.network import Network, load_once, scheme_of, wanted_faces, workers
from fkp.errors import UsageError
from fkp.keypoints import Scheme
from fkp.learn.networks.checkpoint import BUNDLED, find_model
from fkp.learn.networks.devices import single_thread
from fkp.vision.head import Camera
from fkp.vision.images import Image
from fkp.vision.measures import MEASURES
from fkp.vision.quality import QUALITY
from fkp.vision.sources import is_live, is_stream


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

    def make(self, work: PhotoWork | ClipWork, folder: Path) -> Report:
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
    keep: str | None
    order: str = "surest"

    def output(self, network: Network, gallery: bool, events: bool = False) -> Output:
        """The settings of the files; raises FkpError, before any work, if the network's points do
        not suit.
        """
        also = (self.also,) if isinstance(self.also, str) else tuple(self.also)
        scheme = wanted_scheme(also, scheme_of(self.scheme), network.model.scheme)
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
        judged = self.quality or self._about(QUALITY)
        return Output(
            scheme, self.format, also, self.confidence, gallery, measured, self.paths, judged,
            camera,
        )  # fmt: skip

    def _about(self, columns: Sequence[str]) -> bool:
        """Whether `keep` needs any of these columns, which are then also in the table."""
        return self.keep is not None and names_one_of(self.keep, columns)

    def config(self, config: AnnotateConfig, output: Output) -> AnnotateConfig:
        """Which faces are kept, in which order, and what is measured of their pictures."""
        return wanted_faces(
            replace(config, scheme=output.scheme), output.quality, self.keep, self.order,
            output.measured,
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
    engine: Engine = Local(network.model, network.detector, config)
    if photos.scheduler is not None:
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
        return to_stream(work, _table(place, output), place.progress)


def _table(place: Place, output: Output) -> TableStream:
    if place.stream is None:
        raise UsageError("give a folder or an open stream for the results")
    return TableStream(place.stream, output.stream)


@dataclass(frozen=True, slots=True)
class Clips:
    """Which clips, and what to make of them. given: as the user named them."""

    given: list[str]
    config: ClipConfig
    live: bool
    view: bool
    stop: threading.Event | None
    on_finish: Callable[[Report], None] | None

    @property
    def stream(self) -> bool:
        """Whether the one input is a camera, an address or stdin."""
        return any(is_stream(name) for name in self.given)

    @property
    def drops(self) -> bool:
        """Whether to drop frames to keep up."""
        return self.live or any(is_live(name) for name in self.given)

    def check(self, place: Place) -> None:
        """Raise UsageError for arguments that contradict each other."""
        config, many = self.config, len(self.given) > 1
        if place.stream is not None and (config.raw or config.series or config.events):
            raise UsageError("raw, series and events need a folder for the results, not a stream")
        if place.resume and (self.stream or self.live):
            raise UsageError("a live stream cannot be resumed: its earlier frames are gone")
        if many and (self.stream or self.live):
            raise UsageError("give one input: streams and live runs cannot be combined with others")
        if many and config.series:
            raise UsageError("series draws one clip; give one input")
        if config.fill and self.drops:
            raise UsageError("fill needs later frames, which a live run cannot wait for")

    def find(self, place: Place) -> Inputs:
        """The clips."""
        if self.stream:
            return Inputs(tuple(self.given), 0, str(Path.cwd()))
        fps = self.config.opening.fps
        found = find_clips(self.given, place.folder, fps)
        for note in found.notes:
            place.say(note)
        if found.skipped:
            endings = skipped_endings(self.given, place.folder, fps)
            listed = ", ".join(f"{ending} {count}" for ending, count in endings.most_common())
            place.say(f"skipped {found.skipped} files that are not clips: {listed}")
        return found


def annotate_clips(
    network: Network, clips: Clips, wanted: Wanted, place: Place
) -> list[Report]:  # fmt: skip
    """Annotate clips, or one stream."""
    clips.check(place)
    output = wanted.output(network, gallery=False, events=clips.config.events)
    check_schemas(output)
    if clips.config.events:
        output.check_68("events")
    found = clips.find(place)
    table = None if place.stream is None else _table(place, output)
    folders = [None] * len(found.paths) if table else clip_folders(found, place.folder)
    config = wanted.config(network.config, output)
    source = network.identity()
    reports = []
    with ExitStack() as stack:
        stack.enter_context(single_thread())  # the other cores decode, draw and encode
        live = None
        if clips.drops:
            live = Live(pace=not clips.stream, stop=clips.stop or threading.Event())
        show = stack.enter_context(_page(live, place.say)) if clips.view else None
        for path, folder in zip(found.paths, folders, strict=True):
            work = ClipWork(
                path, folder, network.model, network.detector, config, clips.config, output,
                source, live, show,
            )  # fmt: skip
            missing = absent(path)
            if folder is not None and missing is not None:
                report = _missed(work, missing)
            elif folder is not None:
                report = place.make(work, folder)
            else:
                assert table is not None
                report = to_stream(work, table, place.progress)
            reports.append(report)
            if clips.on_finish is not None:
                clips.on_finish(report)
    return reports


def _missed(work: ClipWork, reason: str) -> Report:
    """The report of a clip that does not exist; no folder is made for it."""
    summary = Summary()
    summary.count(work.name, Failure(reason))
    return Report(work.name, 1, summary, 0.0)


@contextmanager
def _page(live: Live | None, say: Say) -> Iterator[Callable[[Image], None]]:
    """The page that shows the pictures live on this machine."""
    began = time.monotonic()
    with View(lambda: _now(live, time.monotonic() - began)) as view:
        say(f"watch at {view.address}")
        yield view.show


def _now(live: Live | None, seconds: float) -> dict[str, object]:
    """The text beside the picture."""
    facts: dict[str, object] = {"seconds": f"{seconds:.0f}"}
    if live is not None:
        median, high = live.latency()
        facts["frames"] = live.done
        facts["dropped"] = live.dropped
        facts["latency"] = f"{1000 * median:.0f} ms, 95 % below {1000 * high:.0f}"
    return facts
