"""A clip: its copy in which faces are hidden."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fkp.annotate.hide.config import HideConfig
from fkp.annotate.hide.corrections import Correction
from fkp.annotate.hide.keep import Keep, overall, sampled
from fkp.annotate.hide.outcome import Outcome
from fkp.annotate.hide.pictures import write_look
from fkp.annotate.hide.plan import Plan, Verdict
from fkp.annotate.hide.tracks import Film, Tracer
from fkp.annotate.names import COPIES, PARTS, REVIEW
from fkp.annotate.output.rows import Record
from fkp.annotate.video.finish import sound_of
from fkp.annotate.video.reading import Excerpt, Reading, Shot
from fkp.annotate.watch import Watch
from fkp.errors import ImageError
from fkp.vision.covering import cover
from fkp.vision.detect import FaceDetector
from fkp.vision.images import Image
from fkp.vision.joining import FORMS, has_sound, join, tags_of
from fkp.vision.process import settle
from fkp.vision.recording import Recording
from fkp.vision.video import Clip

QUALITY = 18
"""Constant rate factor of x264: the difference is not seen."""

ROOM = {"h264": 1.3, "mpeg4": 1.0, "mpeg2video": 1.0, "mjpeg": 1.0}
"""Bit rate that H.264 may have, relative to the clip's, by its codec; others are denser: twice."""

Records = Callable[[], Iterator[Record]]


@dataclass(frozen=True, slots=True, eq=False)
class HideClip:
    """Hiding the faces of one clip.

    records: reads what was found in it. detector: of the run. out, copy, order, keep, corrections:
    as in `HidePhoto`. progress: called with the frames written and their number.
    """

    path: str
    records: Records
    detector: FaceDetector
    out: Path
    copy: str
    order: int
    config: HideConfig
    keep: Keep | None
    corrections: Sequence[Correction]
    progress: Callable[[int, int], None]

    def outcome(self) -> Outcome:
        """Make the copy; OSError of a disk that cannot be written is raised."""
        settle()
        film = Film.of(self.records())
        if film.size_wh == (0, 0):
            _, first = next(self.records())
            reason = getattr(first, "reason", "no frame can be decoded")
            return Outcome(self.path, "clip", "unreadable", reason=reason)
        try:
            return self._hidden(film)
        except ImageError as error:
            size = film.size_wh
            return Outcome(self.path, "clip", "failed", size_wh=size, reason=str(error))

    def _hidden(self, film: Film) -> Outcome:
        plan = self._plan(film)
        verdicts = {number: plan.verdict(path) for number, path in film.paths.items()}
        pictures = {n: f"{self.order:06d}-{n}.jpg" for n, v in verdicts.items() if v.check}
        part = self.out / PARTS / f"{self.order:06d}.mp4"
        part.parent.mkdir(exist_ok=True)
        notes = self._record(part, plan, verdicts, pictures)
        notes += self._join(part)
        part.unlink()
        if film.broken:
            notes.append(f"{film.broken} frames cannot be decoded; the copy shows the one before")
        copy = os.path.join(COPIES, self.copy)
        return Outcome.of(self.path, copy, plan, verdicts, pictures, notes)

    def _shots(self, clip: Clip) -> Iterator[Shot]:
        """Every frame, with its scene cuts."""
        reading = Reading(self.detector, Excerpt(), Watch(), followed=sys.maxsize)
        yield from reading.shots(clip.frames())

    def _plan(self, film: Film) -> Plan:
        """Follow the faces through all frames, and compare them with those to keep."""
        start = self.config.start
        forced = {row.face for row in self.corrections if row.action == "hide"}
        paths = [p for n, p in film.paths.items() if p.score >= start or n in forced]
        looks: dict[int, list[float]] = {}
        with Clip(self.path) as clip:
            Tracer(film, paths).trace(self._compared(self._shots(clip), film, looks))
        likeness = {number: overall(values) for number, values in looks.items()}
        kept = self.keep.numbers if self.keep is not None else frozenset()
        return Plan(film, self.config, start, self.corrections, likeness, kept)

    def _compared(
        self, shots: Iterator[Shot], film: Film, looks: dict[int, list[float]]
    ) -> Iterator[Shot]:
        """The same frames; the likeness of the faces in them is added to `looks`."""
        wanted: dict[int, list[int]] = {}
        if self.keep is not None and self.keep.looks:
            for number, path in film.paths.items():
                for frame in sampled(path):
                    wanted.setdefault(frame, []).append(number)
        for shot in shots:
            for number in wanted.get(shot.frame.index, ()) if shot.gray is not None else ():
                points = film.paths[number].spots[shot.frame.index].points
                assert points is not None
                assert self.keep is not None
                transform = self.keep.transform(points, film.size_wh)
                if transform is not None:
                    crop = shot.crop(transform)
                    looks.setdefault(number, []).append(self.keep.likeness(crop))
            yield shot

    def _record(
        self, part: Path, plan: Plan, verdicts: dict[int, Verdict], pictures: dict[int, str]
    ) -> list[str]:
        """Write the pictures of the copy, without sound; notes on them."""
        total, recording, missing = len(plan.film.times), None, 0
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
        """Write what a person should check in a frame of the copy."""
        folder = self.out / REVIEW
        for number, name in pictures.items():
            if verdicts[number].frame == index:
                write_look(folder / name, image, plan.film.paths[number].spots[index].box)
        if not plan.film.paths and index == len(plan.film.times) // 2:
            write_look(folder / f"{self.order:06d}.jpg", image, None)

    def _join(self, part: Path) -> list[str]:
        """Put pictures and sound into the copy; notes on the sound."""
        target = self.out / COPIES / self.copy
        target.parent.mkdir(parents=True, exist_ok=True)
        form = FORMS.get(target.suffix.lower(), "mp4")
        sound, notes = None, []
        if self.config.sound and has_sound(self.path):
            sound, reason = sound_of(self.path, self.records(), to_end=True)
            notes += [f"the copy is without sound: {reason}"] if reason else []
        tags = tags_of(self.path) if self.config.metadata else None
        whole = part.with_name(f"{self.order:06d}.whole{target.suffix}")
        said = join([part], whole, sound, form, tags)
        os.replace(whole, target)
        return notes + [note.replace("overlay.mp4", "the copy") for note in said]
