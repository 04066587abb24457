"""Aligned clips: a video of each chosen face, in which the face stays in place."""

import math
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fkp.annotate.align.candidates import Candidate
from fkp.annotate.align.settings import AlignConfig
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
class FaceTrack:
    """A face of a clip.

    size_wh: of the clip's frames. warps: by frame. stamps: timestamps of these frames. area: sum of
    the areas of its boxes. box: (4,) xywh, the first one.
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


def tracks_of(
    records: Iterable[Record], config: AlignConfig, scheme: Scheme
) -> tuple[str, list[FaceTrack]]:  # fmt: skip
    """The clip's name, and its faces by number, each with one size for all its frames.

    If faces may not be enlarged, the size is that of the typical frame.
    """
    points: dict[int, list[tuple[Moment, FloatArray]]] = {}
    tracks: dict[int, FaceTrack] = {}
    clip = ""
    for name, result in records:
        clip = name
        if not isinstance(result, Annotated) or result.moment is None:
            continue
        for i, face in enumerate(result.faces):
            number = result.number(i)
            size = (result.width, result.height)
            track = tracks.setdefault(number, FaceTrack(number, size, box=face.box))
            track.area += float(face.box[2] * face.box[3])
            points.setdefault(number, []).append((result.moment, face.points))
    for number, track in tracks.items():
        scales = []
        for _, own in points[number]:
            try:
                scales.append(config.framing.template.transform(own, scheme).scale)
            except DataError:
                continue
        shrink = config.framing.needed(float(np.median(scales))) if scales else 1.0
        for moment, own in points[number]:
            try:
                track.warps[moment.frame] = config.framing.warp(own, scheme, shrink)
            except DataError:
                continue
            track.stamps.append(moment.timestamp)
    return clip, [tracks[number] for number in sorted(tracks)]


def clip_candidates(clip: str, tracks: Sequence[FaceTrack], reason: str) -> list[Candidate]:
    """A candidate per face of a clip, or one that says why there is none."""
    if not tracks:
        status = "unreadable" if reason else "no_face"
        return [Candidate(clip, None, status, reason, is_clip=True)]
    found = []
    for track in tracks:
        x, y, width, height = (float(v) for v in track.box)
        one = Candidate(
            clip, track.number, "not_chosen", center_x=x + width / 2, center_y=y + height / 2,
            size=math.sqrt(track.area), is_clip=True,
        )  # fmt: skip
        if not track.warps:
            one = replace(
                one, status="no_points", reason="points that the template needs are missing"
            )
        found.append(one)
    return found


def write_clip(
    out: Path, clip: str, opening: Opening, track: FaceTrack, config: AlignConfig
) -> tuple[str, list[str]]:  # fmt: skip
    """Write the video of a face, from its first to its last frame; returns its name, and notes.

    A frame in which the face was not found is cut as the one before. Raises ImageError.
    """
    stem = Path(os.path.basename(clip.rstrip("/"))).stem or "clip"
    name = f"{FACES}/{stem}.face{track.number}.mp4"
    path = out / name
    path.parent.mkdir(exist_ok=True)
    warp = track.warps[track.first]
    size = (warp.width, warp.height)
    canvas = Canvas(track.size_wh, track.size_wh)
    silent = path.with_name(f"{stem}.face{track.number}.silent.mp4")
    with replacing(path) as whole:
        try:
            with Clip(clip, opening) as source:
                zero: int | None = None
                with Recording(silent, size, size, source.time_base) as recording:
                    for frame in source.frames():
                        if frame.index > track.last:
                            break
                        if frame.index < track.first or frame.picture is None:
                            continue
                        warp = track.warps.get(frame.index, warp)
                        zero = frame.pts if zero is None else zero
                        picture = frame.bgr()
                        fit = canvas.fit((picture.shape[1], picture.shape[0]))
                        aligned = warp.cut(fit.image(picture), config.border)
                        recording.write(aligned, frame.pts - zero)
            notes = join([silent], whole, _sound(clip, track))
        finally:
            silent.unlink(missing_ok=True)
    return name, [f"{name}: {note}" for note in notes]


def _sound(clip: str, track: FaceTrack) -> Sound | None:
    if is_sequence(clip) or not np.isfinite(track.stamps).all() or not has_sound(clip):
        return None
    steps = np.diff(track.stamps)
    if len(steps) and steps.min() <= 0:
        return None
    step = float(np.median(steps)) if len(steps) else 0.0
    return Sound(clip, track.stamps[0], track.stamps[-1] + step)


def failure_of(records: Iterable[Record]) -> str:
    """Why no frame of a clip can be read, "" if one can."""
    reason = ""
    for _, result in records:
        if isinstance(result, Annotated):
            return ""
        reason = result.reason
    return reason
