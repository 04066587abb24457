"""DeepLabCut's `CollectedData_*` and predictions, CSV or HDF5, single or multi-animal."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting
from fkp.files import replacing
from fkp.labels.cells import is_missing, listed
from fkp.labels.formats.base import (
    CATEGORY,
    MISSING,
    FaceList,
    Format,
    NoLabelsError,
    Point,
    floats,
)
from fkp.labels.formats.hdf5 import is_hdf5, open_hdf5
from fkp.labels.formats.out import cell, picture_files, relative_to
from fkp.labels.formats.pandas_hdf5 import find_frame, read_frame
from fkp.labels.source import Source
from fkp.labels.store import NAMES, Samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected

LIKELY = 0.6
"""Predicted points with a smaller likelihood are missing; this is DeepLabCut's default."""

_SHARED = "single"
"""The individual to which DeepLabCut assigns unique body parts."""


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """A table of points.

    columns: individual ("" if there is only one), body part, and x, y or likelihood of C columns.
    index: the picture or frame of N rows. values: (N, C) float64. bad: reasons by row index.
    """

    columns: list[tuple[str, str, str]]
    index: list[str]
    rows: list[int]
    values: npt.NDArray[np.float64]
    bad: dict[int, str]


def _recognise(source: Source) -> bool:
    if source.is_folder:
        return False
    if is_hdf5(source):
        with open_hdf5(source) as file:
            return find_frame(file) is not None
    first = source.first_lines[0] if source.first_lines else ""
    return first.startswith(("scorer,", '"scorer",'))


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read a face per row and individual; individuals without points are skipped.

    Unique body parts (of the individual `single`) do not belong to faces. category: the only
    individual to read.
    """
    table = _from_hdf5(source) if is_hdf5(source) else _from_csv(source)
    columns, notes = _individuals(source, table, options)
    faces = FaceList(source, options)
    frames = all(re.fullmatch(r"\d+", name) for name in table.index)
    if frames and options.images is None:
        raise LabelError(
            f"{source}: its rows are frames of a clip, but the clip is not named",
            Setting("images", "CLIP.mp4", "the clip"),
        )
    for i, name in enumerate(table.index):
        row, found = table.rows[i], 0
        if i in table.bad:
            faces.reject(row, table.bad[i])
            continue
        for parts in columns.values():
            try:
                points = {part: _point(table.values[i], at) for part, at in parts.items()}
                frame = int(name) if frames else -1
                image = str(options.images) if frames else name
                faces.add(row, image, points, frame=frame)
                found += 1
            except NoLabelsError:
                continue
            except LabelError as error:
                faces.reject(row, error)
        if not found and not any(r.row == row for r in faces.rejected[-1:]):
            faces.reject(row, NoLabelsError("no labels"))
    names = list(next(iter(columns.values())))
    return faces.table(DEEPLABCUT.title, names, notes=notes)


def _from_csv(source: Source) -> _Table:
    """Read three or four header rows, and rows that start with a path or its parts."""
    try:
        lines = [line for line in csv.reader(io.StringIO(source.text)) if line]
    except csv.Error as error:
        raise LabelError(f"{source}: not a readable CSV: {error}") from error
    known = ("scorer", "individuals", "bodyparts", "coords")
    heads = {line[0]: line for line in lines[:4] if line[0] in known}
    if not {"bodyparts", "coords"} <= set(heads):
        raise LabelError(f"{source}: expected header rows scorer, bodyparts and coords")
    parts, kinds = heads["bodyparts"], heads["coords"]
    who = heads.get("individuals", [""] * len(parts))
    start = next((i for i, cell in enumerate(kinds) if i and cell), 1)
    if not len(parts) == len(kinds) == len(who) > start:
        raise LabelError(
            f"{source}: expected header rows of as many columns, more than {start}: individuals, "
            f"bodyparts and coords have {len(who)}, {len(parts)} and {len(kinds)}"
        )
    columns = list(zip(who[start:], parts[start:], kinds[start:], strict=True))
    index: list[str] = []
    rows: list[int] = []
    values: list[list[float]] = []
    bad: dict[int, str] = {}
    for number, line in enumerate(lines[len(heads) :], start=len(heads) + 1):
        numbers = [float("nan")] * len(columns)
        try:
            if len(line) != len(kinds):
                raise LabelError(f"expected {len(kinds)} fields, got {len(line)}")
            numbers = floats(["nan" if is_missing(c) else c for c in line[start:]])
        except LabelError as error:
            bad[len(index)] = str(error)
        index.append("/".join(part.replace("\\", "/") for part in line[:start] if part))
        rows.append(number)
        values.append(numbers)
    if not rows:
        raise LabelError(f"{source}: no labelled rows")
    return _Table(columns, index, rows, np.array(values, np.float64), bad)


def _from_hdf5(source: Source) -> _Table:
    with open_hdf5(source) as file:
        key = find_frame(file)
        if key is None:
            raise LabelError(f"{source}: no table of DeepLabCut in it")
        frame = read_frame(file, key, str(source))
    if len(frame.columns[0]) not in (3, 4):
        raise LabelError(f"{source}: expected columns of scorer, bodyparts and coords")
    columns = [(c[-3] if len(c) == 4 else "", c[-2], c[-1]) for c in frame.columns]
    index = ["/".join(part.replace("\\", "/") for part in name if part) for name in frame.index]
    rows = list(range(1, len(index) + 1))
    return _Table(columns, index, rows, frame.values, {})


def _individuals(
    source: Source, table: _Table, options: ReadOptions
) -> tuple[dict[str, dict[str, dict[str, int]]], list[str]]:
    """The columns of each individual, body part and kind; and notes."""
    found: dict[str, dict[str, dict[str, int]]] = {}
    for i, (who, part, kind) in enumerate(table.columns):
        found.setdefault(who, {}).setdefault(part, {})[kind] = i
    for who, parts in found.items():
        for part, kinds in parts.items():
            if not {"x", "y"} <= set(kinds):
                raise LabelError(f"{source}: expected x and y of {part} {who}".rstrip())
    if options.category is not None:
        if options.category not in found:
            known = listed(list(found))
            raise LabelError(f"{source}: no individual {options.category}; there are {known}")
        return {options.category: found[options.category]}, []
    notes = []
    if _SHARED in found and len(found) > 1:
        unique = listed(list(found.pop(_SHARED)))
        notes.append(f"unique body parts were skipped: {unique}")
    names = next(iter(found.values()), {})
    for who, parts in found.items():
        if list(parts) != list(names):
            raise LabelError(
                f"{source}: expected the same body parts for all individuals, but {who} has others",
                Setting("category", who),
            )
    return found, notes


def _point(values: npt.NDArray[np.float64], at: dict[str, int]) -> Point:
    likely = values[at["likelihood"]] if "likelihood" in at else 1.0
    return (float(values[at["x"]]), float(values[at["y"]])) if likely >= LIKELY else MISSING


def _write(samples: Samples, output: Path) -> list[Rejected]:
    """Write CollectedData, with a row of individuals if a picture has several faces."""
    pictures = picture_files(samples, output.with_name(f"{output.stem}_pictures"))
    names = [relative_to(path, output) for path in pictures.paths]
    most = max(Counter(names).values())
    faces: dict[str, list[npt.NDArray[np.float64]]] = {}
    for name, points in zip(names, pictures.points, strict=True):
        faces.setdefault(name, []).append(points)
    with (
        replacing(output) as part,
        part.open("w", encoding="utf-8", errors=NAMES, newline="") as file,
    ):
        csv.writer(file, lineterminator="\n").writerows(_lines(pictures.scheme.names, faces, most))
    return []


def _lines(
    parts: Sequence[str], faces: dict[str, list[npt.NDArray[np.float64]]], most: int
) -> list[list[str]]:
    pairs = [name for name in parts for _ in "xy"]
    rows = [["scorer", *["fkp"] * len(pairs) * most]]
    if most > 1:
        rows.append(["individuals", *(f"face{i + 1}" for i in range(most) for _ in pairs)])
    rows.append(["bodyparts", *pairs * most])
    rows.append(["coords", *["x", "y"] * len(parts) * most])
    for name, own in faces.items():
        cells = [cell(v) for points in own for v in points.reshape(-1)]
        rows.append([name, *cells, *[""] * (len(pairs) * most - len(cells))])
    return rows


DEEPLABCUT = Format(
    "dlc", "DeepLabCut's CollectedData or predictions (.csv, .h5)", _recognise, _read, _write,
    "CollectedData_fkp.csv", settings=CATEGORY,
)  # fmt: skip
