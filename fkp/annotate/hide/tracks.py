"""Where the faces of a clip are in every frame, including frames in which they are not found."""

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
"""Longest gap between two detections of a face that is interpolated, in seconds."""

REACH = 2.0
"""How long a face is followed by optical flow before its first detection and after its last one, in
seconds."""

HOLD = 0.2
"""How long its last position stays covered after that, in seconds."""

GROWTH = 0.4
"""Growth of the covered box while a face is not found, as a share of its size per second."""

LONG_SIDE = 480
"""Long side of the reduced frames in which faces are followed, in pixels."""

UNLIKE = 0.35
"""A face is lost if its patch correlates less than this with its last detection."""

Box = npt.NDArray[np.float64]


class Source(StrEnum):
    """How the position of a face in a frame is known."""

    SEEN = "seen"  # detected
    BETWEEN = "between"  # interpolated between two detections
    FOLLOWED = "followed"  # by optical flow
    HELD = "held"  # its last position


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """A face in a frame.

    box: (4,) xywh of the whole face; points: (K, 2); both in pixels of the clip. Unless the face is
    seen, points is None and score is NaN.
    """

    box: Box
    source: Source
    score: float = float("nan")
    points: npt.NDArray[np.float32] | None = None


@dataclass(slots=True, eq=False)
class Track:
    """A face through a clip. spots: by frame."""

    number: int
    spots: dict[int, Spot] = field(default_factory=dict)

    @property
    def score(self) -> float:
        """The highest score of its detections."""
        return max(s.score for s in self.spots.values() if s.source is Source.SEEN)

    @property
    def best(self) -> int:
        """The frame with the highest score."""
        seen = (i for i, spot in self.spots.items() if spot.source is Source.SEEN)
        return max(seen, key=lambda i: self.spots[i].score)

    @property
    def seen(self) -> int:
        """The number of frames in which it is detected."""
        return sum(spot.source is Source.SEEN for spot in self.spots.values())


@dataclass(slots=True, eq=False)
class Footage:
    """What was found in a clip.

    tracks: of its faces, by number. times: of its frames, in seconds; stamps: the clip's own
    timestamps. size_wh: of its frames, (0, 0) if none could be decoded. broken: number of frames
    that could not.
    """

    tracks: dict[int, Track] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    stamps: list[float] = field(default_factory=list)
    size_wh: tuple[int, int] = (0, 0)
    broken: int = 0

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Footage":
        """Read the rows of a clip."""
        footage = cls()
        for index, (_, result) in enumerate(records):
            if result.moment is None:
                continue
            footage.times.append(result.moment.time)
            footage.stamps.append(result.moment.timestamp)
            if not isinstance(result, Annotated):
                footage.broken += 1
                continue
            footage.size_wh = result.width, result.height
            for i, face in enumerate(result.faces):
                track = footage.tracks.setdefault(result.number(i), Track(result.number(i)))
                box = whole_box(face.box, face.points)
                track.spots[index] = Spot(box, Source.SEEN, face.score, face.points)
        return footage

    @classmethod
    def of_photo(cls, result: Annotated) -> "Footage":
        """A photo as footage of one frame, without timestamps."""
        footage = cls(times=[0.0], size_wh=(result.width, result.height))
        for i, face in enumerate(result.faces):
            spot = Spot(whole_box(face.box, face.points), Source.SEEN, face.score, face.points)
            footage.tracks[i] = Track(i, {0: spot})
        return footage

    @property
    def rate(self) -> float:
        """Frames per second."""
        steps = np.diff(self.times)
        return 1 / max(float(np.median(steps)), 1e-3) if len(steps) else 25.0


@dataclass(slots=True, eq=False)
class _Small:
    """A reduced frame. cut: whether a scene begins with it."""

    index: int
    gray: Image | None
    cut: bool


@dataclass(slots=True, eq=False)
class _Trail:
    """A face that is followed away from a detection. origin: its patch there."""

    track: Track
    box: Box  # in reduced pixels
    origin: npt.NDArray[np.float32]
    left: int  # frames


