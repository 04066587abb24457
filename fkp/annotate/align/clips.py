"""Aligned clips: a film of each chosen face, which stays in its place."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fkp.annotate.align.candidates import Candidate
from fkp.annotate.align.settings import Align
from fkp.annotate.names import FACES
from fkp.annotate.outcome import Annotated, Moment
from fkp.annotate.output.rows import Record
from fkp.errors import DataError
from fkp.files import replacing
from fkp.keypoints import FloatArray, Scheme
from fkp.vision.canvas import Canvas
from fkp.vision.joining import Sound, has_sound, join
from fkp.vision.recording import Recording
from fkp.vision.sources import Opening, is_sequence
from fkp.vision.video import Clip
from fkp.vision.warp import Warp


@dataclass(slots=True, eq=False)
class Life:
    """A face of a clip. warps: by the frames that it is in; size: of the clip's pictures. area: of
    its boxes, added up. start, end: timestamps of its first and last frame; step: between frames.
    """

    number: int
    size_wh: tuple[int, int]
    warps: dict[int, Warp] = field(default_factory=dict)
    stamps: list[float] = field(default_factory=list)
    area: float = 0.0
    box: FloatArray = field(default_factory=lambda: np.zeros(4))

    @property
    def first(self) -> int:
        """Its first frame."""
        return min(self.warps)

    @property
    def last(self) -> int:
        """Its last frame."""
        return max(self.warps)


def lives_of(records: Iterable[Record], align: Align, scheme: Scheme) -> tuple[str, list[Life]]:
    """The clip's name, and its faces by number, each with one size of its film.

    Where faces may not be enlarged, the film is as much smaller as its typical frame needs.
    """
    points: dict[int, list[tuple[Moment, FloatArray]]] = {}
    lives: dict[int, Life] = {}
    clip = ""
    for name, result in records:
        clip = name
        if not isinstance(result, Annotated) or result.moment is None:
            continue
        for i, face in enumerate(result.faces):
            number = result.number(i)
            size = (result.width, result.height)
            life = lives.setdefault(number, Life(number, size, box=face.box))
            life.area += float(face.box[2] * face.box[3])
            points.setdefault(number, []).append((result.moment, face.points))
    for number, life in lives.items():
        scales = []
        for _, own in points[number]:
            try:
                scales.append(align.framing.template.transform(own, scheme).scale)
            except DataError:
                continue
        shrink = align.framing.needed(float(np.median(scales))) if scales else 1.0
        for moment, own in points[number]:
            try:
                life.warps[moment.frame] = align.framing.warp(own, scheme, shrink)
            except DataError:
                continue
            life.stamps.append(moment.timestamp)
    return clip, [lives[number] for number in sorted(lives)]


def clip_candidates(clip: str, lives: Sequence[Life], reason: str) -> list[Candidate]:
    """A candidate per face of a clip, or one that says why there is none."""
    if not lives:
        status = "unreadable" if reason else "no_face"
        return [Candidate(clip, None, status, reason, is_clip=True)]
    found = []
    for life in lives:
        x, y, width, height = (float(v) for v in life.box)
        one = Candidate(
            clip, life.number, "not_chosen", x=x + width / 2, y=y + height / 2,
            size=math.sqrt(life.area), is_clip=True,
        )  # fmt: skip
        if not life.warps:
            one = replace(one, status="no_points", reason="its points say nothing about its place")
        found.append(one)
    return found


def write_clip(
    out: Path, clip: str, opening: Opening, life: Life, align: Align
) -> tuple[str, list[str]]:  # fmt: skip
    """Write the film of a face, from its first to its last frame; its name, and notes.

    In a frame in which the face is not known, it stays where it was. Raises ImageError.
    """
    stem = Path(os.path.basename(clip.rstrip("/"))).stem or "clip"
    name = f"{FACES}/{stem}.face{life.number}.mp4"
    path = out / name
    path.parent.mkdir(exist_ok=True)
    warp = life.warps[life.first]
    size = (warp.width, warp.height)
    canvas = Canvas(life.size_wh, life.size_wh)
    silent = path.with_name(f"{stem}.face{life.number}.silent.mp4")
    with replacing(path) as whole:
        try:
            with Clip(clip, opening) as source:
                zero: int | None = None
                with Recording(silent, size, size, source.time_base) as recording:
                    for frame in source.frames():
                        if frame.index > life.last:
                            break
                        if frame.index < life.first or frame.picture is None:
                            continue
                        warp = life.warps.get(frame.index, warp)
                        zero = frame.pts if zero is None else zero
                        picture = frame.bgr()
                        fit = canvas.fit((picture.shape[1], picture.shape[0]))
                        aligned = warp.cut(fit.image(picture), align.border)
                        recording.write(aligned, frame.pts - zero)
            notes = join([silent], whole, _sound(clip, life))
        finally:
            silent.unlink(missing_ok=True)
    return name, [note.replace("overlay.mp4", name) for note in notes]


def _sound(clip: str, life: Life) -> Sound | None:
    if is_sequence(clip) or not np.isfinite(life.stamps).all() or not has_sound(clip):
        return None
    steps = np.diff(life.stamps)
    if len(steps) and steps.min() <= 0:
        return None
    step = float(np.median(steps)) if len(steps) else 0.0
    return Sound(clip, life.stamps[0], life.stamps[-1] + step)


def failure_of(records: Iterable[Record]) -> str:
    """Why a clip has no frame that can be read, "" where it has one."""
    reason = ""
    for _, result in records:
        if isinstance(result, Annotated):
            return ""
        reason = result.reason
    return reason
