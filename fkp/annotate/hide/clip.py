"""The copy of a clip in which faces are hidden."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp.annotate.hide.clear import ClearFaces, overall, sampled
from fkp.annotate.hide.config import HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.outcome import Outcome
from fkp.annotate.hide.pictures import write_close_up
from fkp.annotate.hide.plan import Plan, Verdict
from fkp.annotate.hide.tracks import Footage, Tracer
from fkp.annotate.names import COPIES, PARTS, REVIEW
from fkp.annotate.output.rows import Record
from fkp.annotate.video.finish import sound_of
from fkp.annotate.video.reading import Excerpt, Reading, Shot
from fkp.annotate.watch import Watch
from fkp.errors import ImageError
from fkp.files import replacing
from fkp.vision.covering import cover
from fkp.vision.detect import FaceDetector
from fkp.vision.images import Image
from fkp.vision.joining import FORMS, has_sound, join, tags_of
from fkp.vision.process import settle
from fkp.vision.recording import Recording
from fkp.vision.video import Clip

QUALITY = 18
"""Constant rate factor of x264: visually lossless."""

ROOM = {"h264": 1.3, "mpeg4": 1.0, "mpeg2video": 1.0, "mjpeg": 1.0}
"""Maximum bit rate of the copy relative to the clip's, by the clip's codec; 2 for other codecs,
which compress better than H.264."""

Records = Callable[[], Iterator[Record]]


@dataclass(frozen=True, slots=True, eq=False)
class HideClip:
    """Hiding the faces of one clip.

    records: reads the faces found in it. detector: of the run. out, copy, order, clear,
    corrections: as in `HidePhoto`. progress: called with the number of frames done and in total.
    """

    path: str
    records: Records
    detector: FaceDetector
    out: Path
    copy: str
    order: int
    config: HideConfig
    clear: ClearFaces | None
    corrections: Sequence[Correction]
    progress: Callable[[int, int], None]

    def outcome(self) -> Outcome:
        """Make the copy; raises OSError if the disk cannot be written."""
        settle()
        footage = Footage.of(self.records())
        if footage.size_wh == (0, 0):
            _, first = next(self.records())
            reason = getattr(first, "reason", "no frame can be decoded")
            return Outcome(self.path, "clip", "unreadable", reason=reason)
        try:
            return self._hidden(footage)
        except ImageError as error:
            size = footage.size_wh
            return Outcome(self.path, "clip", "failed", size_wh=size, reason=str(error))

    def _hidden(self, footage: Footage) -> Outcome:
        plan = self._plan(footage)
        verdicts = {number: plan.verdict(track) for number, track in footage.tracks.items()}
        pictures = {n: f"{self.order:06d}-{n}.jpg" for n, v in verdicts.items() if v.reason}
        part = self.out / PARTS / f"{self.order:06d}.mp4"
        part.parent.mkdir(exist_ok=True)
        notes = self._record(part, plan, verdicts, pictures)
        notes += self._join(part)
        part.unlink()
        if footage.broken:
            notes.append(
                f"{footage.broken} frames cannot be decoded; the copy repeats the frame before"
            )
        copy = os.path.join(COPIES, self.copy)
        return Outcome.of(self.path, copy, plan, verdicts, pictures, notes)

    def _shots(self, clip: Clip) -> Iterator[Shot]:
        """Every frame, with its scene cuts."""
        reading = Reading(self.detector, Excerpt(), Watch(), followed=sys.maxsize)
        yield from reading.shots(clip.frames())

    def _plan(self, footage: Footage) -> Plan:
        """Follow the faces through all frames, and compare them with those to leave clear."""
        start = self.config.start_score
        forced = {row.face for row in self.corrections if row.action == "hide"}
        tracks = [t for n, t in footage.tracks.items() if t.score >= start or n in forced]
        looks: dict[int, list[float]] = {}
        with Clip(self.path) as clip:
            Tracer(footage, tracks).trace(self._compared(self._shots(clip), footage, looks))
        likeness = {number: overall(values) for number, values in looks.items()}
        clear = self.clear.numbers if self.clear is not None else frozenset()
        return Plan(footage, self.config, start, self.corrections, likeness, clear)

    def _compared(
        self, shots: Iterator[Shot], footage: Footage, looks: dict[int, list[float]]
    ) -> Iterator[Shot]:
        """The same frames; adds the likeness of the faces in them to `looks`."""
        wanted: dict[int, list[int]] = {}
        if self.clear is not None and self.clear.looks:
            for number, track in footage.tracks.items():
                for frame in sampled(track):
                    wanted.setdefault(frame, []).append(number)
        for shot in shots:
            for number in wanted.get(shot.frame.index, ()) if shot.gray is not None else ():
                points = footage.tracks[number].spots[shot.frame.index].points
                assert points is not None
                assert self.clear is not None
                transform = self.clear.transform(points, footage.size_wh)
                if transform is not None:
                    crop = shot.crop(transform)
                    looks.setdefault(number, []).append(self.clear.likeness(crop))
            yield shot

    def _record(
        self, part: Path, plan: Plan, verdicts: dict[int, Verdict], pictures: dict[int, str]
    ) -> list[str]:
        """Write the copy without sound; returns notes."""
        total, recording, missing = len(plan.footage.times), None, 0
        with Clip(self.path) as clip:
            codec, most = clip.reader.codec, clip.reader.bit_rate
            try:
                for shot in self._shots(clip):
                    if shot.fit is None or shot.gray is None:
                        continue
                    try:
                        image = shot.fit.image(shot.frame.bgr())
                    except ImageError:
                        missing += 1
                        continue
                    index = shot.frame.index
                    cover(image, plan.outlines(index, verdicts), self.config.method)
                    if recording is None:
                        size, stored = shot.size, shot.fit.canvas.stored_wh
                        rate = round(most * ROOM.get(codec, 2.0))
                        recording = Recording(part, size, stored, clip.time_base, rate, QUALITY)
                    recording.write(image, shot.pts)
                    self._look(image, index, plan, verdicts, pictures)
                    self.progress(index + 1, max(total, index + 1))
                if recording is None:
                    raise ImageError("no frame can be decoded")
                recording.close()
            except BaseException:
                if recording is not None:
                    recording.abandon()
                raise
            notes = list(clip.notes)
        return notes + ([f"{missing} frames cannot be converted"] if missing else [])

    def _look(
        self,
        image: Image,
        index: int,
        plan: Plan,
        verdicts: dict[int, Verdict],
        pictures: dict[int, str],
    ) -> None:
        """Write the pictures of what to check in a frame of the copy."""
        folder = self.out / REVIEW
        for number, name in pictures.items():
            if verdicts[number].frame == index:
                write_close_up(folder / name, image, plan.footage.tracks[number].spots[index].box)
        if not plan.footage.tracks and index == len(plan.footage.times) // 2:
            write_close_up(folder / f"{self.order:06d}.jpg", image, None)

    def _join(self, part: Path) -> list[str]:
        """Join pictures and sound into the copy; returns notes on the sound."""
        target = self.out / COPIES / self.copy
        target.parent.mkdir(parents=True, exist_ok=True)
        form = FORMS.get(target.suffix.lower(), "mp4")
        sound, notes = None, []
        if self.config.sound and has_sound(self.path):
            sound, reason = sound_of(self.path, self.records(), to_end=True)
            notes += [f"no sound: {reason}"] if reason else []
        tags = tags_of(self.path) if self.config.metadata else None
        with replacing(target) as whole:
            return notes + join([part], whole, sound, form, tags)
