"""Following faces through the frames of a clip: the detector's finds become tracks, the network
sees to the frames between them, in batches over many frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import TOLERANCE, KeypointNetwork, face_scores, least, located
from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.annotate.video.reading import Shot
from fkp.errors import DataError
from fkp.keypoints import Faces, Prediction, Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.images import Image
from fkp.vision.tracking import (
    HIDDEN,
    Look,
    Place,
    Spot,
    Track,
    assign,
    look_of,
    place_of,
    transform_at,
)

BRIDGE = 0.5
"""Seconds between two frames in which the detector saw a face, for which it is looked for in all
frames between them."""

AWRY, ASTRAY = 0.07, 0.2
"""By how much of a crop's side a face may lie beside where it should be, or by how much its size
may differ: beyond the first the crop is cut again, around the points; beyond the second still, it
is not the face that was looked for."""

SAME = 0.3
"""Two faces whose points are, in the mean, nearer than this share of the box are one."""


@dataclass(slots=True, eq=False)
class Sighting:
    """One face in one frame. at: number of the frame in the chunk.

    seen: whether the detector's finds say where it is; else it is a guess to be borne out. look: if
    the detector found it in this frame. box: as `Track.box`; said: the network's word on its crop.
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


@dataclass(slots=True, eq=False)
class Knot:
    """A track's place in a frame in which it is known."""

    at: int
    time: float
    place: Place
    box: npt.NDArray[np.float64]
    score: float


