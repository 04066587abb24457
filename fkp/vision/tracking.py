"""Which face of one frame is which of the next: places, motion, looks, and the best assignment."""

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from fkp.vision.crop import CropTransform
from fkp.vision.likeness import Look, alike, unit

Place = npt.NDArray[np.complex128]
"""(2,): where the crop of a face is in the picture: its centre, and its side as a vector to the
right; x + iy in pixels."""

HIDDEN = 1.5
"""Seconds that a face can be out of sight and still be known again: a second behind something, and
what is lost while it goes there and comes back."""

MEMORY = 0.6
"""Seconds of its path by which a face's speed is known."""

CLEAR = 0.8
"""A face whose points are less sure than this share of what they were at best is half hidden: where
it is then says little of how it moves or looks."""

FADE = 0.99
"""What is left, a frame later, of how sure a face's points were at best."""

RETARD = 2.0
"""Seconds in which a face that is not seen loses its speed, all but 1/e of it."""

REACH, NEW, SPREAD = 0.35, 0.8, 1.0
"""How far, in crop sides, a face may be from where it is expected: at once, if its speed is known
or not, and more each second that it was not seen."""

GROWTH = 0.35
"""How much the logarithm of a face's size may differ from what is expected."""

STRANGER = 0.3
"""Faces that are less alike are of two persons: 97 % of such pairs are, and 11 % of pairs from one
clip that may be seconds apart (YouTube Faces)."""

KNOWN, JUMP = 0.45, 0.3
"""A face that is more alike than KNOWN is of that person wherever it is: one pair of two persons in
1000 is. Where there is a face in the right place that is as alike, that is it, as if the other one
were less alike by JUMP."""

UNKNOWN = 0.5
"""How alike faces count as of which one has not been whole in the picture."""

DOUBT = 0.2
"""Seconds after which a face that does not look like the one that was there is somebody else."""


def place_of(transform: CropTransform) -> Place:
    """Where a crop lies."""
    middle = (transform.size - 1) / 2
    ends = transform.invert(np.array([[middle, middle], [middle + transform.size, middle]]))
    centre, right = ends @ np.array([1, 1j])
    return np.array([centre, right - centre])


def transform_at(place: Place, size: int) -> CropTransform:
    """The crop of `size` pixels that lies there."""
    turn = size / complex(place[1])
    shift = (size - 1) / 2 * (1 + 1j) - turn * complex(place[0])
    return CropTransform(turn.real, turn.imag, shift.real, shift.imag, size)


@dataclass(frozen=True, slots=True, eq=False)
class Spot:
    """Where a face was. sure: how sure its points were, NaN where that is not known."""

    time: float  # seconds
    place: Place
    sure: float = float("nan")


