"""Folders of `.pts` files, one beside each picture (iBUG 300-W, ICCVW 2013)."""

from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.keypoints import IBUG68, MTFL5, Scheme
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, decode_text, from_origin
from fkp.vision.images import is_image_name


def is_pts_folder(path: Path) -> bool:
    """Whether a folder, or one in it, holds `.pts` files."""
    return path.is_dir() and next(path.rglob("*.pts"), None) is not None


def read_pts(folder: Path, options: ReadOptions) -> LabelTable:
    """All `.pts` files of a folder, in the order of their names; rows count the files from 1.

    iBUG's own files have their first pixel at 1: `origin` 1.
    """
    source = str(folder)
    images: list[str] = []
    points: list[list[list[float]]] = []
    rows: list[int] = []
    rejected: list[Rejected] = []
    for number, path in enumerate(sorted(folder.rglob("*.pts")), start=1):
        name = str(path.relative_to(folder))
        try:
            face = read_points(path)
            if points and len(face) != len(points[0]):
                raise LabelError(f"expected {len(points[0])} points as before, got {len(face)}")
            picture = _picture(path)
        except LabelError as error:
            rejected.append(Rejected(source, number, "", f"{name}: {error}"))
            continue
        images.append(str(picture.relative_to(folder)))
        points.append(face)
        rows.append(number)
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: no .pts files")
    array, fraction, notes = from_origin(np.array(points, np.float64), options)
    if not options.origin:
        notes.append(
            "taken to start at 0; files that start at 1, as iBUG's own do, need --origin 1"
        )
    return LabelTable(
        source, _scheme(array.shape[1], options), array, np.array(rows, np.int64),
        images=images, fraction=fraction, folders=(options.images or folder,),
        rejected=rejected, notes=notes,
    )  # fmt: skip


def _scheme(count: int, options: ReadOptions) -> Scheme:
    for scheme in (options.scheme, IBUG68, MTFL5):
        if scheme is not None and len(scheme) == count:
            return scheme
    return Scheme.from_names([f"p{i}" for i in range(count)], options.flip_pairs)


def read_points(path: Path) -> list[list[float]]:
    """`n_points: N`, then N lines of x and y in braces; raises LabelError."""
    text = decode_text(path.read_bytes(), path.name)
    head, brace, body = text.partition("{")
    lines = [line.split() for line in body.partition("}")[0].splitlines() if line.strip()]
    said = [line.split(":")[1] for line in head.splitlines() if line.startswith("n_points:")]
    if not brace or "}" not in body:
        raise LabelError("expected points between { and }")
    if said and said[0].strip() != str(len(lines)):
        raise LabelError(f"n_points says {said[0].strip()}, there are {len(lines)}")
    try:
        face = [[float(x), float(y)] for x, y in lines]
    except ValueError as error:
        raise LabelError(f"expected two numbers a line: {error}") from error
    if not face or not (np.abs(face) <= FARTHEST).all():
        raise LabelError(f"expected points, with coordinates of at most {FARTHEST:.0f}")
    return face


def _picture(path: Path) -> Path:
    """The picture of the same name."""
    found = sorted(p for p in path.parent.glob(f"{_literal(path.stem)}.*") if is_image_name(p.name))
    if len(found) != 1:
        names = ", ".join(p.name for p in found) or "none"
        raise LabelError(f"expected one picture of that name, found {names}")
    return found[0]


def _literal(stem: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in stem)
