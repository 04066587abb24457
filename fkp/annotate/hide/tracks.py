"""Where the faces of a clip are in every frame, also in those in which they are not found."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fkp.annotate.hide.config import whole_box
from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.annotate.video.reading import Shot
from fkp.vision.flow import moved, patch
from fkp.vision.images import Image, resized

BRIDGE = 0.5
"""Greatest gap, in seconds, between two frames with a face that is covered by interpolation."""

REACH = 2.0
"""For how many seconds a face is followed by optical flow before the first frame in which it is
found, and after the last one."""

HOLD = 0.2
"""For how many seconds the place where it was last seen stays covered after that."""

GROWTH = 0.4
"""By how much a covered place grows while a face is out of sight, in its sides a second."""

LONG_SIDE = 480
"""Of the reduced frames in which faces are followed, pixels."""

UNLIKE = 0.35
"""A place that correlates less with what it was has lost the face."""

Box = npt.NDArray[np.float64]


class Source(StrEnum):
    """How it is known that a face is in a frame."""

    SEEN = "seen"
    BETWEEN = "between"  # two frames in which it is seen
    FOLLOWED = "followed"  # by optical flow
    HELD = "held"  # where it was last


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A face in a frame. box: (4,) xywh, all of it; points: (K, 2), None where it is not seen; both
    in pixels of the clip. score: NaN where it is not seen.
    """

    box: Box
    source: Source
    score: float = float("nan")
    points: npt.NDArray[np.float32] | None = None


