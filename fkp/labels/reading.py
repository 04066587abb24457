"""Read a label file or folder of any known format."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import LabelError, Setting
from fkp.files import is_special
from fkp.keypoints import MTFL5, Scheme
from fkp.labels.cells import is_missing, listed, shortened, to_numbers
from fkp.labels.check import misfit
from fkp.labels.formats.base import Format
from fkp.labels.formats.known import FORMATS, PLAIN
from fkp.labels.plausible import see_units
from fkp.labels.schemes import part_of
from fkp.labels.sniff import what_is
from fkp.labels.source import Source
from fkp.labels.store import is_prepared
from fkp.labels.table import LabelTable, ReadOptions, Rejected

_FIVE = tuple(f"p{i}" for i in range(len(MTFL5)))
"""The names of five numbered points."""

_FACE = 0.35
"""Points with a smaller misfit form a face."""

_BINARY = ("an HDF5 file", "a Parquet file")
"""Kinds of binary files that some formats use."""


def read_source(path: Path, options: ReadOptions, format: str | None = None) -> LabelTable:
    """Read a label file or folder; in a result folder of annotate, its table.

    format: a name of FORMATS, None to recognise the format. Raises LabelError, and UndecidedError
    if a setting must say what the labels mean.
    """
    try:
        source = Source(_table_of_run(path))
        if is_special(path):
            raise LabelError(f"{path}: not a regular file; write the labels into one first")
        if not source.is_folder:
            if not source.head.strip():
                raise LabelError(f"{path}: the file is empty; expected labelled rows")
            if is_prepared(path):
                raise LabelError(f"{path}: is prepared already; train or evaluate on it directly")
        chosen = FORMATS[format] if format is not None else recognised(source)
        for name in ("category", "columns"):
            if getattr(options, name) and name not in chosen.settings:
                raise LabelError(f"{path}: read as {chosen.title}, which has no {name} to choose")
        return _meant(chosen.read(source, options), options)
    except OSError as error:
        raise LabelError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _table_of_run(path: Path) -> Path:
    """The table in a result folder of annotate; any other path unchanged."""
    if not (path / "run.json").is_file():
        return path
    tables = (path / f"keypoints.{suffix}" for suffix in ("csv", "parquet", "jsonl"))
    return next((table for table in tables if table.is_file()), path)


def recognised(source: Source) -> Format:
    """The format of a source; if there is none, LabelError says what the source is."""
    kind = "" if source.is_folder else what_is(source.head)
    if kind and kind not in _BINARY:
        raise LabelError(f"{source}: expected labels, got {kind}")
    plain = not (kind or source.is_folder or source.starts_as_json or source.starts_as_xml)
    for name, format in FORMATS.items():
        if (plain or name not in PLAIN) and format.recognise(source):
            return format
    raise _unknown(source, kind)


def _unknown(source: Source, kind: str) -> LabelError:
    """The error for a source of no known format."""
    if source.is_folder:
        return LabelError(
            f"{source}: expected a label file, or a folder with .pts, LabelMe, YOLO or Supervisely "
            "labels; this folder has none"
        )
    if kind:
        return LabelError(f"{source}: expected labels of DeepLabCut or SLEAP, got {kind} without")
    if source.starts_as_json:
        members = listed(list(source.json.data)) if isinstance(source.json.data, dict) else "a list"
        return LabelError(
            f"{source}: expected labels of COCO, LabelMe, VIA, Label Studio or Supervisely, "
            f"got JSON with {members}"
        )
    if source.xml_root or source.starts_as_xml:
        root = source.xml.tag
        return LabelError(
            f"{source}: expected labels of dlib or CVAT, got XML with root <{shortened(root)}>"
        )
    return LabelError(
        f"{source} row 1: expected point columns <name>_x, <name>_y, x0, y0 or bare numbers, "
        f"got {listed(source.cells.header)}",
        Setting("columns", "PATTERN,...", "which columns hold the points"),
    )


def _meant(table: LabelTable, options: ReadOptions) -> LabelTable:
    """The table with missing points, units, origin and sides resolved, without rows over a limit
    and without points that no row labels.
    """
    if len(table.rows) == 0:
        raise LabelError(f"no row can be used; the first: {table.rejected[0]}")
    for column, limit in options.limits:
        table = _within(table, column, limit)
    notes = list(table.notes)
    points, note = _without_placeholders(table, options)
    notes += [note] if note else []
    units = table.units
    if units is None or options.units is not None:
        units, note = see_units(points, options, table.source)
        notes += [note] if note else []
    scheme = table.scheme
    five = scheme.names == _FIVE and options.flip_pairs is None
    if five and float(np.median(misfit(points, MTFL5))) < _FACE:
        scheme = MTFL5
        notes.append("the five points form eyes, nose tip and mouth corners, and are named so")
    if (options.sides or ("viewer" if table.viewer else "subject")) == "viewer":
        points = points[:, _mirror(scheme, table.source)]
        notes.append("left and right are the viewer's and were exchanged")
    labelled = np.asarray(np.isfinite(points).all(-1).any(0))
    if labelled.any() and not labelled.all():
        never = [name for name, known in zip(scheme.names, labelled, strict=True) if not known]
        notes.append(f"no row labels {listed(never)}: left out")
        scheme, points = part_of(scheme, np.flatnonzero(labelled).tolist()), points[:, labelled]
    origin = table.origin if options.origin is None else options.origin
    if options.origin:
        notes.append(f"{options.origin:g} was subtracted from all coordinates")
    if units == "pixels":
        points, origin = points - origin, 0.0
    return replace(
        table, units=units, origin=origin, y_up=bool(options.y_up), scheme=scheme, points=points,
        viewer=False, notes=notes,
    )  # fmt: skip


def _within(table: LabelTable, column: str, limit: float) -> LabelTable:
    """The rows with at most `limit` in a further column, or with an empty cell."""
    if column not in table.other:
        known = listed(list(table.other)) or "none"
        raise LabelError(f"{table.source}: no further column {column}; there are: {known}")
    cells = table.other[column]
    values = to_numbers(cells)
    keep = np.ones(len(cells), bool)
    for i, (cell, value) in enumerate(zip(cells, values.tolist(), strict=True)):
        reason = ""
        if value > limit:
            reason = f"{value:g} exceeds {limit:g}"
        elif np.isnan(value) and not is_missing(cell):
            reason = f'expected a number, got "{shortened(cell)}"'
        if reason:
            keep[i] = False
            row, malformed = int(table.rows[i]), bool(np.isnan(value))
            table.rejected.append(Rejected(table.source, row, column, reason, malformed))
    if not keep.any():
        raise LabelError(f"no row can be used; the first: {table.rejected[0]}")
    return table.take(keep)


def _without_placeholders(
    table: LabelTable, options: ReadOptions
) -> tuple[npt.NDArray[np.float64], str]:
    """The points without those at exactly 0, 0 or -1, -1, which many tools write for missing
    ones, and a note.
    """
    points = table.points
    if options.units == "signed":
        return points, ""
    empty = (points == 0).all(-1) | (points == -1).all(-1)
    if not empty.any():
        return points, ""
    note = f"{empty.sum()} points at exactly 0, 0 or -1, -1 were treated as missing"
    return np.where(empty[..., None], np.nan, points), note


def _mirror(scheme: Scheme, source: str) -> list[int]:
    """For each point, the one on the other side."""
    if scheme.flip_order is None:
        raise LabelError(
            f"{source}: the point names do not tell left from right",
            Setting("flip_pairs", "A:B,..."),
        )
    return list(scheme.flip_order)