@dataclass(slots=True, eq=False)
class Follower:
    """Follows the faces of a clip from chunk to chunk.

    scheme: the points wanted. tracks: all faces that may come again; count: numbers given so far.
    """

    network: KeypointNetwork
    config: AnnotateConfig
    tracks: list[Track] = field(default_factory=list)
    count: int = 0

    @property
    def scheme(self) -> Scheme:
        """The points wanted."""
        return self.config.scheme or self.network.scheme

    def follow(self, shots: Sequence[Shot]) -> list[Result]:
        """What is in the frames of a chunk."""
        results: list[Result] = []
        start = 0
        for i in range(1, len(shots) + 1):  # scene by scene
            if i == len(shots) or shots[i].cut:
                results += self._scene(shots[start:i])
                start = i
        return results

    def _scene(self, shots: Sequence[Shot]) -> list[Result]:
        if shots[0].cut:
            self.tracks = []
        sightings = self._match(shots)
        self._ask(shots, sightings)
        self._again(shots, sightings)
        kept = {(s.at, id(s.track)): s for s in sightings if self._holds(s)}
        self._extend(shots, kept)
        frames: list[list[Sighting]] = [[] for _ in shots]
        for sighting in kept.values():
            frames[sighting.at].append(sighting)
        frames = [self._without_doubles(frame) for frame in frames]
        self._note(shots, sightings, frames)
        return [self._result(shot, frame) for shot, frame in zip(shots, frames, strict=True)]

    def _note(
        self,
        shots: Sequence[Shot],
        sightings: Sequence[Sighting],
        frames: Sequence[Sequence[Sighting]],
    ) -> None:
        """What the tracks are to remember of a scene."""
        for sighting in sightings:
            sighting.track.lose(shots[sighting.at].frame.time)
        for shot, frame in zip(shots, frames, strict=True):
            for sighting in sorted(frame, key=lambda s: -s.total):
                track = sighting.track
                if track.number is None:
                    track.number = self.count
                    self.count += 1
                track.see(Spot(shot.frame.time, sighting.place, sighting.sure))
                if sighting.look is not None:
                    track.learn(sighting.look, sighting.sure)
        self.tracks = [track for track in self.tracks if track.spots]
        for track in self.tracks:
            track.forget()

    def _match(self, shots: Sequence[Shot]) -> list[Sighting]:
        """The detector's finds as tracks, and these in the frames between two finds."""
        sightings: list[Sighting] = []
        last: dict[int, Knot] = {
            id(t): Knot(-1, t.last.time, t.last.place, t.box, t.score) for t in self.tracks
        }
        for at, shot in enumerate(shots):
            if shot.found is None or shot.gray is None:
                continue
            time, size, found = shot.frame.time, self.network.size, shot.found
            places = [
                place_of(CropTransform.framed(a, self.network.layout, size)) for a in found.anchors
            ]
            looks = [look_of(transform_at(p, size).cut(shot.gray)) for p in places]
            self.tracks = [t for t in self.tracks if time - t.last.time <= HIDDEN]
            taken = assign(self.tracks, places, looks, time)
            for j, place in enumerate(places):
                box, score = _relative(found.boxes[j], place), float(found.scores[j])
                if j in taken:
                    track = self.tracks[taken[j]]
                    before = last[id(track)]
                    knot = Knot(at, time, place, box, score)
                    sightings += _between(track, before, knot, shots)
                    track.box, track.score = box, score
                else:
                    track = Track(box, score, looks[j])
                    self.tracks.append(track)
                    knot = Knot(at, time, place, box, score)
                track.see(Spot(time, place))
                last[id(track)] = knot
                sightings.append(Sighting(at, track, place, box, score, True, looks[j]))
        return sightings

    def _ask(self, shots: Sequence[Shot], sightings: Sequence[Sighting]) -> None:
        """The network's word on all of these."""
        if not sightings:
            return
        size = self.network.size
        crops = np.empty((len(sightings), size, size), np.uint8)
        for i, sighting in enumerate(sightings):
            crops[i] = transform_at(sighting.place, size).cut(_gray(shots[sighting.at]))
        scores = np.array([s.score for s in sightings], np.float32)
        said = self.network.predict(crops, self.config.batch, least(scores, self.config.min_score))
        totals = face_scores(scores, said.face)
        for i, sighting in enumerate(sightings):
            one = slice(i, i + 1)
            sighting.said = said.take(one)
            sighting.total = float(totals[i])
            sighting.sure = float(sighting.said.confidence(TOLERANCE * size).mean())
            sighting.awry = self._awry(sighting)

    def _again(self, shots: Sequence[Shot], sightings: Sequence[Sighting]) -> None:
        """Cut those crops again that do not frame their faces as they should."""
        awry = [s for s in sightings if s.awry > AWRY and self._sure(s)]
        for sighting in awry:
            framed = self._framed(sighting)
            assert framed is not None  # else it would not be awry
            sighting.place = framed
        self._ask(shots, awry)

    def _extend(self, shots: Sequence[Shot], kept: dict[tuple[int, int], Sighting]) -> None:
        """Look for the faces in the frames before and behind those in which they were found."""
        if not all(np.isfinite(s.said.face).all() for s in kept.values() if s.said is not None):
            return  # a network that cannot say whether there is a face
        failed: set[tuple[int, int]] = set()
        while True:
            guesses = [
                guess
                for track in self.tracks
                for guess in self._guesses(track, shots, kept)
                if (guess.at, id(track)) not in failed
            ]
            if not guesses:
                return
            self._ask(shots, guesses)
            self._again(shots, guesses)
            for guess in guesses:
                key = (guess.at, id(guess.track))
                doubled = any(
                    self._same(guess, other) for other in kept.values() if other.at == guess.at
                )
                if self._holds(guess) and not doubled:
                    kept[key] = guess
                else:
                    failed.add(key)

    def _guesses(
        self, track: Track, shots: Sequence[Shot], kept: dict[tuple[int, int], Sighting]
    ) -> list[Sighting]:
        """The track in the frames beside those in which it is, where nothing is known of it yet."""
        own = sorted(at for at, who in kept if who == id(track))
        spots: dict[int, Sighting | None] = {}
        for at in own:
            for beside in (at - 1, at + 1):
                if 0 <= beside < len(shots) and shots[beside].gray is not None:
                    spots.setdefault(beside, kept[at, id(track)])
        if not own and shots[0].gray is not None and track.number is not None:
            # Seen in the frame before the first one: where it was, as fast as it was.
            spots[0] = None
        guesses = []
        for at, near in spots.items():
            if at in own:
                continue
            if near is None:
                if shots[0].frame.time - track.last.time > BRIDGE / 2:
                    continue
                place, box = track.expected(shots[at].frame.time), track.box
            else:
                further = kept.get((2 * near.at - at, id(track)))
                step = near.place - further.place if further is not None else np.zeros(2)
                place, box = near.place + step, near.box
            guesses.append(Sighting(at, track, np.asarray(place), box, track.score, False))
        return guesses

    def _sure(self, sighting: Sighting) -> bool:
        return not sighting.total < self.config.min_score

    def _holds(self, sighting: Sighting) -> bool:
        """Whether it is a face, and the one that was looked for."""
        return self._sure(sighting) and (sighting.seen or sighting.awry < ASTRAY)

    def _framed(self, sighting: Sighting) -> Place | None:
        """Where the crop should lie by the points found in it; None where they do not say."""
        assert sighting.said is not None
        transform = transform_at(sighting.place, self.network.size)
        points = transform.invert(sighting.said.points[0])
        try:
            anchors = self.network.scheme.anchor_points(points)
            return place_of(CropTransform.framed(anchors, self.network.layout, self.network.size))
        except DataError:
            return None

    def _awry(self, sighting: Sighting) -> float:
        framed = self._framed(sighting) if self._sure(sighting) else None
        if framed is None:
            return 0.0
        away = (framed - sighting.place) / sighting.place[1]
        return float(max(abs(away[0]), abs(away[1]) / 2))

    def _same(self, one: Sighting, other: Sighting) -> bool:
        if one.track is other.track:
            return False
        near = abs(one.place[0] - other.place[0])
        return bool(near < SAME * min(abs(one.place[1]), abs(other.place[1])))

    def _without_doubles(self, frame: list[Sighting]) -> list[Sighting]:
        """Of two tracks on one face the one that the detector bears out, then the older one."""
        order = sorted(
            frame,
            key=lambda s: (not s.seen, s.track.number is None, s.track.number or 0, -s.total),
        )
        kept: list[Sighting] = []
        for sighting in order:
            if not any(self._same(sighting, other) for other in kept):
                kept.append(sighting)
        return kept[: self.config.max_faces or None]

    def _result(self, shot: Shot, frame: list[Sighting]) -> Result:
        moment = Moment(shot.frame.index, shot.frame.time)
        if shot.gray is None:
            return Failure(shot.frame.problem, moment)
        width, height = shot.size
        if not frame:
            return Annotated(Faces.empty(self.scheme), width, height, "", moment)
        frame = sorted(frame, key=lambda s: s.track.number or 0)
        said = [s.said for s in frame if s.said is not None]
        words = Prediction.joined(said)
        transforms = [transform_at(s.place, self.network.size) for s in frame]
        faces = Faces(
            self.scheme,
            np.array([_absolute(s.box, s.place) for s in frame], np.float32),
            np.array([s.total for s in frame], np.float32),
            *located(words, transforms, self.network, self.scheme),
        )
        numbers = tuple(s.track.number or 0 for s in frame)
        return Annotated(faces, width, height, "", moment, numbers, (False,) * len(frame))