@dataclass(slots=True, eq=False)
class Path:
    """A face through a clip. spots: by frame."""

    number: int
    spots: dict[int, Spot] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The highest."""
        return max(s.score for s in self.spots.values() if s.source is Source.SEEN)

    @property
    def best(self) -> int:
        """The frame in which it has that."""
        seen = (i for i, spot in self.spots.items() if spot.source is Source.SEEN)
        return max(seen, key=lambda i: self.spots[i].score)

    @property
    def seen(self) -> int:
        """The number of frames in which it is found."""
        return sum(spot.source is Source.SEEN for spot in self.spots.values())


@dataclass(slots=True, eq=False)
class Film:
    """What was found in a clip: its faces by number, and the time of each frame in seconds.

    size_wh: of its pictures, (0, 0) where none could be decoded. broken: frames without a picture.
    stamps: the clip's own times.
    """

    paths: dict[int, Path] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    size_wh: tuple[int, int] = (0, 0)
    broken: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Film":
        """The film that the rows of a clip describe."""
        film = cls()
        for index, (_, result) in enumerate(records):
            if result.moment is None:
                continue
            film.times.append(result.moment.time)
            film.stamps.append(result.moment.timestamp)
            if not isinstance(result, Annotated):
                film.broken += 1
                continue
            film.size_wh = result.width, result.height
            for i, face in enumerate(result.faces):
                path = film.paths.setdefault(result.number(i), Path(result.number(i)))
                box = whole_box(face.box, face.points)
                path.spots[index] = Spot(box, Source.SEEN, face.score, face.points)
        return film

    @classmethod
    def of_photo(cls, result: Annotated) -> "Film":
        """A photo as a film of one frame, without a time."""
        film = cls(times=[0.0], size_wh=(result.width, result.height))
        for i, face in enumerate(result.faces):
            spot = Spot(whole_box(face.box, face.points), Source.SEEN, face.score, face.points)
            film.paths[i] = Path(i, {0: spot})
        return film

    @property
    def rate(self) -> float:
        """Frames a second."""
        steps = np.diff(self.times)
        return 1 / max(float(np.median(steps)), 1e-3) if len(steps) else 25.0


@dataclass(slots=True, eq=False)
class _Small:
    """A frame, reduced. cut: whether a scene begins with it."""

    index: int
    gray: Image | None
    cut: bool


@dataclass(slots=True, eq=False)
class _Trail:
    """A face that is followed after its last frame. origin: what it looked like there."""

    path: Path
    box: Box  # in reduced pixels
    origin: npt.NDArray[np.float32]
    left: int  # frames


class Tracer:
    """Completes the paths of a film, in one pass over its frames.

    Gaps of up to BRIDGE are interpolated. Around longer ones, and before and after a path, the face
    is followed by optical flow, backwards and forwards, until it is lost, its scene ends, or
    another path has it. Then its place stays covered for HOLD. Nothing is covered across a cut.
    """

    def __init__(self, film: Film, paths: Sequence[Path]) -> None:
        self._film, self._paths = film, paths
        self._scale = min(1.0, LONG_SIDE / max(*film.size_wh, 1))
        self._reach = max(1, round(REACH * film.rate))
        self._hold = max(1, round(HOLD * film.rate))
        self._past: deque[_Small] = deque(maxlen=self._reach + 1)
        self._trails: list[_Trail] = []
        self._cuts: set[int] = {0}

    def trace(self, shots: Iterable[Shot]) -> None:
        """Add the spots between, before and after those that are there. shots: every frame."""
        begins, ends = self._segments()
        for small in self._small(shots):
            if small.cut:
                self._cuts.add(small.index)
                self._trails = []
            self._forward(small)
            self._past.append(small)
            for path in begins.get(small.index, ()):
                self._backward(path, small)
            for path in ends.get(small.index, ()):
                self._start(path, small)
        for path in self._paths:
            self._bridge(path)
            self._keep_covered(path)

    def _small(self, shots: Iterable[Shot]) -> Iterator[_Small]:
        for shot in shots:
            gray = None
            if shot.gray is not None and shot.fit is not None:
                gray = resized(shot.fit.image(shot.gray), self._scale)
            yield _Small(shot.frame.index, gray, shot.cut)

    def _segments(self) -> tuple[dict[int, list[Path]], dict[int, list[Path]]]:
        """Which paths begin and end with a frame; at a longer gap they do both."""
        begins: dict[int, list[Path]] = {}
        ends: dict[int, list[Path]] = {}
        for path in self._paths:
            own = sorted(path.spots)
            for before, after in zip([None, *own], [*own, None], strict=True):
                if before is not None and after is not None and self._near(before, after):
                    continue
                if after is not None:
                    begins.setdefault(after, []).append(path)
                if before is not None:
                    ends.setdefault(before, []).append(path)
        return begins, ends

    def _near(self, before: int, after: int) -> bool:
        return after - before == 1 or self._film.times[after] - self._film.times[before] <= BRIDGE

    def _reduced(self, box: Box) -> Box:
        return np.concatenate([(box[:2] + 0.5) * self._scale - 0.5, box[2:] * self._scale])

    def _whole(self, box: Box) -> Box:
        return np.concatenate([(box[:2] + 0.5) / self._scale - 0.5, box[2:] / self._scale])

    def _trail(self, path: Path, small: _Small) -> _Trail | None:
        box = self._reduced(path.spots[small.index].box)
        origin = None if small.gray is None else patch(small.gray, box)
        return None if origin is None else _Trail(path, box, origin, self._reach)

    def _start(self, path: Path, small: _Small) -> None:
        trail = self._trail(path, small)
        if trail is not None:
            self._trails.append(trail)

    def _forward(self, small: _Small) -> None:
        """Follow the faces that are no longer found, from the frame before to this one."""
        before = self._past[-1] if self._past else None
        self._trails = [
            trail for trail in self._trails if before and self._step(trail, before, small)
        ]

    def _backward(self, path: Path, small: _Small) -> None:
        """Follow a face to the frames before the one in which it is found first."""
        trail = self._trail(path, small)
        now = small
        for before in list(self._past)[-2::-1]:
            if trail is None or now.cut or not self._step(trail, now, before):
                return
            now = before

    def _step(self, trail: _Trail, before: _Small, after: _Small) -> bool:
        """Follow a face to the next frame; whether it is there."""
        if before.gray is None or after.gray is None or trail.left == 0:
            return False
        if after.index in trail.path.spots or self._taken(trail, after.index):
            return False
        box = moved(before.gray, after.gray, trail.box)
        look = None if box is None else patch(after.gray, box)
        if box is None or look is None or float((look * trail.origin).sum()) < UNLIKE:
            return False
        trail.box, trail.left = box, trail.left - 1
        trail.path.spots[after.index] = Spot(self._whole(box), Source.FOLLOWED)
        return True

    def _taken(self, trail: _Trail, index: int) -> bool:
        """Whether another face that is seen has this place."""
        box = self._whole(trail.box)
        middle = box[:2] + box[2:] / 2
        for other in self._paths:
            spot = other.spots.get(index) if other is not trail.path else None
            if spot is not None and spot.source is Source.SEEN:
                away = np.abs(middle - spot.box[:2] - spot.box[2:] / 2) / spot.box[2:]
                alike = 0.6 < box[3] / spot.box[3] < 1.7
                if alike and float(away.max()) < 0.3:
                    return True
        return False

    def _scene_of(self, one: int, other: int) -> bool:
        """Whether two frames are of one scene."""
        low, high = sorted((one, other))
        return not any(low < cut <= high for cut in self._cuts)

    def _bridge(self, path: Path) -> None:
        """Interpolate the short gaps."""
        own = sorted(path.spots)
        for before, after in pairwise(own):
            if not self._near(before, after) or not self._scene_of(before, after):
                continue
            one, other = path.spots[before].box, path.spots[after].box
            for i in range(before + 1, after):
                share = (i - before) / (after - before)
                box = one + share * (other - one)
                away = min(i - before, after - i) / self._film.rate
                path.spots[i] = Spot(_grown(box, GROWTH * away), Source.BETWEEN)

    def _keep_covered(self, path: Path) -> None:
        """Cover the last place for a while, on both sides of every stretch of frames."""
        own = sorted(path.spots)
        count = len(self._film.times)
        for step in (1, -1):
            for i in own:
                for k in range(1, self._hold + 1):
                    at = i + step * k
                    if at in path.spots or not 0 <= at < count or not self._scene_of(i, at):
                        break
                    box = self._extrapolated(path, i, step, k)
                    path.spots[at] = Spot(_grown(box, GROWTH * k / self._film.rate), Source.HELD)

    def _extrapolated(self, path: Path, i: int, way: int, k: int) -> Box:
        """The box that holds a face where it was, and where it would be if it went on so."""
        box = path.spots[i].box
        before = path.spots.get(i - 2 * way)
        if before is None or before.source is Source.HELD:
            return box
        on = box.copy()
        step = (box[:2] - before.box[:2]) / 2 * k
        on[:2] += np.clip(step, -box[2:] / 2, box[2:] / 2)
        low = np.minimum(box[:2], on[:2])
        high = np.maximum(box[:2] + box[2:], on[:2] + on[2:])
        return np.concatenate([low, high - low])


def _grown(box: Box, share: float) -> Box:
    """A box with so much of its sides more on each side."""
    more = box[2:] * share
    return np.concatenate([box[:2] - more, box[2:] + 2 * more])
