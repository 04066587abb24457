"""The faces that could be aligned: where each is, how good its picture, and which are chosen."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from fkp.annotate.align.settings import Align
from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.errors import DataError
from fkp.keypoints import Face, Scheme
from fkp.vision.eyes import eyes_opening
from fkp.vision.measures import find_openings
from fkp.vision.quality import QUALITY, quality
from fkp.vision.warp import Warp

WIDE_OPEN = 0.3
"""Opening of the eyes from which they are not better for being wider."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A face of a picture, or an input without one (face None).

    status: `aligned`, `not_chosen`, or why it cannot be: `no_face`, `unreadable`, `no_points`.
    warp: into the aligned picture. rank: how good a picture of the face it is, 0..1. x, y, size: of
    the face, pixels. use: what a person said. file: of the result, below the folder of the run.
    """

    image: str
    face: int | None
    status: str
    reason: str = ""
    warp: Warp | None = None
    rank: float = math.nan
    x: float = math.nan
    y: float = math.nan
    size: float = math.nan
    date: datetime | None = None
    use: bool | None = None
    file: str = ""
    is_clip: bool = False


def candidates_of(records: Iterable[Record], align: Align, scheme: Scheme) -> Iterator[Candidate]:
    """The candidates of photos, in the order of the inputs; none is chosen yet."""
    for image, result in records:
        if not isinstance(result, Annotated):
            yield Candidate(image, None, "unreadable", result.reason)
        elif not len(result.faces):
            yield Candidate(image, None, "no_face", result.note)
        else:
            ranks = _ranks(result)
            for i, face in enumerate(result.faces):
                yield _candidate(image, i, face, float(ranks[i]), align, scheme)


def _candidate(
    image: str, number: int, face: Face, rank: float, align: Align, scheme: Scheme
) -> Candidate:
    x, y, width, height = (float(v) for v in face.box)
    where = Candidate(
        image, number, "not_chosen", "", None, rank, x + width / 2, y + height / 2,
        max(width, height),
    )  # fmt: skip
    try:
        return replace(where, warp=align.framing.warp(face.points, scheme))
    except DataError as error:
        return replace(where, status="no_points", reason=str(error))


def _ranks(result: Annotated) -> npt.NDArray[np.float64]:
    """How good a picture of each face is (F,), 0..1: its sharpness, times how open the eyes are,
    times how frontal it is. What is not known counts as 1.
    """
    faces = result.faces
    size = (result.width, result.height)
    judged = dict(
        zip(
            QUALITY,
            quality(faces.boxes, faces.points, faces.confidence, faces.quality, size).T,
            strict=True,
        )
    )
    frontal = np.cos(np.radians(judged["out_of_plane"])).clip(0, 1)
    parts = [judged["sharpness"], frontal, 1 - judged["border_cut"]]
    if faces.points.shape[1] == 68:
        parts.append((eyes_opening(find_openings(faces.points)) / WIDE_OPEN).clip(0, 1))
    return np.asarray(np.prod(np.nan_to_num(np.array(parts), nan=1.0), axis=0))


def chosen(
    candidates: Sequence[Candidate],
    align: Align,
    date_of: Callable[[str], datetime | None],
) -> list[Candidate]:
    """The candidates, those that are to be aligned with the status `aligned`.

    Where a person chose faces of a picture, these are taken; otherwise those that `align` says,
    without those that a person rejected. date_of: a picture's date, for one picture per period.
    """
    of_image: dict[str, list[int]] = {}
    for i, one in enumerate(candidates):
        of_image.setdefault(one.image, []).append(i)
    taken: list[int] = []
    for members in of_image.values():
        able = [i for i in members if candidates[i].warp is not None or candidates[i].is_clip]
        wanted = [i for i in able if candidates[i].use]
        free = [i for i in able if candidates[i].use is None]
        taken += wanted or _automatic(free, candidates, align.faces)
    result = list(candidates)
    for i in taken:
        result[i] = replace(candidates[i], status="aligned", date=date_of(candidates[i].image))
    return result if align.one_per is None else _best_of_each(result, align.one_per)


def _automatic(free: list[int], candidates: Sequence[Candidate], which: str) -> list[int]:
    if which == "each" or not free:
        return free
    if which == "first":
        return free[:1]
    return [max(free, key=lambda i: candidates[i].size)]


def _best_of_each(candidates: list[Candidate], period: str) -> list[Candidate]:
    """Of each day or week those that a person chose, or else the one of the highest rank."""
    groups: dict[tuple[int, ...], list[int]] = {}
    result = list(candidates)
    for i, one in enumerate(candidates):
        if one.status != "aligned":
            continue
        if one.date is None:
            reason = "no date in EXIF or in the name of the file"
            if not one.use:
                result[i] = replace(one, status="not_chosen", reason=reason)
            continue
        year, week, _ = one.date.isocalendar()
        day = (one.date.year, one.date.month, one.date.day)
        groups.setdefault(day if period == "day" else (year, week), []).append(i)
    for members in groups.values():
        wanted = [i for i in members if candidates[i].use]
        kept = wanted or [max(members, key=lambda i: (candidates[i].rank, -i))]
        for i in set(members) - set(kept):
            reason = f"another picture of this {period} is better"
            result[i] = replace(candidates[i], status="not_chosen", reason=reason)
    return result