def _between(track: Track, before: Knot, after: Knot, shots: Sequence[Shot]) -> list[Sighting]:
    """The face in the frames of the chunk between two in which it was found."""
    if after.time - before.time > BRIDGE:
        return []
    sightings = []
    for at in range(before.at + 1, after.at):
        if shots[at].gray is None:
            continue
        share = (shots[at].frame.time - before.time) / (after.time - before.time)
        place = before.place + share * (after.place - before.place)
        box = before.box + share * (after.box - before.box)
        score = before.score + share * (after.score - before.score)
        sightings.append(Sighting(at, track, place, box, score, True))
    return sightings


def _relative(box: npt.NDArray[np.float32], place: Place) -> npt.NDArray[np.float64]:
    """A box (x, y, w, h) in pixels as (x, y of the centre, w, h) from the crop's, in its sides."""
    x, y, width, height = box.astype(np.float64)
    side = abs(place[1])
    centre = (complex(x + width / 2, y + height / 2) - complex(place[0])) / side
    return np.array([centre.real, centre.imag, width / side, height / side])


def _absolute(box: npt.NDArray[np.float64], place: Place) -> npt.NDArray[np.float64]:
    """The inverse of `_relative`."""
    side = abs(place[1])
    centre = complex(place[0]) + complex(box[0], box[1]) * side
    width, height = box[2] * side, box[3] * side
    return np.array([centre.real - width / 2, centre.imag - height / 2, width, height])


def _gray(shot: Shot) -> Image:
    assert shot.gray is not None
    return shot.gray
