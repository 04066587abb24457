"""Following faces through the frames of a clip: detections become tracks, and the network confirms
the faces in the frames between them, in batches over many frames."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import face_scores, least, located
from fkp.annotate.network import TOLERANCE, KeypointNetwork
from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.annotate.video.matching import BRIDGE, GRADUAL, Knot, Matching, Sighting
from fkp.annotate.video.reading import Shot, Stretch
from fkp.errors import DataError
from fkp.keypoints import Faces, Prediction, Scheme
from fkp.vision.crop import CropTransform
from fkp.vision.iris import FINER, find_irises
from fkp.vision.likeness import Look, alike, look_of
from fkp.vision.quality import picture_quality
from fkp.vision.tracking import (
    CLEAR,
    STRANGER,
    Place,
    Spot,
    Track,
    place_of,
    transform_at,
)

RECROP, LOST = 0.07, 0.2
"""Offset of a face in its crop, in crop sides, above which the crop is cut again around the points;
and above which, after that, it is not the expected face."""

MARGIN = 0.15
"""A guessed face is rejected if it resembles another track by this much more."""

SAME = 0.3
"""Two faces whose crops are closer than this share of their side are the same."""


@dataclass(slots=True, eq=False)
class Follower:
    """Follows the faces of a clip from chunk to chunk.

    tracks: all faces that may reappear; count: numbers assigned so far. time: of the last frame.
    """

    network: KeypointNetwork
    config: AnnotateConfig
    tracks: list[Track] = field(default_factory=list)
    count: int = 0
    time: float | None = None
    _start: dict[int, Knot] = field(default_factory=dict)

    @property
    def scheme(self) -> Scheme:
        """The points of the results."""
        return self.config.scheme or self.network.scheme

    def follow(self, stretch: Stretch) -> list[Result]:
        """The faces in the frames of a stretch."""
        shots = stretch.shots
        results: list[Result] = []
        start = 0
        for i in range(1, len(shots) + 1):  # one scene at a time
            if i == len(shots) or shots[i].cut:
                ahead = stretch.ahead if i == len(shots) else None
                results += self._scene(shots[start:i], ahead)
                start = i
        return results

    def _scene(self, shots: Sequence[Shot], ahead: Shot | None) -> list[Result]:
        if shots[0].cut:
            for track in self.tracks:
                track.stranded = True
        finds = {at: self._finds(at, shots) for at, s in enumerate(shots) if s.found is not None}
        self._recognise(shots, [find for found in finds.values() for find in found])
        coming = None
        if ahead is not None:
            coming = self._finds(0, [ahead])
            self._recognise([ahead], coming)
        matching = Matching(self.network.size, self.tracks, shots, finds, coming, self.time)
        self.time = shots[-1].frame.time
        sightings = matching.sightings()
        self.tracks, self._start = matching.tracks, matching.start
        between = [s for s in sightings if s.said is None]
        self._predict(shots, between)
        self._recrop(shots, between)
        kept = {(s.at, id(s.track)): s for s in sightings if self._holds(s)}
        self._extend(shots, kept)
        frames: list[list[Sighting]] = [[] for _ in shots]
        for sighting in kept.values():
            frames[sighting.at].append(sighting)
        frames = [self._without_doubles(frame) for frame in frames]
        self._note(shots, sightings, frames)
        return [self._result(shot, frame) for shot, frame in zip(shots, frames, strict=True)]

    def _finds(self, at: int, shots: Sequence[Shot]) -> list[Sighting]:
        """The detections in a frame, each with a new track."""
        found, size = shots[at].found, self.network.size
        if found is None or shots[at].gray is None:
            return []
        sightings = []
        for box, score, anchors in zip(found.boxes, found.scores, found.anchors, strict=True):
            place = place_of(CropTransform.framed(anchors, self.network.layout, size))
            whole = bool(((anchors >= 0) & (anchors < shots[at].size)).all())
            own, best = _relative(box, place), float(score)
            sightings.append(Sighting(at, Track(own, best), place, own, best, True, whole))
        return sightings

    def _recognise(self, shots: Sequence[Shot], finds: Sequence[Sighting]) -> None:
        """Run the network on detections, frame them, and get the looks of those that are whole."""
        self._predict(shots, finds)
        self._recrop(shots, finds)
        for find in finds:
            find.look = find.track.look = self._look(find, shots) if find.whole else None

    def _note(
        self,
        shots: Sequence[Shot],
        sightings: Sequence[Sighting],
        frames: Sequence[Sequence[Sighting]],
    ) -> None:
        """Update the tracks after a scene."""
        for sighting in sightings:
            sighting.track.lose(shots[sighting.at].frame.time)
        for shot, frame in zip(shots, frames, strict=True):
            for sighting in sorted(frame, key=lambda s: -s.total):
                track = sighting.track
                if track.number is None:
                    track.number = self.count
                    self.count += 1
                track.see(Spot(shot.frame.time, sighting.place, sighting.confidence))
                if sighting.look is not None:
                    track.learn(sighting.look, sighting.confidence)
        self.tracks = [track for track in self.tracks if track.spots]
        for track in self.tracks:
            track.forget()

    def _predict(self, shots: Sequence[Shot], sightings: Sequence[Sighting]) -> None:
        """Run the network on faces to get their points and scores."""
        if not sightings:
            return
        size = self.network.size
        crops = np.empty((len(sightings), size, size), np.uint8)
        for i, sighting in enumerate(sightings):
            crops[i] = shots[sighting.at].crop(transform_at(sighting.place, size))
        scores = np.array([s.score for s in sightings], np.float32)
        said = self.network.predict(crops, self.config.batch, least(scores, self.config.min_score))
        totals = face_scores(scores, said.face)
        for i, sighting in enumerate(sightings):
            one = slice(i, i + 1)
            sighting.said = said.take(one)
            sighting.total = float(totals[i])
            sighting.confidence = float(sighting.said.confidence(TOLERANCE * size).mean())
            sighting.offset = self._offset(sighting)

    def _recrop(self, shots: Sequence[Shot], sightings: Sequence[Sighting]) -> None:
        """Cut crops again that do not frame their faces well."""
        offset = [s for s in sightings if s.offset > RECROP and self._is_face(s)]
        for sighting in offset:
            framed = self._framed(sighting)
            assert framed is not None  # its offset is known
            sighting.place = framed
        self._predict(shots, offset)

    def _extend(self, shots: Sequence[Shot], kept: dict[tuple[int, int], Sighting]) -> None:
        """Search for the faces in the frames before and after those in which they were found."""
        if not all(np.isfinite(s.said.face).all() for s in kept.values() if s.said is not None):
            return  # the network does not estimate whether there is a face
        failed: set[tuple[int, int, int]] = set()
        while True:
            guesses = [
                guess
                for track in self.tracks
                for guess in self._guesses(track, shots, kept, failed)
            ]
            if not guesses:
                return
            self._predict(shots, guesses)
            self._recrop(shots, guesses)
            for guess in guesses:
                doubled = any(
                    self._same(guess, other) for other in kept.values() if other.at == guess.at
                )
                if self._holds(guess) and not doubled and self._looks_right(guess, shots, kept):
                    kept[guess.at, id(guess.track)] = guess
                else:
                    failed.add((guess.at, id(guess.track), guess.origin))

    def _guesses(
        self,
        track: Track,
        shots: Sequence[Shot],
        kept: dict[tuple[int, int], Sighting],
        failed: set[tuple[int, int, int]],
    ) -> list[Sighting]:
        """Guesses for a track in the frames next to those in which it was found."""
        who = id(track)
        own = sorted(at for at, other in kept if other == who)
        guesses: dict[int, Sighting] = {}
        for at in own:
            for beside in (at - 1, at + 1):
                there = 0 <= beside < len(shots) and shots[beside].gray is not None
                if there and beside not in own and (beside, who, at) not in failed:
                    guesses.setdefault(beside, self._beside(kept[at, who], beside, kept))
        if shots[0].gray is not None and 0 not in own and (0, who, -1) not in failed:
            first = self._at_first(track, shots[0].frame.time, bool(own))
            if first is not None:
                guesses.setdefault(0, first)
        return list(guesses.values())

    @staticmethod
    def _beside(near: Sighting, at: int, kept: dict[tuple[int, int], Sighting]) -> Sighting:
        """A guess one frame before or after a known position."""
        further = kept.get((2 * near.at - at, id(near.track)))
        step = near.place - further.place if further is not None else np.zeros(2)
        track = near.track
        place = np.asarray(near.place + step)
        return Sighting(at, track, place, near.box, track.score, False, origin=near.at)

    def _at_first(self, track: Track, time: float, again: bool) -> Sighting | None:
        """A guess for the first frame, extrapolated from earlier ones. again: whether the face was
        found in later frames.
        """
        if track.number is None or track.stranded:
            return None
        if again:  # only if it left its old position during these frames
            start = self._start.get(id(track))
            jumped = track.jumped is not None and track.jumped > time
            if start is None or not jumped or time - start.time > BRIDGE / 2:
                return None
            return Sighting(0, track, start.place, start.box, start.score, False)
        if time - track.last.time > BRIDGE / 2:
            return None
        return Sighting(0, track, track.expected(time), track.box, track.score, False)

    def _looks_right(
        self, guess: Sighting, shots: Sequence[Shot], kept: dict[tuple[int, int], Sighting]
    ) -> bool:
        """Whether no other track resembles a guessed face more."""
        if len(self.tracks) < 2:
            return True
        look = self._look(guess, shots)
        own = guess.track.likeness(look)
        if own >= GRADUAL:
            return True
        near = kept.get((guess.origin, id(guess.track)))
        if near is not None and alike(self._look(near, shots), look) >= GRADUAL:
            return True
        clear = guess.confidence >= CLEAR * guess.track.best
        if near is not None and own < STRANGER and clear:
            return False
        others = max(t.likeness(look) for t in self.tracks if t is not guess.track)
        margin = MARGIN if guess.track.jumped is None else 0.0
        return others < max(STRANGER, own + margin)

    def _look(self, sighting: Sighting, shots: Sequence[Shot]) -> Look:
        """The look of a face."""
        return look_of(shots[sighting.at].crop(transform_at(sighting.place, self.network.size)))

    def _is_face(self, sighting: Sighting) -> bool:
        return not sighting.total < self.config.min_score

    def _holds(self, sighting: Sighting) -> bool:
        """Whether this is a face and, for a guess, the expected one."""
        return self._is_face(sighting) and (sighting.seen or sighting.offset < LOST)

    def _framed(self, sighting: Sighting) -> Place | None:
        """Where the crop should be according to the points found in it; None if undefined."""
        assert sighting.said is not None
        transform = transform_at(sighting.place, self.network.size)
        points = transform.invert(sighting.said.points[0])
        try:
            anchors = self.network.scheme.anchor_points(points)
            return place_of(CropTransform.framed(anchors, self.network.layout, self.network.size))
        except DataError:
            return None

    def _offset(self, sighting: Sighting) -> float:
        framed = self._framed(sighting) if self._is_face(sighting) else None
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
        """Of two tracks on one face, the detected one, then the older one."""
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
        moment = Moment(shot.frame.index, shot.frame.time, shot.frame.timestamp)
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
        if self.config.quality:
            seen = [picture_quality(shot.crop(transform)) for transform in transforms]
            faces = replace(faces, quality=np.array(seen, np.float32))
        if self.config.iris:
            fine = [transform.enlarged(FINER) for transform in transforms]
            crops = [shot.crop(transform) for transform in fine]
            faces = replace(faces, iris=find_irises(crops, fine, faces.points, shot.size))
        numbers = tuple(s.track.number or 0 for s in frame)
        return Annotated(faces, width, height, "", moment, numbers, (False,) * len(frame))


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
