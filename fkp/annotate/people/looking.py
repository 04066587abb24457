"""The appearance of each subject, from its pictures."""

from collections.abc import Sequence

import numpy as np

from fkp.annotate.people.subjects import Results, Subject
from fkp.annotate.pipeline import Progress
from fkp.annotate.processes import each
from fkp.errors import DataError, ImageError
from fkp.vision.appearance import SIDE, Appearance, appearance, mean_appearance
from fkp.vision.canvas import Canvas
from fkp.vision.images import Encoded
from fkp.vision.process import settle
from fkp.vision.video import Clip

Seen = Appearance | str
"""The appearance of a subject, or why it has none."""


def look_at(
    runs: Sequence[Results], subjects: Sequence[Subject], jobs: int, progress: Progress
) -> list[Seen]:
    """The appearances of subjects; reads each picture and clip once."""
    groups: dict[tuple[int, str], list[int]] = {}
    for i, subject in enumerate(subjects):
        groups.setdefault((subject.run, subject.image), []).append(i)
    tasks = [
        (runs[run], image, [subjects[i] for i in members])
        for (run, image), members in groups.items()
    ]
    seen: list[Seen] = [""] * len(subjects)
    done = 0
    looked = each(jobs, _looked_at, tasks, batch=4)
    for members, found in zip(groups.values(), looked, strict=True):
        for i, one in zip(members, found, strict=True):
            seen[i] = one
        done += len(members)
        progress(done, len(subjects))
    return seen


def _looked_at(results: Results, image: str, subjects: Sequence[Subject]) -> list[Seen]:
    return (_in_clip if results.is_clip else _in_picture)(results, image, subjects)


def _in_picture(results: Results, image: str, subjects: Sequence[Subject]) -> list[Seen]:
    settle()
    try:
        encoded = Encoded.read(results.path(image))
        # A face is about three eye distances wide, and its crop SIDE pixels.
        whole = max(encoded.header.width, encoded.header.height)
        near = min((_extent(subject) for subject in subjects), default=1.0)
        factor = encoded.reduction(max(1, round(whole * min(1.0, 3 * SIDE / near))))
        picture = encoded.decode(factor)
    except ImageError as error:
        return [str(error)] * len(subjects)
    found: list[Seen] = []
    for subject in subjects:
        if not subject.views:
            found.append("its points are missing")
            continue
        anchors = (subject.views[0].anchors + 0.5) / factor - 0.5
        try:
            found.append(appearance(picture, anchors))
        except DataError as error:
            found.append(str(error))
    return found


def _extent(subject: Subject) -> float:
    """The extent of a face's anchor points in pixels, at least 1."""
    if not subject.views:
        return np.inf
    return max(1.0, float(np.nanmax(np.ptp(subject.views[0].anchors, axis=0))))


def _in_clip(results: Results, image: str, subjects: Sequence[Subject]) -> list[Seen]:
    settle()
    wanted: dict[int, list[tuple[int, int]]] = {}
    for i, subject in enumerate(subjects):
        for j, view in enumerate(subject.views):
            wanted.setdefault(view.frame or 0, []).append((i, j))
    seen: list[list[Appearance]] = [[] for _ in subjects]
    try:
        with Clip(results.path(image), results.opening) as clip:
            for frame in clip.frames():
                if frame.picture is None or frame.index not in wanted:
                    continue
                picture = frame.bgr()
                for i, j in wanted[frame.index]:
                    view = subjects[i].views[j]
                    canvas = Canvas((view.width, view.height), (view.width, view.height))
                    own = canvas.fit((picture.shape[1], picture.shape[0])).image(picture)
                    seen[i].append(appearance(own, view.anchors))
                if frame.index >= max(wanted):
                    break
    except (ImageError, DataError) as error:
        return [str(error)] * len(subjects)
    return [
        mean_appearance(own) if own else "its frames cannot be read" for own in seen
    ]  # fmt: skip
