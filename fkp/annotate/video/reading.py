"""Frames ahead of time: decoded, looked at for cuts, with faces found in every few of them."""

import queue
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from fkp.annotate.watch import Watch
from fkp.vision.cuts import Cuts
from fkp.vision.detect import Detections, FaceDetector
from fkp.vision.images import Image
from fkp.vision.video import Frame

DETECT_EVERY = 4
"""Frames from one in which the detector looks for faces to the next, at most."""

DETECT_AFTER = 0.15
"""Seconds from one to the next, at most, where frames are further apart than a clip's."""

CHUNK = 16
"""Frames that are worked on together, at most; a chunk ends with a frame that was looked at."""

AHEAD = 2
"""Chunks that wait for the network at most."""


@dataclass(slots=True, eq=False)
class Shot:
    """A frame on its way. gray: (H, W), None without a picture; cut: a scene begins with it.

    found: the detector's faces, None where it has not looked.
    """

    frame: Frame
    gray: Image | None = None
    cut: bool = False
    found: Detections | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height."""
        assert self.gray is not None
        return self.gray.shape[1], self.gray.shape[0]


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Which frames of a clip are wanted: times in seconds by its own clock."""

    every: int = 1
    start: float = -np.inf
    end: float = np.inf
    most: int = 0  # frames; 0: all


def shots(
    frames: Iterable[Frame],
    detector: FaceDetector,
    excerpt: Excerpt,
    watch: Watch,
    detect_every: int = DETECT_EVERY,
    done: int = 0,
    followed: int = 0,
) -> Iterator[Shot]:
    """The wanted frames behind the first `done`; faces are found in those behind the first
    `followed`.
    """
    cuts = Cuts()
    wanted, since, looked = 0, detect_every, -np.inf
    pending = False  # a cut in a frame that is not wanted itself
    for frame in frames:
        if frame.time > excerpt.end:
            return
        inside = frame.time >= excerpt.start
        shot = Shot(frame)
        if not frame.problem:
            shot.gray = frame.gray()
            pending |= cuts.at(shot.gray)
        if not inside or frame.index % excerpt.every:
            continue
        wanted += 1
        watch.lap("decode")
        if shot.gray is not None:
            shot.cut, pending = pending, False
            since += 1
            late = frame.time - looked >= DETECT_AFTER
            if shot.cut or since >= detect_every or late:
                since, looked = 0, frame.time
                if wanted > followed:
                    shot.found = detector.detect(frame.bgr())
                    watch.lap("detect")
        if wanted > done:
            yield shot
        if wanted == excerpt.most:
            return


def chunks(frames: Iterable[Shot], size: int = CHUNK) -> Iterator[list[Shot]]:
    """Frames in chunks, each of which ends with one in which faces were looked for."""
    chunk: list[Shot] = []
    for shot in frames:
        chunk.append(shot)
        full = len(chunk) > size - DETECT_EVERY and shot.found is not None
        if full or len(chunk) >= 2 * size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


class Ahead:
    """Goes through an iterable in a thread of its own, a few items ahead."""

    def __init__(self, items: Iterable[list[Shot]], ahead: int = AHEAD) -> None:
        self._items = items
        self._queue: queue.Queue[list[Shot] | BaseException | None] = queue.Queue(ahead)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def __iter__(self) -> Iterator[list[Shot]]:
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
        except BaseException as error:  # the caller raises it
            last = error
        self._put(last)

    def _put(self, item: list[Shot] | BaseException | None) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