class Tracer:
    """Completes tracks in one pass over the frames.

    Gaps of up to BRIDGE are interpolated. Into longer ones, and before and after a track, the face
    is followed by optical flow, backwards and forwards, until it is lost, its scene ends, or
    another track has it. Then its position stays covered for HOLD. Nothing is covered across a cut.
    """

    def __init__(self, footage: Footage, tracks: Sequence[Track]) -> None:
        self._footage, self._tracks = footage, tracks
        self._scale = min(1.0, LONG_SIDE / max(*footage.size_wh, 1))
        self._reach = max(1, round(REACH * footage.rate))
        self._hold = max(1, round(HOLD * footage.rate))
        self._past: deque[_Small] = deque(maxlen=self._reach + 1)
        self._trails: list[_Trail] = []
        self._cuts: set[int] = {0}

    def trace(self, shots: Iterable[Shot]) -> None:
        """Add spots between, before and after the detections. shots: every frame."""
        begins, ends = self._segments()
        for small in self._small(shots):
            if small.cut:
                self._cuts.add(small.index)
                self._trails = []
            self._forward(small)
            self._past.append(small)
            for track in begins.get(small.index, ()):
                self._backward(track, small)
            for track in ends.get(small.index, ()):
                self._start(track, small)
        for track in self._tracks:
            self._bridge(track)
            self._keep_covered(track)

    def _small(self, shots: Iterable[Shot]) -> Iterator[_Small]:
        for shot in shots:
            gray = None
            if shot.gray is not None and shot.fit is not None:
                gray = resized(shot.fit.image(shot.gray), self._scale)
            yield _Small(shot.frame.index, gray, shot.cut)

    def _segments(self) -> tuple[dict[int, list[Track]], dict[int, list[Track]]]:
        """The tracks that begin, and that end, at each frame; long gaps end and begin a track."""
        begins: dict[int, list[Track]] = {}
        ends: dict[int, list[Track]] = {}
        for track in self._tracks:
            own = sorted(track.spots)
            for before, after in zip([None, *own], [*own, None], strict=True):
                if before is not None and after is not None and self._near(before, after):
                    continue
                if after is not None:
                    begins.setdefault(after, []).append(track)
                if before is not None:
                    ends.setdefault(before, []).append(track)
        return begins, ends

    def _near(self, before: int, after: int) -> bool:
        times = self._footage.times
        return after - before == 1 or times[after] - times[before] <= BRIDGE

    def _reduced(self, box: Box) -> Box:
        return np.concatenate([(box[:2] + 0.5) * self._scale - 0.5, box[2:] * self._scale])

    def _whole(self, box: Box) -> Box:
        return np.concatenate([(box[:2] + 0.5) / self._scale - 0.5, box[2:] / self._scale])

    def _trail(self, track: Track, small: _Small) -> _Trail | None:
        box = self._reduced(track.spots[small.index].box)
        origin = None if small.gray is None else patch(small.gray, box)
        return None if origin is None else _Trail(track, box, origin, self._reach)

    def _start(self, track: Track, small: _Small) -> None:
        trail = self._trail(track, small)
        if trail is not None:
            self._trails.append(trail)

    def _forward(self, small: _Small) -> None:
        """Follow the faces that are no longer detected from the previous frame to this one."""
        before = self._past[-1] if self._past else None
        self._trails = [
            trail for trail in self._trails if before and self._step(trail, before, small)
        ]

    def _backward(self, track: Track, small: _Small) -> None:
        """Follow a face backwards from its first detection."""
        trail = self._trail(track, small)
        now = small
        for before in list(self._past)[-2::-1]:
            if trail is None or now.cut or not self._step(trail, now, before):
                return
            now = before

    def _step(self, trail: _Trail, before: _Small, after: _Small) -> bool:
        """Follow a face to the next frame; returns whether it is there."""
        if before.gray is None or after.gray is None or trail.left == 0:
            return False
        if after.index in trail.track.spots or self._taken(trail, after.index):
            return False
        box = moved(before.gray, after.gray, trail.box)
        look = None if box is None else patch(after.gray, box)
        if box is None or look is None or float((look * trail.origin).sum()) < UNLIKE:
            return False
        trail.box, trail.left = box, trail.left - 1
        trail.track.spots[after.index] = Spot(self._whole(box), Source.FOLLOWED)
        return True

    def _taken(self, trail: _Trail, index: int) -> bool:
        """Whether another detected face is at this position."""
        box = self._whole(trail.box)
        middle = box[:2] + box[2:] / 2
        for other in self._tracks:
            spot = other.spots.get(index) if other is not trail.track else None
            if spot is not None and spot.source is Source.SEEN:
                away = np.abs(middle - spot.box[:2] - spot.box[2:] / 2) / spot.box[2:]
                alike = 0.6 < box[3] / spot.box[3] < 1.7
                if alike and float(away.max()) < 0.3:
                    return True
        return False

    def _scene_of(self, one: int, other: int) -> bool:
        """Whether two frames belong to one scene."""
        low, high = sorted((one, other))
        return not any(low < cut <= high for cut in self._cuts)

    def _bridge(self, track: Track) -> None:
        """Interpolate the short gaps."""
        own = sorted(track.spots)
        for before, after in pairwise(own):
            if not self._near(before, after) or not self._scene_of(before, after):
                continue
            one, other = track.spots[before].box, track.spots[after].box
            for i in range(before + 1, after):
                share = (i - before) / (after - before)
                box = one + share * (other - one)
                away = min(i - before, after - i) / self._footage.rate
                track.spots[i] = Spot(_grown(box, GROWTH * away), Source.BETWEEN)

    def _keep_covered(self, track: Track) -> None:
        """Cover the last position for a while, on both sides of every run of frames."""
        own = sorted(track.spots)
        count = len(self._footage.times)
        for step in (1, -1):
            for i in own:
                for k in range(1, self._hold + 1):
                    at = i + step * k
                    if at in track.spots or not 0 <= at < count or not self._scene_of(i, at):
                        break
                    box = self._extrapolated(track, i, step, k)
                    track.spots[at] = Spot(
                        _grown(box, GROWTH * k / self._footage.rate), Source.HELD
                    )

    def _extrapolated(self, track: Track, i: int, way: int, k: int) -> Box:
        """The box around a face where it was and where it would be at constant speed."""
        box = track.spots[i].box
        before = track.spots.get(i - 2 * way)
        if before is None or before.source is Source.HELD:
            return box
        on = box.copy()
        step = (box[:2] - before.box[:2]) / 2 * k
        on[:2] += np.clip(step, -box[2:] / 2, box[2:] / 2)
        low = np.minimum(box[:2], on[:2])
        high = np.maximum(box[:2] + box[2:], on[:2] + on[2:])
        return np.concatenate([low, high - low])


def _grown(box: Box, share: float) -> Box:
    """A box that is enlarged on each side by a share of its size."""
    more = box[2:] * share
    return np.concatenate([box[:2] - more, box[2:] + 2 * more])
