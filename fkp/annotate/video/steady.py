"""Filling short gaps and smoothing jitter in the results of frames."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Result
from fkp.annotate.video.smoothing import parts, smoothed
from fkp.keypoints import Faces

LOOKAHEAD = 12
"""Frames before and after a frame that are used to smooth it."""

BREAK = 0.5
"""Maximum distance in seconds of the frames used to smooth a frame."""


@dataclass(slots=True, eq=False)
class Steady:
    """Takes the results of frames and returns them smoothed, a few frames later.

    smooth: 0 (off) to 1. fill: the longest gap, in frames, to fill by interpolation. lookahead:
    frames after the current one that smoothing waits for; 0 in live runs. A result depends only on
    the frames around it, never on how they are passed to `push`.
    """

    smooth: float
    fill: int
    lookahead: int = LOOKAHEAD
    waiting: deque[Result] = field(default_factory=deque)
    past: deque[Result] = field(default_factory=deque)  # filled, not smoothed
    last: dict[int, tuple[int, Annotated]] = field(default_factory=dict)  # frames ago, where seen

    @property
    def hold(self) -> int:
        """Frames that wait for later ones."""
        return self.fill + (self.lookahead if self.smooth else 0)

    def push(self, results: Sequence[Result]) -> list[Result]:
        """Take the next frames; return those that are ready."""
        self.waiting.extend(results)
        return self._settle(len(self.waiting) - self.hold)

    def flush(self) -> list[Result]:
        """Return the remaining frames, as no more will follow."""
        return self._settle(len(self.waiting))

    def _settle(self, count: int) -> list[Result]:
        if count <= 0:
            return []
        frames = list(self.waiting)
        if self.fill:
            frames = self._filled(frames)
        ready = self._smoothed(frames, count) if self.smooth else frames[:count]
        for frame in frames[:count]:
            self.waiting.popleft()
            self._note(frame)
        return ready

    def _note(self, frame: Result) -> None:
        self.last = {
            n: (ago + 1, where) for n, (ago, where) in self.last.items() if ago < self.fill
        }
        if isinstance(frame, Annotated):
            self.last |= dict.fromkeys(frame.numbers, (0, frame))
        self.past.append(frame)
        while len(self.past) > LOOKAHEAD:
            self.past.popleft()

    def _filled(self, frames: list[Result]) -> list[Result]:
        """The frames with short gaps filled."""
        last = {n: (-1 - ago, where) for n, (ago, where) in self.last.items()}
        filled = list(frames)
        for i, frame in enumerate(frames):
            if not isinstance(frame, Annotated):
                continue
            for number in frame.numbers:
                at, before = last.get(number, (i, frame))
                if 1 < i - at <= self.fill + 1:
                    for j in range(max(0, at + 1), i):
                        filled[j] = _with(filled[j], before, frame, number)
                last[number] = (i, frame)
        return filled

    def _smoothed(self, frames: list[Result], count: int) -> list[Result]:
        """The first `count` frames, smoothed."""
        before = len(self.past)
        lives = _lives([*self.past, *frames])
        ready: list[Result] = []
        for i, frame in enumerate(frames[:count], start=before):
            if isinstance(frame, Annotated) and len(frame.faces):
                faces = frame.faces
                own = [
                    lives[number].smoothed(i, self.lookahead, self.smooth)
                    for number in frame.numbers
                ]
                ready.append(replace(frame, faces=replace(faces, points=np.array(own, np.float32))))
            else:
                ready.append(frame)
        return ready


@dataclass(frozen=True, slots=True, eq=False)
class _Life:
    """A face in successive frames. frames: (T,) their indices; times: (T,) seconds; points:
    (T, K, 2) pixels; part: (G, K), see `parts`.
    """

    frames: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    points: npt.NDArray[np.float64]
    part: npt.NDArray[np.float64]

    def smoothed(self, frame: int, ahead: int, smooth: float) -> npt.NDArray[np.float64]:
        """Its points (K, 2) in the frame of this index."""
        here = int(np.searchsorted(self.frames, frame))
        distance = self.frames - frame
        near = (np.abs(self.times - self.times[here]) <= BREAK) & (
            (distance >= -LOOKAHEAD) & (distance <= ahead)
        )
        at = int(near[:here].sum())
        return smoothed(self.points[near], at, distance[near].astype(np.float64), self.part, smooth)


def _lives(frames: Sequence[Result]) -> dict[int, _Life]:
    """All faces of frames by their numbers."""
    rows: dict[int, list[tuple[int, float, npt.NDArray[np.float32]]]] = {}
    part = np.zeros((0, 0))
    for i, frame in enumerate(frames):
        if isinstance(frame, Annotated) and frame.moment is not None:
            if len(frame.faces) and not part.size:
                part = parts(frame.faces.scheme)
            for j, number in enumerate(frame.numbers):
                own = rows.setdefault(number, [])
                own.append((i, frame.moment.time, frame.faces.points[j]))
    return {
        number: _Life(
            np.array([i for i, _, _ in own]),
            np.array([time for _, time, _ in own]),
            np.array([points for _, _, points in own], np.float64),
            part,
        )
        for number, own in rows.items()
    }


def _with(frame: Result, before: Annotated, after: Annotated, number: int) -> Result:
    """Interpolate a missing face in a frame between two frames that have it."""
    if not isinstance(frame, Annotated) or number in frame.numbers:
        return frame
    time, first, last = (one.moment.time for one in (frame, before, after) if one.moment)
    share = np.float32((time - first) / (last - first))
    i, j = before.numbers.index(number), after.numbers.index(number)

    def mixed(name: str) -> npt.NDArray[np.float32]:
        one, other = getattr(before.faces, name)[i], getattr(after.faces, name)[j]
        return np.asarray(one + share * (other - one), np.float32)[None]

    unknown = np.full((1, len(frame.faces.scheme)), np.nan, np.float32)
    none = np.full(1, np.nan, np.float32)
    own = frame.faces
    faces = Faces(
        own.scheme,
        np.concatenate([own.boxes, mixed("boxes")]),
        np.concatenate([own.scores, none]),
        np.concatenate([own.points, mixed("points")]),
        np.concatenate([own.confidence, unknown]),
        quality=None
        if own.quality is None
        else np.concatenate([own.quality, np.full((1, 2), np.nan, np.float32)]),
        iris=None if before.faces.iris is None else _one_more(own.iris),
    )
    return replace(
        frame, faces=faces, numbers=(*frame.numbers, number), filled=(*frame.filled, True)
    )


def _one_more(irises: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
    """The irises of the faces of a frame, None without faces, and those of a face of which they are
    not known.
    """
    known = np.zeros((0, 2, 3), np.float32) if irises is None else irises
    return np.concatenate([known, np.full((1, 2, 3), np.nan, np.float32)])