@dataclass(slots=True, eq=False)
class Track:
    """A face through time.

    number: None until it is sure that it is a face. spots: the last places in which it was seen.
    box: (4,) x, y of the centre, width, height, from the crop's centre in crop sides. score: the
    detector's last one. look: what it looks like, recent: what it looked like last; None until it
    was whole in the picture. best: how sure its points were at best, learnt: when it looked like
    this. jumped: the time at which it was
    suddenly elsewhere. stranded: whether its scene has ended since it was seen. doubt: the look of
    a face in its place that may be somebody else's, since the time doubted.
    """

    box: npt.NDArray[np.float64]
    score: float
    look: Look | None
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
        """Where it was seen last."""
        return self.spots[-1]

    def see(self, spot: Spot) -> None:
        """It was there; what was thought of that moment before is no longer true."""
        self.lose(spot.time)
        insort(self.spots, spot, key=lambda one: one.time)
        if np.isfinite(spot.sure):
            self.best = max(FADE * self.best, spot.sure)

    def lose(self, time: float) -> None:
        """It was not there at that time."""
        self.spots = [spot for spot in self.spots if spot.time != time]

    def jump(self, time: float) -> None:
        """At that time it is elsewhere all of a sudden."""
        self.jumped, self.stranded, self.spots = time, False, []

    def likeness(self, look: Look | None) -> float:
        """How alike a face is to what this one looks like, or looked like last."""
        if look is None or self.look is None:
            return UNKNOWN
        recent = self.look if self.recent is None else self.recent
        return max(alike(self.look, look), alike(recent, look))

    def forget(self) -> None:
        """Keep only what says how it moves now."""
        if self.jumped is not None:
            there = [spot for spot in self.spots if spot.time >= self.jumped]
            self.spots, self.jumped = there or self.spots, None
        clear = (spot.time for spot in self.spots if self.is_clear(spot))
        since = max(clear, default=self.last.time) - MEMORY
        self.spots = [spot for spot in self.spots if spot.time >= since]

    def is_clear(self, spot: Spot) -> bool:
        """Whether it was not half hidden."""
        return not spot.sure < CLEAR * self.best

    @property
    def moving(self) -> bool:
        """Whether it was in plain sight often enough to have a speed."""
        return sum(map(self.is_clear, self.spots)) >= 3

    def learn(self, look: Look | None, sure: float) -> None:
        """It looks like this, too; only so, if it was half hidden before."""
        sure = float(np.nan_to_num(sure))
        if look is None or sure < CLEAR * self.best:
            return
        fresh = self.look is None or self.learnt < CLEAR * sure
        self.look = look if fresh or self.look is None else unit(0.8 * self.look + 0.2 * look)
        self.recent, self.learnt = look, sure

    def expected(self, time: float) -> Place:
        """Where it is to be expected: on the line through where it was in sight, ever slower."""
        if not self.moving or time == self.last.time:
            return self.last.place
        spots = [spot for spot in self.spots if self.is_clear(spot)]
        times, places = np.array([s.time for s in spots]), np.array([s.place for s in spots])
        since = times - times.mean()
        speed = since @ (places - places.mean(0)) / max(float(since @ since), 1e-9)
        gap = time - spots[-1].time
        last = spots[-1].place
        expected = last + speed * RETARD * float(np.sign(gap) * -np.expm1(-abs(gap) / RETARD))
        # A size may not be thought away.
        if abs(expected[1]) < abs(last[1]) / 2:
            return last
        return np.asarray(expected, np.complex128)


@dataclass(frozen=True, slots=True)
class Assigned:
    """Which tracks are which of the faces found at a time, as {index of face: index of track}.

    near: where it was to be expected; jumped: elsewhere, by their looks; doubtful: faces where the
    track was to be expected that do not look like it, both of them left over.
    """

    near: dict[int, int] = field(default_factory=dict)
    jumped: dict[int, int] = field(default_factory=dict)
    doubtful: dict[int, int] = field(default_factory=dict)


def assign(
    tracks: Sequence[Track], places: Sequence[Place], looks: Sequence[Look | None], time: float
) -> Assigned:
    """Which tracks are which of the faces found at a time.

    By the Hungarian method (Kuhn, 1955) on distance, size and look. A face too far from all
    tracks, too different in size, or of a stranger's looks, is nobody's, unless its looks are
    known.
    """
    if not tracks or not places:
        return Assigned()
    shape = (len(tracks), len(places))
    near, cost = np.zeros(shape, bool), np.full(shape, np.inf)
    apart = np.full(shape, np.inf)
    found = np.array(places)
    for i, track in enumerate(tracks):
        likeness = np.array([track.likeness(look) for look in looks])
        known = likeness > KNOWN
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
    """The pairs {column: row} of least cost; infinite ones are none."""
    # A forbidden pair costs more than all others together, and is left out afterwards.
    never = 4.0 * (min(cost.shape) + 1)
    pairs = zip(*linear_sum_assignment(np.minimum(cost, never)), strict=True)
    return {int(j): int(i) for i, j in pairs if np.isfinite(cost[i, j])}
