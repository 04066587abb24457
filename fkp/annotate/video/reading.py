"""Reading ahead: frames are decoded, scene cuts found, and faces detected in some frames."""

import queue
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import numpy as np

from fkp.annotate.watch import Watch
from fkp.errors import ImageError
from fkp.vision.canvas import Canvas, Fit
from fkp.vision.crop import CropTransform
from fkp.vision.cuts import Cuts
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.frames import Frame
from fkp.vision.images import Image

DETECT_EVERY = 4
"""Maximum distance, in frames, between two frames with face detection."""

DETECT_AFTER = 0.15
"""Maximum distance in seconds, for clips with a low frame rate."""

CHUNK = 16
"""Maximum number of frames in a stretch, which ends with a frame with face detection."""

AHEAD = 2
"""Maximum number of stretches waiting for the network."""


@dataclass(frozen=True, slots=True, eq=False)
class Slide:
    """A frame for the overlay. pts: ticks since the first wanted frame; fit: its picture's position
    in the canvas, None without a picture.
    """

    frame: Frame
    pts: int
    fit: Fit | None


@dataclass(slots=True, eq=False)
class Shot:
    """A frame in progress.

    gray: (H, W), None without a picture; cut: whether a scene begins with it. found: the detected
    faces, in pixels of the canvas, None without detection.
    """

    frame: Frame
    gray: Image | None = None
    cut: bool = False
    found: Detections | None = None
    fit: Fit | None = None
    pts: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the canvas."""
        assert self.fit is not None
        return self.fit.canvas.size_wh

    @property
    def slide(self) -> Slide:
        """The part of the frame that the overlay needs."""
        return Slide(self.frame, self.pts, self.fit)

    def crop(self, transform: CropTransform) -> Image:
        """Cut a crop (size, size). transform: from the canvas."""
        assert self.fit is not None
        assert self.gray is not None
        return self.fit.cut(transform, self.gray)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The frames of a clip that are wanted. start, end: seconds since its first frame."""

    every: int = 1
    start: float = -np.inf
    end: float = np.inf
    most: int = 0  # frames; 0: all

    @property
    def to_end(self) -> bool:
        """Whether it reaches the end of the clip."""
        return not np.isfinite(self.end) and self.most == 0

    def missed(self) -> str:
        """The message if a clip has no frame in this range."""
        bounds = [f"from {self.start:g} s on"] if self.start > 0 else []
        bounds += [f"up to {self.end:g} s"] if np.isfinite(self.end) else []
        return f"has no frame {' '.join(bounds) or 'in the selection'}"


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """Frames that are processed together. ahead: the next frame with face detection, if it is in
    the same scene.
    """

    shots: list[Shot]
    ahead: Shot | None = None


