"""The engine for clips: frames in, results out, and the overlay."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.inputs import Inputs
from fkp.annotate.network import KeypointNetwork
from fkp.annotate.outcome import Failure, Result
from fkp.annotate.pipeline import Chunk
from fkp.annotate.video.film import Drawing, Drawn, Film, Undrawn
from fkp.annotate.video.follow import Follower
from fkp.annotate.video.live import Live
from fkp.annotate.video.reading import (
    DETECT_EVERY,
    Ahead,
    Excerpt,
    Reading,
    Shot,
    Slide,
    Stretch,
    stretches,
)
from fkp.annotate.video.state import State
from fkp.annotate.video.steady import LOOKAHEAD, Steady
from fkp.annotate.watch import Watch, add_seconds
from fkp.errors import NoPicturesError
from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.images import Image
from fkp.vision.sources import Opening
from fkp.vision.video import Clip

PART = 240
"""Minimum number of frames between two points from which a stopped run can be resumed."""


@dataclass(frozen=True, slots=True)
class ClipEngine:
    """Annotates one clip.

    opening: how the clip is read. smooth, fill: as in `Steady`. film: None draws nothing. states:
    the folder for the state to resume from, None for none. live: None takes every frame. source:
    what is opened, where rows have another name for the clip. detect_every: as in `Reading`.
    """

    network: KeypointNetwork
    detector: FaceDetector | None
    config: AnnotateConfig
    excerpt: Excerpt = field(default_factory=Excerpt)
    opening: Opening = field(default_factory=Opening)
    smooth: float = 0.5
    fill: int = 0
    film: Film | None = None
    states: Path | None = None
    live: Live | None = None
    source: str | None = None
    detect_every: int = DETECT_EVERY

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The frames of the one input, chunk by chunk, or a failure of the clip if it has none.

        A chunk is resumable if the `State` after it was saved.
        """
        (path,) = inputs.paths
        try:
            yield from self._run(path, done, progress)
        except NoPicturesError as error:
            yield Chunk([path], [Failure(str(error))], resumable=False)

    def _run(self, path: str, done: int, progress: Callable[[int, int], None]) -> Generator[Chunk]:
        watch = Watch()
        follower, steady, followed = self._begin(done)
        waiting: deque[Slide] = deque()
        last = done
        with ExitStack() as stack:
            clip = stack.enter_context(Clip(self.source or path, self.opening))
            reading = self._reading(done, followed)
            source = self._source(stack, clip, reading)
            drawing = stack.enter_context(self._drawing(clip, done))
            total = self._expected(clip)
            if done:
                waiting.extend(_slides(next(source)))
            for stretch in source:
                watch.lap("waiting")
                found: Sequence[Result] = ()
                if stretch is None:
                    results = steady.flush()
                else:
                    found = follower.follow(stretch)
                    results = steady.push(found)
                    waiting.extend(_slides(stretch))
                    followed += len(stretch.shots)
                if self.config.keep is not None:
                    results = self.config.keep([path] * len(results), results)
                watch.lap("network")
                for result in results:
                    slide = waiting.popleft()
                    drawing.put(slide, result)
                    if self.live is not None:
                        self.live.told(slide.frame)
                done += len(results)
                progress(done, max(total, done))
                mark = self.states is not None and stretch is not None and done - last >= PART
                if mark:
                    drawing.part(done)
                    assert self.states is not None
                    state = State(followed, follower.tracks, follower.count, follower.time, steady)
                    state.save(self.states, done)
                    last = done
                watch.lap("drawing")
                seconds = dict(watch.seconds)
                watch.seconds.clear()
                names = [path] * len(results)
                yield Chunk(names, results, seconds, resumable=mark, raw=found)
            notes = [*clip.notes, *reading.notes, *drawing.finish()]
            watch.lap("drawing")
            seconds = reading.watch.seconds
            add_seconds(seconds, watch.seconds)
            yield Chunk([], [], seconds, resumable=False, notes=notes)
            if not done:
                raise NoPicturesError(self.excerpt.missed())

    def _begin(self, done: int) -> tuple[Follower, Steady, int]:
        """Follower, smoother, and the number of frames that they have seen."""
        if done and self.states is not None:
            scheme = self.config.scheme or self.network.scheme
            past = State.load(self.states, done, scheme)
            follower = Follower(self.network, self.config, past.tracks, past.count, past.time)
            return follower, past.steady, past.followed
        lookahead = LOOKAHEAD if self.live is None else 0
        return Follower(self.network, self.config), Steady(self.smooth, self.fill, lookahead), 0

    def _reading(self, done: int, followed: int) -> Reading:
        detector = self.detector or _Whole(self.network)
        if self.live is not None:
            return Reading(detector, self.excerpt, Watch(), detect_every=1, early=True)
        return Reading(detector, self.excerpt, Watch(), self.detect_every, done, followed)

    def _source(self, stack: ExitStack, clip: Clip, reading: Reading) -> Iterator[Stretch | None]:
        """Frames to process; None after the last ones."""
        if self.live is not None:
            stack.callback(self._leave, clip)
            frames = stack.enter_context(self.live.newest(clip.frames()))
            return _and_end(Stretch([shot]) for shot in reading.shots(frames))
        wanted = reading.shots(clip.frames())
        begun = reading.followed - reading.done if reading.done else None
        return _and_end(iter(stack.enter_context(Ahead(self._stretches(wanted, begun)))))

    def _leave(self, clip: Clip) -> None:
        clip.kept_open = self.live is not None and self.live.stuck

    def _stretches(self, wanted: Iterator[Shot], begun: int | None) -> Iterator[Stretch]:
        """On resuming, first the frames that still wait for results, then the remaining ones."""
        if begun is not None:
            yield Stretch(list(islice(wanted, begun)))
        yield from stretches(wanted)

    def _drawing(self, clip: Clip, number: int) -> Drawing:
        if self.film is None:
            return Undrawn()
        return Drawn(self.film, clip.time_base, clip.reader.bit_rate, number)

    def _expected(self, clip: Clip) -> int:
        total = -(-clip.expected // self.excerpt.every)
        return min(total, self.excerpt.most) if self.excerpt.most else total


def _and_end(items: Iterator[Stretch]) -> Iterator[Stretch | None]:
    yield from items
    yield None


def _slides(stretch: Stretch | None) -> list[Slide]:
    return [] if stretch is None else [shot.slide for shot in stretch.shots]


class _Whole:
    """Treats each frame as the crop of one face."""

    name = "none"
    det_size = 0

    def __init__(self, network: KeypointNetwork) -> None:
        self._layout = network.layout

    def detect(self, image: Image) -> Detections:
        """The whole picture."""
        height, width = image.shape[:2]
        transform = CropTransform.whole(width, height, 1)
        anchors = transform.invert(self._layout - 0.5)
        box = np.array([[0, 0, width, height]], np.float32)
        return Detections(box, np.full(1, np.nan, np.float32), anchors[None])
