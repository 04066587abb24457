"""DeepLabCut's tables: `CollectedData_*.csv` and predictions, with three or four header rows."""

import csv
import io
from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.keypoints import Scheme
from fkp.labels.formats.paths import picture_folders
from fkp.labels.table import FARTHEST, LabelTable, ReadOptions, Rejected, decode_text, from_origin

SURE = 0.6
"""Predicted points of a smaller likelihood are missing; DeepLabCut's own default."""


def looks_like_deeplabcut(head: bytes) -> bool:
    """Whether the first cell is `scorer`."""
    return head.removeprefix(b"\xef\xbb\xbf").startswith(b"scorer,")


def read_deeplabcut(path: Path, options: ReadOptions) -> LabelTable:
    """A face a row and individual; individuals without any point are left out.

    The picture stands in the first columns: one path, or its parts.
    """
    source = str(path)
    lines, heads = _lines(path)
    start = next((i for i, cell in enumerate(heads["coords"]) if i and cell), 1)
    columns = _columns(heads, start)
    scheme = Scheme.from_names(list(next(iter(columns.values()))), options.flip_pairs)
    points: list[list[list[float]]] = []
    images: list[str] = []
    rows: list[int] = []
    rejected: list[Rejected] = []
    for number, line in enumerate(lines[len(heads) :], start=len(heads) + 1):
        for individual, places in columns.items():
            try:
                face = [_point(line, place) for place in places.values()]
            except (ValueError, IndexError) as error:
                reason = f"expected numbers: {error}"
                rejected.append(Rejected(source, number, individual, reason))
                continue
            if np.isnan(face).all():
                if len(columns) == 1:
                    rejected.append(Rejected(source, number, "", "no labels", malformed=False))
                continue
            points.append(face)
            images.append("/".join(part.replace("\\", "/") for part in line[:start] if part))
            rows.append(number)
    if not rows:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: no labelled rows")
    array, fraction, notes = from_origin(np.array(points, np.float64), options)
    return LabelTable(
        source, scheme, array, np.array(rows, np.int64),
        images=images, fraction=fraction, folders=_folders(path, options),
        rejected=rejected, notes=notes,
    )  # fmt: skip


def _lines(path: Path) -> tuple[list[list[str]], dict[str, list[str]]]:
    """All lines, and the header rows among them by their first cells."""
    try:
        lines = list(csv.reader(io.StringIO(decode_text(path.read_bytes(), str(path)))))
    except csv.Error as error:
        raise LabelError(f"{path}: not a readable CSV: {error}") from error
    names = ("scorer", "individuals", "bodyparts", "coords")
    heads = {line[0]: line for line in lines[:4] if line and line[0] in names}
    if not {"bodyparts", "coords"} <= set(heads):
        raise LabelError(f"{path}: expected header rows scorer, bodyparts and coords")
    return lines, heads


def _folders(path: Path, options: ReadOptions) -> tuple[Path, ...]:
    """A project's own paths start three folders up: labeled-data/VIDEO/CollectedData_X.csv."""
    places = picture_folders(path, options)
    return places if options.images is not None else (*places, *path.resolve().parents[1:3])


def _columns(heads: dict[str, list[str]], start: int) -> dict[str, dict[str, dict[str, int]]]:
    """For each individual ("" where there is one alone), of each body part: its columns by kind."""
    parts, kinds = heads["bodyparts"], heads["coords"]
    who = heads.get("individuals", [""] * len(parts))
    if not len(parts) == len(kinds) == len(who) > start:
        raise LabelError(
            f"expected header rows of as many columns, more than {start}: individuals, bodyparts "
            f"and coords have {len(who)}, {len(parts)} and {len(kinds)}"
        )
    columns: dict[str, dict[str, dict[str, int]]] = {}
    for i in range(start, len(kinds)):
        columns.setdefault(who[i], {}).setdefault(parts[i], {})[kinds[i]] = i
    first = list(next(iter(columns.values()), {}))
    for own in columns.values():
        if not own or list(own) != first or any(not {"x", "y"} <= set(p) for p in own.values()):
            raise LabelError("expected x and y of the same body parts for each individual")
    return columns


def _point(line: list[str], place: dict[str, int]) -> list[float]:
    x, y = (float(line[place[axis]] or "nan") for axis in "xy")
    if max(abs(x), abs(y)) > FARTHEST:
        raise ValueError(f"{x:g}, {y:g} are no pixels")
    sure = float(line[place["likelihood"]] or "nan") if "likelihood" in place else 1.0
    return [x, y] if sure >= SURE else [np.nan, np.nan]