@dataclass(slots=True, eq=False)
class Reading:
    """How the frames of a clip are read.

    detect_every: maximum distance, in frames, between two frames with face detection. done: the
    number of wanted frames to skip; detection begins after the first `followed`. early: yield each
    frame at once, so cuts are marked some frames late. notes: on the pictures.
    """

    detector: FaceDetector
    excerpt: Excerpt
    watch: Watch
    detect_every: int = DETECT_EVERY
    done: int = 0
    followed: int = 0
    early: bool = False
    notes: list[str] = field(default_factory=list)

    def shots(self, frames: Iterable[Frame]) -> Iterator[Shot]:
        """Select the wanted frames of a clip."""
        excerpt = self.excerpt
        wanted, since, looked = 0, self.detect_every, -np.inf
        pending = False  # a cut in a frame outside the selection
        zero: int | None = None
        for shot in self._scenes(self._upright(frames)):
            frame = shot.frame
            if frame.time > excerpt.end:
                return
            pending |= shot.cut
            if frame.time < excerpt.start or frame.index % excerpt.every:
                continue
            wanted += 1
            zero = frame.pts if zero is None else zero
            shot.pts = frame.pts - zero
            self.watch.lap("decode")
            if shot.gray is not None:
                shot.cut, pending = pending, False
                since += 1
                late = frame.time - looked >= DETECT_AFTER
                if shot.cut or since >= self.detect_every or late:
                    since, looked = 0, frame.time
                    if wanted > self.followed:
                        self._look(shot)
            if wanted > self.done:
                yield shot
            if wanted == excerpt.most:
                return

    def _upright(self, frames: Iterable[Frame]) -> Iterator[Shot]:
        """The frames with their luma and their fit in the canvas of the first one; those that
        cannot be converted get a problem instead.
        """
        canvas: Canvas | None = None
        for frame in frames:
            shot = Shot(frame)
            if frame.picture is not None:
                try:
                    shot.gray = frame.gray()
                except ImageError as error:
                    shot.frame = replace(frame, problem=str(error), picture=None)
                else:
                    size = (shot.gray.shape[1], shot.gray.shape[0])
                    canvas = canvas or Canvas(size, frame.picture.stored(size))
                    shot.fit = canvas.fit(size)
                    self._note_size(shot)
            yield shot

    def _scenes(self, shots: Iterator[Shot]) -> Iterator[Shot]:
        """The same frames, with scene cuts marked."""
        cuts = Cuts()
        waiting: deque[Shot] = deque()
        for shot in shots:
            waiting.append(shot)
            if shot.gray is not None:
                ago = cuts.at(shot.gray, shot.frame.time)
                if ago is not None:
                    seen = [one for one in waiting if one.gray is not None]
                    seen[max(-1 - ago, -len(seen))].cut = True
            while waiting and (self.early or not cuts.suspects):
                yield waiting.popleft()
        yield from waiting

    def _look(self, shot: Shot) -> None:
        """Detect the faces in a frame; one that cannot be converted gets a problem."""
        assert shot.fit is not None
        try:
            shot.found = shot.fit.detections(self.detector.detect(shot.frame.bgr()))
        except ImageError as error:
            shot.frame = replace(shot.frame, problem=str(error), picture=None)
            shot.gray = None
        self.watch.lap("detect")

    def _note_size(self, shot: Shot) -> None:
        """Note once that the picture size changes."""
        assert shot.fit is not None
        if shot.fit.is_whole or self.notes:
            return
        old, new = (f"{w} x {h}" for w, h in (shot.fit.canvas.size_wh, shot.fit.own_wh))
        self.notes.append(
            f"the picture size changes from {old} to {new} at frame {shot.frame.index}; "
            f"all coordinates, and overlay.mp4, are scaled to {old}"
        )


def stretches(frames: Iterable[Shot], size: int = CHUNK) -> Iterator[Stretch]:
    """Frames in stretches, each of which ends with a frame with face detection."""
    source = iter(frames)
    waiting: deque[Shot] = deque()
    while True:
        shots: list[Shot] = []
        while len(shots) < 2 * size:
            shot = waiting.popleft() if waiting else next(source, None)
            if shot is None:
                break
            shots.append(shot)
            if len(shots) > size - DETECT_EVERY and shot.found is not None:
                break
        if not shots:
            return
        yield Stretch(shots, _ahead(source, waiting))


def _ahead(source: Iterator[Shot], waiting: deque[Shot]) -> Shot | None:
    """The next frame with face detection, None if the scene ends before; frames read in between are
    queued.
    """
    while len(waiting) < 2 * DETECT_EVERY:
        if waiting and waiting[-1].cut:
            return None
        if waiting and waiting[-1].found is not None:
            return waiting[-1]
        shot = next(source, None)
        if shot is None:
            return None
        waiting.append(shot)
    return None


class Ahead:
    """Iterates in a separate thread, a few items ahead."""

    def __init__(self, items: Iterable[Stretch], ahead: int = AHEAD) -> None:
        self._items = items
        self._queue: queue.Queue[Stretch | BaseException | None] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Stretch]:
        while True:
            item = self._queue.get()
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item

    def _run(self) -> None:
        last: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    return
        except BaseException as error:  # raised by the iterator
            last = error
        self._put(last)

    def _put(self, item: Stretch | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
