"""Matching the detections in the frames of a scene to tracks."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fkp.annotate.video.reading import Shot
from fkp.keypoints import Prediction
from fkp.vision.likeness import Look, alike, look_of
from fkp.vision.tracking import CLEAR, DOUBT, HIDDEN, NEW, Place, Spot, Track, assign, transform_at

BRIDGE = 0.5
"""Maximum gap, in seconds, between two detections of a face that is bridged by interpolation and
confirmed by the network."""

GRADUAL = 0.5
"""Minimum likeness of one face in consecutive frames; 99.9 % of pairs of different persons are
below it (YouTube Faces)."""


@dataclass(slots=True, eq=False)
class Sighting:
    """One face in one frame. at: index of the frame in the scene.

    seen: whether it is detected, or interpolated between detections; otherwise it is a guess to be
    confirmed. whole: whether the anchor points of a detection are in the picture; look: if it is
    whole. box: as `Track.box`. said: the network's prediction for its crop. total: the score in the
    rows. confidence: mean of its points. offset: distance of the crop from where the points say it
    should be, in crop sides. origin: the frame next to a guess, -1 for none.
    """

    at: int
    track: Track
    place: Place
    box: npt.NDArray[np.float64]
    score: float
    seen: bool
    whole: bool = False
    look: Look | None = None
    said: Prediction | None = None
    total: float = 0.0
    confidence: float = float("nan")
    offset: float = 0.0
    origin: int = -1


@dataclass(slots=True, eq=False)
class Knot:
    """A detection of a track. look: None if unknown."""

    at: int
    time: float
    place: Place
    box: npt.NDArray[np.float64]
    score: float
    look: Look | None


@dataclass(slots=True, eq=False)
class Matching:
    """Matches the detections in a part of a scene to tracks.

    size: of the crops in pixels. tracks: those that may be matched; they are updated. finds:
    detections by frame, each with a new track; coming: those in the next frame with detection, None
    if there is none. before: time of the frame before the first one, None if there is none. start:
    positions of the tracks before the first frame.
    """

    size: int
    tracks: list[Track]
    shots: Sequence[Shot]
    finds: dict[int, list[Sighting]]
    coming: list[Sighting] | None
    before: float | None = None
    start: dict[int, Knot] = field(default_factory=dict)
    _knots: dict[int, Knot] = field(default_factory=dict)

    def sightings(self) -> list[Sighting]:
        """The detections with their tracks, and the interpolated faces between them."""
        for track in self.tracks:
            if not track.stranded:
                last = track.last
                self.start[id(track)] = Knot(
                    -1, last.time, last.place, track.box, track.score, track.recent
                )
        self._knots = dict(self.start)
        order = sorted(self.finds)
        sightings: list[Sighting] = []
        for n, at in enumerate(order, 1):
            coming = self.finds[order[n]] if n < len(order) else self.coming
            sightings += self._at(at, coming)
        return sightings

    def _at(self, at: int, coming: list[Sighting] | None) -> list[Sighting]:
        time, found = self.shots[at].frame.time, self.finds[at]
        before = self.shots[at - 1].frame.time if at else self.before
        # Without the gap to this frame, which may be long in clips with a low frame rate.
        since = time if before is None else before
        self.tracks = [t for t in self.tracks if since - t.last.time <= HIDDEN]
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
        self._knots[id(track)] = Knot(
            sighting.at, time, sighting.place, sighting.box, sighting.score, sighting.look
        )

    def _is(
        self, track: Track, sighting: Sighting, likely: bool, coming: list[Sighting] | None
    ) -> bool:
        """Whether a face in the expected place of a track belongs to it.

        likely: whether it looks like it.
        """
        look = sighting.look
        if look is None or track.likeness(look) >= GRADUAL:
            track.doubt = None
            return True
        gradual = self._gradually(track, sighting)
        if gradual or (likely and gradual is None):
            track.doubt = None
            return True
        if sighting.confidence < CLEAR * track.best or track.learnt < CLEAR * sighting.confidence:
            return True  # partly hidden now, or when its look was recorded
        somebody_else = self._is_other(track, sighting, look, coming)
        if not somebody_else:  # changed for a moment, by light or something in front
            sighting.look = None
        return not somebody_else

    def _is_other(
        self, track: Track, sighting: Sighting, look: Look, coming: list[Sighting] | None
    ) -> bool:
        """Whether a face that looks unlike the track keeps looking so."""
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
        """Whether the face changed gradually since it was last detected; None where frames in
        between are missing.
        """
        before = self._knots.get(id(track))
        if before is None:
            return None
        time = self.shots[sighting.at].frame.time
        if time - before.time > BRIDGE / 2 or before.look is None:
            return None
        last = before.look
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
        """The face in the frames between two detections."""
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
