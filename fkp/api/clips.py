"""Building a run over clips from the arguments of `fkp.video`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Failure
from fkp.annotate.pipeline import Summary
from fkp.annotate.run import Report, Say, to_stream
from fkp.annotate.video.inputs import absent, find_clips, skipped_endings
from fkp.annotate.video.live import Live
from fkp.annotate.video.view import View
from fkp.annotate.video.work import ClipConfig, ClipWork, check_schemas, clip_folders
from fkp.api.making import Place, Wanted
from fkp.api.network import Network
from fkp.errors import UsageError
from fkp.learn.networks.devices import single_thread
from fkp.vision.images import Image
from fkp.vision.sources import is_live, is_stream


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
    table = None if place.stream is None else place.table(output)
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
                path, folder, network.keypoints, network.detector, config, clips.config, output,
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
    """The facts shown under the picture."""
    facts: dict[str, object] = {"seconds": f"{seconds:.0f}"}
    if live is not None:
        median, high = live.latency()
        facts["frames"] = live.done
        facts["dropped"] = live.dropped
        facts["latency"] = f"{1000 * median:.0f} ms, 95 % below {1000 * high:.0f}"
    return facts
