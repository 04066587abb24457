"""Live input: frames are dropped to keep up."""

import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from fkp.vision.frames import Frame

KEPT = 10_000
"""Number of recent latencies to keep."""


@dataclass(slots=True, eq=False)
class Live:
    """The state of a live run.

    pace: whether to wait for each frame's time, as for a file. stop: set it to end the run. done:
    frames with results; dropped: frames skipped; latencies: seconds from the arrival of a frame to
    its results. stuck: whether a thread is still waiting for the stream after the run has ended.
    """

    pace: bool = False
    stop: threading.Event = field(default_factory=threading.Event)
    done: int = 0
    dropped: int = 0
    stuck: bool = False
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    _came: dict[int, float] = field(default_factory=dict)

    def newest(self, frames: Iterator[Frame]) -> "Newest":
        """Yield the frames that can be processed in time."""
        return Newest(frames, self)

    def taken(self, frame: Frame, came: float) -> None:
        """Record that work on a frame begins. came: when it arrived."""
        self._came[frame.index] = came

    def told(self, frame: Frame) -> None:
        """Record that the results of a frame are ready."""
        self.done += 1
        self.latencies.append(time.monotonic() - self._came.pop(frame.index))
        # Frames outside the selection have no results.
        self._came = {index: came for index, came in self._came.items() if index > frame.index}

    def latency(self) -> tuple[float, float]:
        """Median and 95th percentile in seconds; NaN without any frame."""
        if not self.latencies:
            return float("nan"), float("nan")
        median, high = np.percentile(list(self.latencies), [50, 95])
        return float(median), float(high)


class Newest:
    """Reads frames in a thread; iterating yields the newest one and drops the others."""

    def __init__(self, frames: Iterator[Frame], live: Live) -> None:
        self._frames, self._live = frames, live
        self._changed = threading.Condition()
        self._slot: tuple[Frame, float] | None = None
        self._ended = self._left = False
        self._problem: BaseException | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._left = True
        # A camera delivers a frame soon, but a pipe may never do so.
        self._thread.join(timeout=2)
        self._live.stuck = self._thread.is_alive()

    def __iter__(self) -> Iterator[Frame]:
        while not self._live.stop.is_set():
            with self._changed:
                # Wake up regularly to check whether to stop.
                self._changed.wait_for(lambda: self._slot is not None or self._ended, timeout=0.1)
                item, self._slot = self._slot, None
                if item is None and self._ended:
                    if self._problem is not None:
                        raise self._problem
                    return
            if item is not None:
                self._live.taken(*item)
                yield item[0]

    def _read(self) -> None:
        try:
            began: float | None = None
            for frame in self._frames:
                now = time.monotonic()
                if self._live.pace:
                    began = now - frame.time if began is None else began
                    time.sleep(max(0.0, began + frame.time - now))
                    now = time.monotonic()
                if self._left or self._live.stop.is_set():
                    return
                with self._changed:
                    self._live.dropped += self._slot is not None
                    self._slot = (frame, now)
                    self._changed.notify()
        except BaseException as error:  # raised by the iterator
            self._problem = error
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
