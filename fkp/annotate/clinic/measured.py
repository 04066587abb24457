"""The two sides of each face, at rest and in expressions, as a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.annotate.clinic.visits import Picture
from fkp.annotate.outcome import Annotated, Result
from fkp.vision.head import Camera
from fkp.vision.symmetry import EXCURSION, MEASURES, Frontal, frontal

COLUMNS = (
    "person", "visit", "image", "expression", "measure", "unit", "right", "left", "difference",
    "asymmetry", "right_change", "left_change", "change_symmetry", "yaw", "pitch", "reason",
)  # fmt: skip

TURNED = 15.0
"""Degrees between face and line of sight above which a row gets a note."""

MOVED = 0.02
"""Minimum movement of a side for its symmetry to mean something, in eye distances (1.3 mm)."""

FloatArray = npt.NDArray[np.float64]
Row = dict[str, object]


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """A picture. face: in frontal view, None if unknown; reason: why, or a note."""

    picture: Picture
    face: Frontal | None
    reason: str


def shots_of(
    pictures: Sequence[Picture], results: Mapping[str, Result], camera: Camera
) -> list[Shot]:
    """The highest-scoring face of each picture."""
    return [_shot(picture, results[picture.image], camera) for picture in pictures]


def _shot(picture: Picture, result: Result, camera: Camera) -> Shot:
    if not isinstance(result, Annotated):
        return Shot(picture, None, f"unreadable: {result.reason}")
    if len(result.faces) == 0:
        return Shot(picture, None, "no face")
    best = int(np.nan_to_num(result.faces.scores).argmax())
    matrix = camera.matrix(result.width, result.height)
    face = frontal(result.faces.points[best], matrix)
    if face is None:
        return Shot(picture, None, "the points fit no head")
    notes = []
    if len(result.faces) > 1:
        notes.append(f"the highest-scoring of {len(result.faces)} faces")
    for name, turn in (("yaw", face.yaw), ("pitch", face.pitch)):
        if abs(turn) > TURNED:
            notes.append(f"{name} of {turn:.0f} degrees: the far side is a guess")
    return Shot(picture, face, "; ".join(notes))


def table_of(shots: Sequence[Shot], rest: str) -> pd.DataFrame:
    """COLUMNS, a row per measure of each picture. rest: a pattern for expressions at rest.

    Changes are relative to the mean of the visit's pictures at rest.
    """
    rows = []
    for visit in dict.fromkeys((shot.picture.person, shot.picture.visit) for shot in shots):
        own = [shot for shot in shots if (shot.picture.person, shot.picture.visit) == visit]
        at_rest = _at_rest(own, rest)
        for shot in own:
            rows += _rows(shot, at_rest, shot.picture.is_rest(rest))
    texts = {"person", "visit", "image", "expression", "measure", "unit", "reason"}
    kinds = {name: "float64" for name in COLUMNS if name not in texts}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


def _at_rest(shots: Sequence[Shot], rest: str) -> Frontal | None:
    faces = [s.face for s in shots if s.face is not None and s.picture.is_rest(rest)]
    if not faces:
        return None
    mean = np.mean([face.points for face in faces], axis=0)
    return Frontal(mean, faces[0].yaw, faces[0].pitch, faces[0].eyes)


def _rows(shot: Shot, at_rest: Frontal | None, is_rest: bool) -> list[Row]:
    picture, face = shot.picture, shot.face
    first: Row = {
        "person": picture.person, "visit": picture.visit, "image": picture.image,
        "expression": picture.expression, "reason": shot.reason or None,
    }  # fmt: skip
    if face is None:
        return [first]
    size = picture.millimetres(face.eyes)
    scale, unit = (1.0, "eye distance") if size is None else (size, "mm")
    sides = face.sides()
    changes = None if at_rest is None or is_rest else sides - at_rest.sides()
    rows = []
    for i, name in enumerate(MEASURES):
        right, left = sides[i] * scale
        middle = (abs(right) + abs(left)) / 2
        row = {
            "right": right, "left": left, "difference": left - right,
            "asymmetry": abs(left - right) / middle if middle else np.nan,
        }  # fmt: skip
        change = None if changes is None else changes[i]
        rows.append(first | {"measure": name} | row | _changes(change, scale))
    if at_rest is not None and not is_rest:
        rows.append(first | {"measure": EXCURSION} | _changes(face.excursion(at_rest), scale))
    return [row | {"unit": unit, "yaw": face.yaw, "pitch": face.pitch} for row in rows]


def _changes(change: FloatArray | None, scale: float) -> Row:
    """The changes of both sides, and the smaller as a share of the larger: negative for opposite
    directions, NaN if neither side moves.
    """
    if change is None:
        return {}
    right, left = (float(value) for value in change)
    larger, smaller = sorted((right, left), key=abs, reverse=True)
    share = smaller / larger if abs(larger) >= MOVED else np.nan
    return {"right_change": right * scale, "left_change": left * scale, "change_symmetry": share}
