"""Results of photos and clips, and their table."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.annotate.outcome import Annotated, Failure, Moment, Result
from fkp.annotate.output.frames import table
from fkp.annotate.output.rows import Columns, Record
from fkp.annotate.video.events import events_of, minutes_of
from fkp.annotate.video.traces import traces
from fkp.errors import DataError
from fkp.keypoints import FKP4, IBUG68, Faces, Scheme
from fkp.vision.head import Camera

Status = Literal["ok", "no_face", "unreadable"]


@dataclass(frozen=True, slots=True, eq=False)
class Photo:
    """One picture file.

    status: `ok`, `no_face`, or `unreadable`; an unreadable one has no faces. reason: why it is
    unreadable, or a note, for example that only the first frame of an animation was read. size:
    width and height in pixels, upright; None if unreadable.
    """

    path: str
    faces: Faces
    status: Status
    reason: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame of a clip.

    number: from 0; time: seconds since the first frame; timestamp: seconds by the clip's own clock,
    NaN if it has none. faces: `faces.numbers` identifies each. filled: (F,) bool, faces
    interpolated between two frames in which they were found. status, reason and size as in `Photo`.
    """

    path: str
    number: int
    time: float
    faces: Faces
    filled: npt.NDArray[np.bool_]
    status: Status
    reason: str = ""
    size: tuple[int, int] | None = None
    timestamp: float = math.nan


def photo_of(path: str, result: Result, scheme: Scheme) -> Photo:
    """The `Photo` of a result."""
    if isinstance(result, Failure):
        return Photo(path, Faces.empty(scheme), "unreadable", result.reason)
    faces = replace(result.faces, picture=path)
    status: Status = "ok" if result.status == "ok" else "no_face"
    return Photo(path, faces, status, result.note, (result.width, result.height))


def frame_of(path: str, result: Result, moment: Moment, scheme: Scheme) -> Frame:
    """The `Frame` of a result."""
    number, time = moment.frame, moment.time
    if isinstance(result, Failure):
        none = Faces.empty(scheme).numbered([])
        nobody = np.zeros(0, bool)
        return Frame(
            path, number, time, none, nobody, "unreadable", result.reason, None, moment.timestamp
        )  # fmt: skip
    faces = result.faces.numbered(result.numbers)
    filled = np.array([result.status_of(i) == "filled" for i in range(len(faces))], bool)
    status: Status = "ok" if result.status == "ok" else "no_face"
    size = (result.width, result.height)
    return Frame(
        path, number, time, faces, filled, status, result.note, size, moment.timestamp
    )  # fmt: skip


def to_frame(
    items: Iterable[Photo | Frame],
    confidence: bool = False,
    measures: bool = False,
    quality: bool = False,
    iris: bool = False,
) -> pd.DataFrame:
    """Photos or frames as a DataFrame with the columns of `keypoints.csv`, unrounded.

    A row per face, and one for each photo or frame without a face. confidence: add the confidence
    of each point. measures: add the openings of eyes and mouth, and the head's pose. quality: add
    the quality of the face's picture; sharpness and exposure need `fkp.load(quality=True)`.
    iris: add the irises; they need `fkp.load(iris=True)`.
    """
    waiting = iter(items)
    first = next(waiting, None)
    scheme = FKP4 if first is None else first.faces.scheme
    columns = Columns(scheme, confidence, Camera() if measures else None, quality, iris)
    rest = chain([] if first is None else [first], waiting)
    return table((_record(item) for item in rest), columns)


def events(
    frames: Iterable[Frame], *, focal: float | None = None, fov: float | None = None
) -> pd.DataFrame:
    """Blinks, closures, yawns and speech in the frames of one clip: the columns of `events.csv`.

    frames: as `Network.video` yields them, with the 68 points. focal (pixels) or fov (degrees along
    the longer side): of the camera. Raises DataError for other points.
    """
    return events_of(traces(_with_68(frames), Camera(focal, fov)))


def minutes(
    frames: Iterable[Frame], *, focal: float | None = None, fov: float | None = None
) -> pd.DataFrame:
    """How often and how long events happen per minute: the columns of `minutes.csv`.

    Arguments and errors are those of `events`.
    """
    return minutes_of(traces(_with_68(frames), Camera(focal, fov)))


def _with_68(frames: Iterable[Frame]) -> Iterator[Record]:
    for frame in frames:
        if frame.faces.scheme.names != IBUG68.names:
            raise DataError(
                f"events need the 68 points of {IBUG68.name}, got "
                f"{len(frame.faces.scheme)} of {frame.faces.scheme.name}"
            )
        yield _record(frame)


def _record(item: Photo | Frame) -> Record:
    moment = None
    if isinstance(item, Frame):
        moment = Moment(item.number, item.time, item.timestamp)
    if item.size is None:
        return item.path, Failure(item.reason, moment)
    if moment is None or not isinstance(item, Frame):
        return item.path, Annotated(item.faces, *item.size, item.reason)
    numbers = item.faces.numbers
    who = tuple(range(len(item.faces))) if numbers is None else tuple(numbers.tolist())
    filled = tuple(item.filled.tolist())
    return item.path, Annotated(item.faces, *item.size, item.reason, moment, who, filled)
