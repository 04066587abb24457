"""Tracks of faces by motion and looks, and the assignment of detections to tracks."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from fkp.vision.crop import CropTransform
from fkp.vision.likeness import Look, alike, unit

Place = npt.NDArray[np.complex128]
"""(2,): the crop of a face in the picture: its centre, and its side as a vector to the right; x +
iy in pixels."""

HIDDEN = 1.5
"""Seconds for which a face can be hidden and still keep its number: a second behind something, plus
the time to disappear and reappear."""

MEMORY = 0.6
"""Length of a face's path from which its speed is estimated, in seconds."""

CLEAR = 0.8
"""A face whose points have less than this share of their best confidence is partly hidden, so its
place and look are unreliable."""

FADE = 0.99
"""Decay of the best confidence per frame."""

RETARD = 2.0
"""Time constant, in seconds, with which the expected speed of an unseen face decays."""

REACH, NEW, SPREAD = 0.35, 0.8, 1.0
"""Maximum distance, in crop sides, of a face from the expected place: with a known speed, without
one, and additionally per second since it was seen."""

GROWTH = 0.35
"""Maximum difference of the logarithm of a face's size from the expected one."""

STRANGER = 0.25
"""Likeness below which two faces count as different persons. On YouTube Faces, 90 % of pairs of
different persons are below it, and 8 % of pairs of one person in a clip, which may be seconds apart
(`tests/benchmarks/likeness.py`)."""

KNOWN, JUMP = 0.42, 0.3
"""Likeness above which a face is recognised wherever it is; 7 pairs of different persons in 1000
are above it, and 84 % of pairs of one person in a clip. JUMP is the extra cost of such a match
compared with one in the expected place."""

UNKNOWN = 0.5
"""Likeness assumed for a face that is cut off by the edge of the picture."""

DOUBT = 0.2
"""Seconds after which a face that looks unlike the previous one in its place is another person."""


def place_of(transform: CropTransform) -> Place:
    """The place of a crop, see `Place`."""
    middle = (transform.size - 1) / 2
    ends = transform.invert(np.array([[middle, middle], [middle + transform.size, middle]]))
    centre, right = ends @ np.array([1, 1j])
    return np.array([centre, right - centre])


def transform_at(place: Place, size: int) -> CropTransform:
    """The crop of `size` pixels at a place."""
    turn = size / complex(place[1])
    shift = (size - 1) / 2 * (1 + 1j) - turn * complex(place[0])
    return CropTransform(turn.real, turn.imag, shift.real, shift.imag, size)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """The place of a face at a time. confidence: the mean of its points, NaN if unknown."""

    time: float  # seconds
    place: Place
    confidence: float = float("nan")


