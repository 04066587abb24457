"""The engine of clips: frames in, results out, and the overlay as a video on the side."""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import KeypointNetwork
from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Failure, Result
from fkp.annotate.pipeline import Chunk
from fkp.annotate.video.film import Drawing, Drawn, Film, Undrawn
from fkp.annotate.video.follow import Follower
from fkp.annotate.video.live import Live
from fkp.annotate.video.reading import DETECT_EVERY, Ahead, Excerpt, Shot, chunks, shots
from fkp.annotate.video.state import State
from fkp.annotate.video.steady import LOOKAHEAD, Steady
from fkp.annotate.watch import Watch, add_seconds
from fkp.errors import NoPicturesError
from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.images import Image
from fkp.vision.recording import bits_a_second
from fkp.vision.video import Clip, Frame, is_stream

PART = 240
"""Frames after which a run can go on, if it is stopped, at least."""


@dataclass(frozen=True, slots=True)
class ClipEngine:
    """Annotates one clip.

    smooth, fill: as in `Steady`. film: None draws nothing. states: the folder for what is needed to
    resume, None for none. live: None takes every frame.
    """

    network: KeypointNetwork
    detector: FaceDetector | None
    config: AnnotateConfig
    excerpt: Excerpt = field(default_factory=Excerpt)
    smooth: float = 0.5
    fill: int = 0
    film: Film | None = None
    states: Path | None = None
    live: Live | None = None

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The frames of the one input, chunk by chunk; if there are none, the failure of the whole.

        A chunk is resumable where `State` was saved behind it.
        """
        (path,) = inputs.paths
        try:
            yield from self._run(path, done, progress)
        except NoPicturesError as error:
            yield Chunk([path], [Failure(str(error))], resumable=False)

    def _run(self, path: str, done: int, progress: Callable[[int, int], None]) -> Generator[Chunk]:
        reading, watch = Watch(), Watch()
        follower, steady, followed = self._begin(done)
        waiting: deque[Frame] = deque()
        last = done
        with ExitStack() as stack:
            clip = stack.enter_context(Clip(path))
            source = self._source(stack, clip, reading, done, followed)
            drawing = stack.enter_context(self._drawing(path, clip, done))
            total = self._expected(clip)
            if done:
                waiting.extend(shot.frame for shot in next(source) or [])
            for chunk in source:
                watch.lap("waiting")
                found: Sequence[Result] = ()
                if chunk is None:
                    results = steady.flush()
                else:
                    found = follower.follow(chunk)
                    results = steady.push(found)
                    waiting.extend(shot.frame for shot in chunk)
                    followed += len(chunk)
                watch.lap("network")
                for result in results:
                    frame = waiting.popleft()
                    drawing.put(frame, result)
                    if self.live is not None:
                        self.live.told(frame)
                done += len(results)
                progress(done, max(total, done))
                mark = self.states is not None and chunk is not None and done - last >= PART
                if mark:
                    drawing.part(done)
                    assert self.states is not None
                    state = State(followed, follower.tracks, follower.count, steady)
                    state.save(self.states, done)
                    last = done
                watch.lap("drawing")
                seconds = dict(watch.seconds)
                watch.seconds.clear()
                names = [path] * len(results)
                yield Chunk(names, results, seconds, resumable=mark, raw=found)
            drawing.finish()
            watch.lap("drawing")
            add_seconds(reading.seconds, watch.seconds)
            notes = [*clip.notes] if done else [*clip.notes, "no frame of it was wanted"]
            yield Chunk([], [], reading.seconds, resumable=False, notes=notes)

    def _begin(self, done: int) -> tuple[Follower, Steady, int]:
        """Follower, smoother, and the number of frames that they have seen."""
        if done and self.states is not None:
            scheme = self.config.scheme or self.network.scheme
            past = State.load(self.states, done, scheme)
            follower = Follower(self.network, self.config, past.tracks, past.count)
            return follower, past.steady, past.followed
        lookahead = LOOKAHEAD if self.live is None else 0
        return Follower(self.network, self.config), Steady(self.smooth, self.fill, lookahead), 0

    def _source(
        self, stack: ExitStack, clip: Clip, watch: Watch, done: int, followed: int
    ) -> Iterator[list[Shot] | None]:
        """Chunks; None after the last one."""
        detector = self.detector or _Whole(self.network)
        if self.live is not None:
            stack.callback(self._leave, clip)
            frames = stack.enter_context(self.live.newest(clip.frames()))
            each = shots(frames, detector, self.excerpt, watch, detect_every=1)
            return _and_end([shot] for shot in each)
        wanted = shots(
            clip.frames(), detector, self.excerpt, watch, DETECT_EVERY, done, followed
        )  # fmt: skip
        begun = followed - done if done else None
        return _and_end(iter(stack.enter_context(Ahead(self._chunks(wanted, begun)))))

    def _leave(self, clip: Clip) -> None:
        clip.kept_open = self.live is not None and self.live.stuck

    def _chunks(self, wanted: Iterator[Shot], begun: int | None) -> Iterator[list[Shot]]:
        """First, where the run is resumed, the frames whose results wait; then chunks."""
        if begun is not None:
            yield list(islice(wanted, begun))
        yield from chunks(wanted)

    def _drawing(self, path: str, clip: Clip, number: int) -> Drawing:
        if self.film is None:
            return Undrawn()
        most = bits_a_second(path, clip)
        return Drawn(self.film, clip.time_base, most, number, from_zero=is_stream(path))

    def _expected(self, clip: Clip) -> int:
        total = -(-clip.expected // self.excerpt.every)
        return min(total, self.excerpt.most) if self.excerpt.most else total


def _and_end(items: Iterator[list[Shot]]) -> Iterator[list[Shot] | None]:
    yield from items
    yield None


class _Whole:
    """Takes each frame for the crop of one face."""

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
