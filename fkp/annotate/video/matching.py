"""The detector's finds in the frames of a scene become sightings of tracks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fkp.annotate.video.reading import Shot
from fkp.keypoints import Prediction
from fkp.vision.likeness import Look, alike, look_of
from fkp.vision.tracking import CLEAR, DOUBT, HIDDEN, NEW, Place, Spot, Track, assign, transform_at

BRIDGE = 0.5
"""Seconds between two frames in which the detector saw a face, for which it is looked for in all
frames between them."""

GRADUAL = 0.5
"""The same face is at least so alike from one frame to the next; 99.97 % of the faces of two
persons are less (YouTube Faces)."""


@dataclass(slots=True, eq=False)
class Sighting:
    """One face in one frame. at: number of the frame in the chunk.

    seen: whether the detector's finds say where it is; otherwise it is a guess to be confirmed.
    look: if the detector found it in this frame, whole, and it looks as it should. box: as
    `Track.box`. said: the network's word on its crop. origin: the frame of a guess's neighbour, -1
    for none.
    """

    at: int
    track: Track
    place: Place
    box: npt.NDArray[np.float64]
    score: float
    seen: bool
    look: Look | None = None
    said: Prediction | None = None
    total: float = 0.0  # the score as rows have it
    sure: float = float("nan")  # the mean confidence of its points
    awry: float = 0.0
    origin: int = -1


@dataclass(slots=True, eq=False)
class Knot:
    """A track's place in a frame in which it is known."""

    at: int
    time: float
    place: Place
    box: npt.NDArray[np.float64]
    score: float


@dataclass(slots=True, eq=False)
class Matching:
    """Gives the finds of a scene's part to tracks.

    size: of the crops. tracks: all faces that may come again, before and after. finds: by frame,
    each with a track of its own; coming: those in the next frame in which faces were looked for,
    None where that is not known. start: where tracks were before the first frame.
    """

    size: int
    tracks: list[Track]
    shots: Sequence[Shot]
    finds: dict[int, list[Sighting]]
    coming: list[Sighting] | None
    start: dict[int, Knot] = field(default_factory=dict)
    _knots: dict[int, Knot] = field(default_factory=dict)

    def sightings(self) -> list[Sighting]:
        """The finds with their tracks, and these in the frames between two finds."""
        for track in self.tracks:
            if not track.stranded:
                last = track.last
                self.start[id(track)] = Knot(-1, last.time, last.place, track.box, track.score)
        self._knots = dict(self.start)
        order = sorted(self.finds)
        sightings: list[Sighting] = []
        for n, at in enumerate(order, 1):
            coming = self.finds[order[n]] if n < len(order) else self.coming
            sightings += self._at(at, coming)
        return sightings

    def _at(self, at: int, coming: list[Sighting] | None) -> list[Sighting]:
        time, found = self.shots[at].frame.time, self.finds[at]
        self.tracks = [t for t in self.tracks if time - t.last.time <= HIDDEN]
        looks = [sighting.look for sighting in found]
        given = assign(self.tracks, [s.place for s in found], looks, time)
        sightings: list[Sighting] = []
        tracks = list(self.tracks)
        for j, sighting in enumerate(found):
            if j in given.jumped:
                sighting.track = tracks[given.jumped[j]]
                sighting.track.jump(time)
            elif j in given.near or j in given.doubtful:
                track = tracks[given.near[j] if j in given.near else given.doubtful[j]]
                if self._is(track, sighting, j in given.near, coming):
                    sightings += self._between(track, sighting)
                    sighting.track = track
            if sighting.track not in tracks:
                self.tracks.append(sighting.track)
            self._see(sighting, time)
            sightings.append(sighting)
        return sightings

    def _see(self, sighting: Sighting, time: float) -> None:
        track = sighting.track
        track.box, track.score = sighting.box, sighting.score
        track.see(Spot(time, sighting.place))
        knot = Knot(sighting.at, time, sighting.place, sighting.box, sighting.score)
        self._knots[id(track)] = knot

    def _is(
        self, track: Track, sighting: Sighting, likely: bool, coming: list[Sighting] | None
    ) -> bool:
        """Whether a face where the track should be is the track's. likely: not a stranger's."""
        look = sighting.look
        if look is None or track.likeness(look) >= GRADUAL:
            track.doubt = None
            return True
        gradual = self._gradually(track, sighting)
        if gradual or (likely and gradual is None):
            track.doubt = None
            return True
        if sighting.sure < CLEAR * track.best or track.learnt < CLEAR * sighting.sure:
            return True  # half hidden now, or when its look was learnt
        somebody_else = self._is_other(track, sighting, look, coming)
        if not somebody_else:  # light or something in front changed it for a moment
            sighting.look = None
        return not somebody_else

    def _is_other(
        self, track: Track, sighting: Sighting, look: Look, coming: list[Sighting] | None
    ) -> bool:
        """Whether a face that looks unlike the track's goes on to look like that."""
        if coming is not None:
            near = [
                other
                for other in coming
                if abs(other.place[0] - sighting.place[0]) < NEW * abs(sighting.place[1])
            ]
            seen = [other.look for other in near if other.look is not None]
            return bool(seen) and max(alike(look, one) for one in seen) > max(
                track.likeness(one) for one in seen
            )
        time = self.shots[sighting.at].frame.time
        if track.doubt is None or alike(track.doubt, look) < track.likeness(look):
            track.doubt, track.doubted = look, time
        return time - track.doubted >= DOUBT

    def _gradually(self, track: Track, sighting: Sighting) -> bool | None:
        """Whether the track's face became this one little by little; None where frames between
        the two are missing.
        """
        before = self._knots.get(id(track))
        if before is None:
            return None
        time = self.shots[sighting.at].frame.time
        if time - before.time > BRIDGE / 2 or track.recent is None:
            return None
        last = track.recent
        for at in range(before.at + 1, sighting.at + 1):
            shot = self.shots[at]
            if shot.gray is None:
                return None
            share = (shot.frame.time - before.time) / (time - before.time)
            place = before.place + share * (sighting.place - before.place)
            look = look_of(shot.crop(transform_at(place, self.size)))
            if alike(last, look) < GRADUAL:
                return False
            last = look
        return True

    def _between(self, track: Track, find: Sighting) -> list[Sighting]:
        """The face in the frames of the chunk between two in which it was found."""
        before = self._knots.get(id(track))
        time = self.shots[find.at].frame.time
        if before is None or time - before.time > BRIDGE:
            return []
        sightings = []
        for at in range(before.at + 1, find.at):
            if self.shots[at].gray is None:
                continue
            share = (self.shots[at].frame.time - before.time) / (time - before.time)
            place = before.place + share * (find.place - before.place)
            box = before.box + share * (find.box - before.box)
            score = before.score + share * (find.score - before.score)
            sightings.append(Sighting(at, track, place, box, score, True))
        return sightings
