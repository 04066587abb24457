"""Steady points: short gaps filled, trembling taken out, without lagging behind."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Result
from fkp.keypoints import Faces

LOOKAHEAD = 12
"""Frames behind the one that is smoothed which are looked at for it."""

BREAK = 0.5
"""Seconds out of sight after which a face's points are smoothed anew."""

BETA = 6.0
"""How fast the cutoff frequency rises with speed: Hz for each face side a second."""

DERIVATIVE = 4.0
"""Cutoff frequency for the speed itself, Hz."""

Points = npt.NDArray[np.float64]


@dataclass(slots=True, eq=False)
class OneEuro:
    """The One Euro filter (Casiez, Roussel & Vogel, CHI 2012), a cutoff for each point.

    cutoff: Hz, for a point at rest. Speeds are in sides of the face a second, so that a face that
    is near is smoothed as one that is far.
    """

    cutoff: float
    time: float = 0.0
    points: Points | None = None
    speed: Points | None = None

    def step(self, time: float, points: Points, side: float) -> Points:
        """The smoothed points (K, 2) of the next moment, which may be before the last one."""
        gap = abs(time - self.time)
        if self.points is None or self.speed is None or gap > BREAK or gap == 0:
            self.time, self.points, self.speed = time, points, np.zeros_like(points)
            return points
        last = np.where(np.isfinite(self.points), self.points, points)
        moved = np.nan_to_num((points - last) / (gap * side))
        self.speed = self.speed + _share(DERIVATIVE, gap) * (moved - self.speed)
        cutoff = self.cutoff + BETA * np.linalg.norm(self.speed, axis=1, keepdims=True)
        self.time, self.points = time, last + _share(cutoff, gap) * (points - last)
        return self.points


def _share(cutoff: npt.NDArray[np.float64] | float, gap: float) -> npt.NDArray[np.float64]:
    """What a new value counts, by the cutoff in Hz and the seconds since the last one."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff * gap)))


@dataclass(slots=True, eq=False)
class Steady:
    """Results of frames in, the same a little later out, steady.

    smooth: 0 (not at all) to 1; fill: the longest gap, in frames, that is filled. Each point is the
    mean of a One Euro filter that comes from before and one that comes from behind, so that what
    lags in the one leads in the other.
    """

    smooth: float
    fill: int
    lookahead: int = LOOKAHEAD
    waiting: deque[Result] = field(default_factory=deque)
    filters: dict[int, OneEuro] = field(default_factory=dict)
    last: dict[int, tuple[int, Annotated]] = field(default_factory=dict)  # frames ago, where seen

    @property
    def hold(self) -> int:
        """Frames that wait for what comes behind them."""
        return max(self.lookahead if self.smooth else 0, self.fill)

    def push(self, results: Sequence[Result]) -> list[Result]:
        """Take the next frames; those that are ready."""
        self.waiting.extend(results)
        return self._settle(len(self.waiting) - self.hold)

    def flush(self) -> list[Result]:
        """The frames that are left, as nothing comes behind them."""
        return self._settle(len(self.waiting))

    def _settle(self, count: int) -> list[Result]:
        if count <= 0:
            return []
        frames = list(self.waiting)
        if self.fill:
            frames = self._filled(frames, count)
        ready = self._smoothed(frames, count) if self.smooth else frames[:count]
        for i in range(count):
            self.waiting.popleft()
            self._note(frames[i])
        return ready

    def _note(self, frame: Result) -> None:
        self.last = {
            n: (ago + 1, where) for n, (ago, where) in self.last.items() if ago < self.fill
        }
        if isinstance(frame, Annotated):
            self.last |= dict.fromkeys(frame.numbers, (0, frame))

    def _filled(self, frames: list[Result], count: int) -> list[Result]:
        """The frames with what is missing of tracks in short gaps that begin before `count`."""
        last = {n: (-1 - ago, where) for n, (ago, where) in self.last.items()}
        filled = list(frames)
        for i, frame in enumerate(frames):
            if not isinstance(frame, Annotated):
                continue
            for number in frame.numbers:
                at, before = last.get(number, (i, frame))
                if 1 < i - at <= self.fill + 1:
                    for j in range(max(0, at + 1), min(i, count)):
                        filled[j] = _with(filled[j], before, frame, number)
                last[number] = (i, frame)
        return filled

    def _smoothed(self, frames: list[Result], count: int) -> list[Result]:
        forward: dict[tuple[int, int], Points] = {}
        for i, number, time, points, side in _all(frames[:count]):
            own = self.filters.setdefault(number, OneEuro(self.cutoff))
            forward[i, number] = own.step(time, points, side)
        if self.lookahead:
            behind: dict[int, OneEuro] = {}
            until = range(min(len(frames), count + self.lookahead) - 1, -1, -1)
            for i, number, time, points, side in _all(frames, until):
                own = behind.setdefault(number, OneEuro(self.cutoff))
                back = own.step(time, points, side)
                if i < count:
                    forward[i, number] = (forward[i, number] + back) / 2
        now = max((f.time for f in self.filters.values()), default=0.0)
        self.filters = {n: f for n, f in self.filters.items() if now - f.time <= BREAK}
        ready: list[Result] = []
        for i, frame in enumerate(frames[:count]):
            if isinstance(frame, Annotated) and len(frame.faces):
                steady = np.array([forward[i, n] for n in frame.numbers]).astype(np.float32)
                ready.append(replace(frame, faces=replace(frame.faces, points=steady)))
            else:
                ready.append(frame)
        return ready

    @property
    def cutoff(self) -> float:
        """Hz, for a point at rest."""
        return max(0.5 * (1 / self.smooth - 1), 0.02)


def _all(
    frames: Sequence[Result], order: range | None = None
) -> Iterator[tuple[int, int, float, Points, float]]:
    """All faces of frames: index, number, time, points (K, 2), side of the box."""
    for i in order or range(len(frames)):
        frame = frames[i]
        if isinstance(frame, Annotated) and frame.moment is not None:
            for j, number in enumerate(frame.numbers):
                points = frame.faces.points[j].astype(np.float64)
                side = float(np.sqrt(frame.faces.boxes[j, 2] * frame.faces.boxes[j, 3]))
                yield i, number, frame.moment.time, points, max(side, 1.0)


def _with(frame: Result, before: Annotated, after: Annotated, number: int) -> Result:
    """A frame with a face that it lacks, between two frames that have it."""
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
    )
    return replace(
        frame, faces=faces, numbers=(*frame.numbers, number), filled=(*frame.filled, True)
    )
