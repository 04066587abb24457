"""The faces that could be aligned: their positions and ranks, and which of them are chosen."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from fkp.annotate.align.settings import AlignConfig
from fkp.annotate.outcome import Annotated
from fkp.annotate.output.rows import Record
from fkp.errors import DataError
from fkp.keypoints import Face, Scheme
from fkp.vision.eyes import eyes_opening
from fkp.vision.measures import find_openings
from fkp.vision.quality import QUALITY, quality
from fkp.vision.warp import Warp

WIDE_OPEN = 0.3
"""Opening of the eyes above which wider is not better."""


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A face of a picture, or an input without a face (face is None).

    status: `aligned`, `not_chosen`, or why it cannot be aligned: `no_face`, `unreadable`,
    `no_points`. warp: to the aligned picture. rank: quality of the face's picture, 0..1. center_x,
    center_y: of its box, size: longer side of the box, in pixels. use: a person's choice. file:
    the aligned picture, relative to the folder of the run.
    """

    image: str
    face: int | None
    status: str
    reason: str = ""
    warp: Warp | None = None
    rank: float = math.nan
    center_x: float = math.nan
    center_y: float = math.nan
    size: float = math.nan
    date: datetime | None = None
    use: bool | None = None
    file: str = ""
    is_clip: bool = False


def candidates_of(
    records: Iterable[Record], config: AlignConfig, scheme: Scheme
) -> Iterator[Candidate]:
    """The candidates in photos, in the order of the inputs; none is chosen yet."""
    for image, result in records:
        if not isinstance(result, Annotated):
            yield Candidate(image, None, "unreadable", result.reason)
        elif not len(result.faces):
            yield Candidate(image, None, "no_face", result.note)
        else:
            ranks = _ranks(result)
            for i, face in enumerate(result.faces):
                yield _candidate(image, i, face, float(ranks[i]), config, scheme)


def _candidate(
    image: str, number: int, face: Face, rank: float, config: AlignConfig, scheme: Scheme
) -> Candidate:
    x, y, width, height = (float(v) for v in face.box)
    where = Candidate(
        image, number, "not_chosen", "", None, rank, x + width / 2, y + height / 2,
        max(width, height),
    )  # fmt: skip
    try:
        return replace(where, warp=config.framing.warp(face.points, scheme))
    except DataError as error:
        return replace(where, status="no_points", reason=str(error))


def _ranks(result: Annotated) -> npt.NDArray[np.float64]:
    """The rank of each face (F,), 0..1: the product of sharpness, cosine of `out_of_plane`, share
    of the box inside the picture, and openness of the eyes. Unknown factors count as 1.
    """
    faces = result.faces
    size = (result.width, result.height)
    rated = dict(
        zip(
            QUALITY,
            quality(faces.boxes, faces.points, faces.confidence, faces.quality, size).T,
            strict=True,
        )
    )
    frontal = np.cos(np.radians(rated["out_of_plane"])).clip(0, 1)
    parts = [rated["sharpness"], frontal, 1 - rated["border_cut"]]
    if faces.points.shape[1] == 68:
        parts.append((eyes_opening(find_openings(faces.points)) / WIDE_OPEN).clip(0, 1))
    return np.asarray(np.prod(np.nan_to_num(np.array(parts), nan=1.0), axis=0))


def chosen(
    candidates: Sequence[Candidate],
    config: AlignConfig,
    date_of: Callable[[str], datetime | None],
) -> list[Candidate]:
    """The candidates, with the status `aligned` for those to be aligned.

    If a person chose faces of a picture, these are taken; otherwise `config` decides among those
    that the person did not reject. date_of: returns a picture's date, for one picture per period.
    """
    of_image: dict[str, list[int]] = {}
    for i, one in enumerate(candidates):
        of_image.setdefault(one.image, []).append(i)
    taken: list[int] = []
    for members in of_image.values():
        able = [i for i in members if candidates[i].warp is not None or candidates[i].is_clip]
        wanted = [i for i in able if candidates[i].use]
        free = [i for i in able if candidates[i].use is None]
        taken += wanted or _automatic(free, candidates, config.faces)
    result = list(candidates)
    for i in taken:
        result[i] = replace(candidates[i], status="aligned", date=date_of(candidates[i].image))
    return result if config.one_per is None else _best_of_each(result, config.one_per)


def _automatic(free: list[int], candidates: Sequence[Candidate], which: str) -> list[int]:
    if which == "each" or not free:
        return free
    if which == "first":
        return free[:1]
    return [max(free, key=lambda i: candidates[i].size)]


def _best_of_each(candidates: list[Candidate], period: str) -> list[Candidate]:
    """Per day or week, the pictures that a person chose, otherwise the one of the highest rank."""
    groups: dict[tuple[int, ...], list[int]] = {}
    result = list(candidates)
    for i, one in enumerate(candidates):
        if one.status != "aligned":
            continue
        if one.date is None:
            reason = "no date in EXIF or file name"
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
            reason = f"another picture of this {period} has a higher rank"
            result[i] = replace(candidates[i], status="not_chosen", reason=reason)
    return result
