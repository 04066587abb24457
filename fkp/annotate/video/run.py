"""The engine of clips: frames in, results out, and the overlay as a video on the side."""

import queue
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from fkp.annotate.faces import KeypointNetwork
from fkp.annotate.inputs import Inputs
from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.pipeline import AnnotateConfig, Chunk
from fkp.annotate.video.follow import Follower
from fkp.annotate.video.reading import Ahead, Excerpt, Shot, chunks, shots
from fkp.annotate.video.steady import Steady
from fkp.annotate.watch import Watch, add_seconds
from fkp.vision.crop import CropTransform
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.draw import KeypointAnnotator, hide
from fkp.vision.images import Image, resized
from fkp.vision.recording import Recording, bits_a_second
from fkp.vision.video import Clip, Frame

WAITING = 8
"""Frames that wait to be drawn at most."""


@dataclass(frozen=True, slots=True)
class Film:
    """The overlay to make. path: for the pictures alone; size: the long side at most, pixels, 0
    for the clip's; hidden: `eyes` or `face` to make them unrecognisable, or nothing.
    """

    path: Path
    size: int = 0
    hidden: str = ""
    annotator: KeypointAnnotator = field(default_factory=KeypointAnnotator)


@dataclass(frozen=True, slots=True)
class ClipEngine:
    """Annotates one clip.

    smooth, fill: as in `Steady`. film: None draws nothing. raw: called with the results as the
    network has them, before they are steadied.
    """

    network: KeypointNetwork
    detector: FaceDetector | None
    config: AnnotateConfig
    excerpt: Excerpt = field(default_factory=Excerpt)
    smooth: float = 0.5
    fill: int = 0
    film: Film | None = None
    raw: Callable[[Result], None] | None = None

    def run(
        self, inputs: Inputs, done: int, progress: Callable[[int, int], None]
    ) -> Generator[Chunk]:
        """The frames of the one input, chunk by chunk; raises ImageError if there are none."""
        (path,) = inputs.paths
        reading, watch = Watch(), Watch()
        follower, steady = Follower(self.network, self.config), Steady(self.smooth, self.fill)
        waiting: deque[Frame] = deque()
        count = 0
        with (
            Clip(path) as clip,
            Ahead(self._chunks(clip, reading)) as ahead,
            _Drawing.of(self.film, path, clip) as drawing,
        ):
            total = self._expected(clip)
            for chunk in _and_end(ahead):
                watch.lap("waiting")
                if chunk is None:
                    results = steady.flush()
                else:
                    found = follower.follow(chunk)
                    if self.raw is not None:
                        for result in found:
                            self.raw(result)
                    results = steady.push(found)
                    waiting.extend(shot.frame for shot in chunk)
                watch.lap("network")
                for result in results:
                    drawing.put(waiting.popleft(), result)
                count += len(results)
                progress(count, max(total, count))
                watch.lap("drawing")
                seconds = dict(watch.seconds)
                watch.seconds.clear()
                yield Chunk([path] * len(results), results, seconds)
            drawing.finish()
            watch.lap("drawing")
            add_seconds(reading.seconds, watch.seconds)
            yield Chunk([], [], reading.seconds)

    def _chunks(self, clip: Clip, watch: Watch) -> Iterator[list[Shot]]:
        detector = self.detector or _Whole(self.network)
        return chunks(shots(clip.frames(), detector, self.excerpt, watch))

    def _expected(self, clip: Clip) -> int:
        total = -(-clip.expected // self.excerpt.every)
        return min(total, self.excerpt.most) if self.excerpt.most else total


def _and_end(items: Ahead) -> Iterator[list[Shot] | None]:
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


class _Drawing:
    """Draws and encodes frames in a thread of its own."""

    def __init__(self, film: Film, path: str, clip: Clip) -> None:
        self._film, self._time_base = film, clip.time_base
        self._most = bits_a_second(path, clip)
        self._queue: queue.Queue[tuple[Frame, Result] | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._problem: BaseException | None = None
        self._thread.start()

    @staticmethod
    def of(film: Film | None, path: str, clip: Clip) -> "_Drawing | _NoDrawing":
        return _NoDrawing() if film is None else _Drawing(film, path, clip)

    def put(self, frame: Frame, result: Result) -> None:
        """Draw a frame, soon."""
        self._queue.put((frame, result))
        self._check()

    def finish(self) -> None:
        """Wait for the last one."""
        self._queue.put(None)
        self._thread.join()
        self._check()

    def _check(self) -> None:
        if self._problem is not None:
            raise self._problem

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        recording: Recording | None = None
        try:
            while (item := self._queue.get()) is not None:
                frame, result = item
                if not isinstance(result, Annotated):
                    continue  # nothing to show: the frame before stays on the screen
                image, faces = frame.bgr(), result.faces
                if self._film.hidden:
                    image = hide(image, faces, self._film.hidden)
                longest = max(image.shape[:2])
                scale = min(1.0, self._film.size / longest) if self._film.size else 1.0
                image = self._film.annotator.draw(resized(image, scale), faces.scaled(scale))
                if recording is None:
                    size = (image.shape[1], image.shape[0])
                    most = round(self._most * scale**2)
                    recording = Recording(self._film.path, size, self._time_base, most)
                recording.write(image, frame.pts)
            if recording is not None:
                recording.__exit__(None, None, None)
        except BaseException as error:  # the caller raises it
            self._problem = error
            while self._queue.get() is not None:
                pass  # let the caller go on to where it sees the problem


class _NoDrawing:
    def put(self, frame: Frame, result: Result) -> None:
        """Nothing."""

    def finish(self) -> None:
        """Nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None