@dataclass(slots=True, eq=False)
class Track:
    """A face through time.

    number: None until it is confirmed to be a face. spots: its recent places. box: (4,) x, y of the
    centre, width, height, relative to the crop's centre, in crop sides. score: the detector's last
    score. look: a running mean, recent: the last look; None until it was completely in the picture.
    best: the best confidence of its points; learnt: their confidence when its look was recorded.
    jumped: the time at which it appeared elsewhere. stranded: whether its scene has ended. doubt:
    the look of a face in its place that may be another person's, since the time `doubted`.
    """

    box: npt.NDArray[np.float64]
    score: float
    look: Look | None = None
    number: int | None = None
    spots: list[Spot] = field(default_factory=list)
    best: float = 0.0
    learnt: float = 0.0
    recent: Look | None = None
    jumped: float | None = None
    stranded: bool = False
    doubt: Look | None = None
    doubted: float = 0.0

    @property
    def last(self) -> Spot:
        """Its last place."""
        return self.spots[-1]

    def see(self, spot: Spot) -> None:
        """Add a place; it replaces an earlier guess for that time."""
        self.lose(spot.time)
        insort(self.spots, spot, key=lambda one: one.time)
        if np.isfinite(spot.confidence):
            self.best = max(FADE * self.best, spot.confidence)

    def lose(self, time: float) -> None:
        """Remove the place at a time."""
        self.spots = [spot for spot in self.spots if spot.time != time]

    def jump(self, time: float) -> None:
        """Restart in another place at a time."""
        self.jumped, self.stranded, self.spots = time, False, []

    def likeness(self, look: Look | None) -> float:
        """Likeness to the mean look or to the last one, whichever is greater."""
        if look is None or self.look is None:
            return UNKNOWN
        recent = self.look if self.recent is None else self.recent
        return max(alike(self.look, look), alike(recent, look))

    def forget(self) -> None:
        """Drop places that are too old to estimate its speed."""
        if self.jumped is not None:
            there = [spot for spot in self.spots if spot.time >= self.jumped]
            self.spots, self.jumped = there or self.spots, None
        clear = (spot.time for spot in self.spots if self.is_clear(spot))
        since = max(clear, default=self.last.time) - MEMORY
        self.spots = [spot for spot in self.spots if spot.time >= since]

    def is_clear(self, spot: Spot) -> bool:
        """Whether it was not partly hidden."""
        return not spot.confidence < CLEAR * self.best

    @property
    def moving(self) -> bool:
        """Whether there are enough clear places to estimate a speed."""
        return sum(map(self.is_clear, self.spots)) >= 3

    def learn(self, look: Look | None, confidence: float) -> None:
        """Update the look; replace one that was recorded while the face was partly hidden."""
        confidence = float(np.nan_to_num(confidence))
        if look is None or confidence < CLEAR * self.best:
            return
        fresh = self.look is None or self.learnt < CLEAR * confidence
        self.look = look if fresh or self.look is None else unit(0.8 * self.look + 0.2 * look)
        self.recent, self.learnt = look, confidence

    def expected(self, time: float) -> Place:
        """The expected place: extrapolated from the clear ones, with decaying speed."""
        if not self.moving or time == self.last.time:
            return self.last.place
        spots = [spot for spot in self.spots if self.is_clear(spot)]
        times, places = np.array([s.time for s in spots]), np.array([s.place for s in spots])
        since = times - times.mean()
        speed = since @ (places - places.mean(0)) / max(float(since @ since), 1e-9)
        gap = time - spots[-1].time
        last = spots[-1].place
        expected = last + speed * RETARD * float(np.sign(gap) * -np.expm1(-abs(gap) / RETARD))
        # Extrapolation must not shrink a face to nothing.
        if abs(expected[1]) < abs(last[1]) / 2:
            return last
        return np.asarray(expected, np.complex128)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Tracks assigned to detections, as {index of detection: index of track}.

    near: in the expected place; jumped: elsewhere, recognised by their looks; doubtful: detections
    in the expected place of a track that look unlike it, if both are otherwise unassigned.
    """

    near: dict[int, int] = field(default_factory=dict)
    jumped: dict[int, int] = field(default_factory=dict)
    doubtful: dict[int, int] = field(default_factory=dict)


def assign(
    tracks: Sequence[Track], places: Sequence[Place], looks: Sequence[Look | None], time: float
) -> Assigned:
    """Assign tracks to the faces detected at a time, in seconds.

    Uses the Hungarian method (Kuhn, 1955) on distance, size and look. A face that is too far from a
    track, has another size, or looks unlike it is not assigned to it, unless it is recognised.
    """
    if not tracks or not places:
        return Assigned()
    shape = (len(tracks), len(places))
    near, cost = np.zeros(shape, bool), np.full(shape, np.inf)
    apart = np.full(shape, np.inf)
    found = np.array(places)
    for i, track in enumerate(tracks):
        likeness = np.array([track.likeness(look) for look in looks])
        known = (likeness > KNOWN) & [track.look is not None and k is not None for k in looks]
        cost[i, known] = JUMP + 1 - likeness[known]
        if track.stranded:
            continue
        gap = time - track.last.time
        expected = track.expected(time)
        side = abs(expected[1])
        away = np.minimum(abs(found[:, 0] - expected[0]), abs(found[:, 0] - track.last.place[0]))
        away = away / side / ((REACH if track.moving else NEW) + SPREAD * gap)
        growth = abs(np.log(abs(found[:, 1]) / side)) / (GROWTH + gap)
        near[i] = (away < 1) & (growth < 1)
        possible = near[i] & (likeness > STRANGER)
        own = 0.5 * away + 0.3 * growth
        cost[i, possible] = (own + 1 - likeness)[possible]
        apart[i, near[i]] = own[near[i]]
    pairs = _cheapest(cost)
    taken = set(pairs.values())
    apart[[i for i in range(len(tracks)) if i in taken], :] = np.inf
    apart[:, list(pairs)] = np.inf
    return Assigned(
        {j: i for j, i in pairs.items() if near[i, j]},
        {j: i for j, i in pairs.items() if not near[i, j]},
        _cheapest(apart),
    )


def _cheapest(cost: npt.NDArray[np.float64]) -> dict[int, int]:
    """The pairs {column: row} of least total cost; infinite cost means no pair."""
    # A forbidden pair costs more than all others together and is dropped afterwards.
    never = 4.0 * (min(cost.shape) + 1)
    pairs = zip(*linear_sum_assignment(np.minimum(cost, never)), strict=True)
    return {int(j): int(i) for i, j in pairs if np.isfinite(cost[i, j])}
