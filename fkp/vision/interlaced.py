"""Deinterlacing by FFmpeg's bwdif."""

from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.filter import Graph

DEINTERLACE = ("auto", "on", "off")
"""auto: frames that are marked as interlaced; on: all frames; off: none."""

_TICK = Fraction(1, 25)
"""Time base in the filter, which needs only increasing times."""

Raw = tuple[int | None, Any, str]
"""A decoded frame: time in ticks (None: unknown), av.VideoFrame (None: broken), and the problem."""


class Deinterlacer:
    """Deinterlaces frames; as many come out, in the same order, at most one frame later.

    mode: one of DEINTERLACE. done: number of deinterlaced frames.
    """

    def __init__(self, mode: str) -> None:
        self.mode, self.done = mode, 0
        self._number = 0
        self._graph: Any = None
        self._format: tuple[int, int, str] | None = None
        self._waiting: deque[Raw] = deque()

    def passed(self, frames: Iterator[Raw]) -> Iterator[Raw]:
        """All frames, deinterlaced where needed."""
        for time, frame, problem in frames:
            if frame is None and self._waiting:  # it keeps its place in the queue
                self._waiting.append((time, None, problem))
            elif frame is None or not self._wanted(frame):
                yield from self._flushed()
                yield time, frame, problem
            else:
                format = (frame.width, frame.height, frame.format.name)
                if format != self._format:
                    yield from self._flushed()
                    self._open(format)
                self.done += self.mode == "on" or bool(frame.interlaced_frame)
                self._waiting.append((time, frame, problem))
                self._number += 1
                frame.pts, frame.time_base = self._number, _TICK
                self._graph.push(frame)
                yield from self._pulled()
        yield from self._flushed()

    def _wanted(self, frame: Any) -> bool:
        # From the first interlaced frame on, the filter gets all: it needs the neighbours.
        begun = self.mode == "on" or self._graph is not None
        return begun or (self.mode == "auto" and bool(frame.interlaced_frame))

    def _open(self, format: tuple[int, int, str]) -> None:
        width, height, name = format
        pixels = av.VideoFormat(name)
        graph = Graph()
        which = "all" if self.mode == "on" else "interlaced"
        graph.link_nodes(
            graph.add_buffer(width=width, height=height, format=pixels, time_base=_TICK),
            graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}"),
            graph.add("buffersink"),
        ).configure()
        self._graph, self._format = graph, format

    def _pulled(self) -> Iterator[Raw]:
        """The frames that are ready, with broken ones in their places."""
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return
            yield from self._broken()
            time, _, problem = self._waiting.popleft()
            yield time, frame, problem

    def _broken(self) -> Iterator[Raw]:
        while self._waiting and self._waiting[0][1] is None:
            yield self._waiting.popleft()

    def _flushed(self) -> Iterator[Raw]:
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled()
            self._graph = self._format = None
        yield from self._broken()
