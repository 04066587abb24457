"""CSVs with a column of picture paths and columns of points, also without names, and annotate's."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError, parse_json
from fkp.labels.formats.kaggle import read_point_cells
from fkp.labels.table import (
    LabelTable,
    ReadOptions,
    Rejected,
    check_columns,
    decode_text,
    find_points,
    from_origin,
    other_columns,
    parse_numbers,
)

_PATH_COLUMNS = ("image", "image_path", "path", "file", "filename", "file_name", "image_name")
_PERSON_COLUMNS = ("person", "subject", "identity", "person_id", "subject_id", "group")
_PATH = re.compile(r".+\.[A-Za-z]{2,5}$")


def read_frame(path: Path) -> tuple[pd.DataFrame, npt.NDArray[np.int64], list[Rejected]]:
    """A CSV as text cells, the line number of each row, and the rows of a wrong length.

    The delimiter is the comma, semicolon or tab that the header holds most often.
    """
    source = str(path)
    text = decode_text(path.read_bytes(), source)
    if not text.strip():
        raise LabelError(f"{source}: the file is empty; expected a header row and labelled rows")
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    rejected: list[Rejected] = []
    rows: list[int] = []
    cells: list[list[str]] = []
    try:
        header = [name.strip() for name in next(reader)]
        check_columns(header, source)
        before = reader.line_num
        for fields in reader:
            number, before = before + 1, reader.line_num
            if not fields:
                continue
            if len(fields) != len(header):
                reason = f"expected {len(header)} fields, got {len(fields)}"
                rejected.append(Rejected(source, number, "", reason))
                continue
            rows.append(number)
            cells.append(fields)
    except csv.Error as error:
        raise LabelError(f"{source} row {reader.line_num}: not a readable CSV: {error}") from error
    if not cells:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the table has no rows")
    return pd.DataFrame(cells, columns=header, dtype=str), np.array(rows, np.int64), rejected


def read_path_csv(path: Path, options: ReadOptions) -> LabelTable:
    """Read a CSV in which each row names a picture file and gives the points of one face in it."""
    source = str(path)
    frame, rows, rejected = read_frame(path)
    header = [str(c) for c in frame.columns]
    image_column = path_column(frame)
    if image_column is None:
        raise LabelError(
            f"{source} row 1: expected a column of picture paths (named image, path, file, ...), "
            f"got {', '.join(header[:6])}{', ...' if len(header) > 6 else ''}"
        )
    found = find_points(header)
    if found is None:
        raise LabelError(
            f"{source} row 1: expected point columns <name>_x, <name>_y, x0, y0 or bare numbers, "
            f"got {', '.join(header[:6])}{', ...' if len(header) > 6 else ''}"
        )
    scheme, columns = found.scheme(options)
    images = frame.iloc[:, image_column].str.strip()
    sound = _described(frame, images, source, rows, rejected)
    for column, limit in options.limits:
        sound = sound & _within(frame, column, limit, source, rows, rejected)
    frame, images, rows = frame[sound], images[sound], rows[sound]
    points, keep = read_point_cells(frame, columns, source, rows, rejected)
    points, fraction, notes = from_origin(points, options)
    return LabelTable(
        source, scheme, points, rows[keep],
        images=images[keep].tolist(),
        persons=persons_column(frame, keep),
        folders=picture_folders(path, options),
        rejected=rejected,
        fraction=fraction,
        notes=notes,
        other=other_columns(frame, keep, columns, image_column),
    )  # fmt: skip


def _described(
    frame: pd.DataFrame,
    images: "pd.Series[str]",
    source: str,
    rows: npt.NDArray[np.int64],
    rejected: list[Rejected],
) -> npt.NDArray[np.bool_]:
    """Rows that name a picture and, in what annotate wrote, found a face in it."""
    sound = np.array(images != "", bool)
    rejected += [
        Rejected(source, int(row), str(images.name), "expected a picture path")
        for row in rows[~sound]
    ]
    if {"status", "face", "frame"} <= set(frame.columns):
        if (frame["frame"] != "").any():
            raise LabelError(
                f"{source}: its rows are frames of a clip, not pictures; write the frames out "
                "(ffmpeg -i clip.mp4 frames/%06d.png) and annotate these"
            )
        status = frame["status"].to_numpy(str)
        for row, word in zip(rows[status != "ok"], status[status != "ok"], strict=True):
            rejected.append(Rejected(source, int(row), "status", f"no face: {word}", False))
        sound &= status == "ok"
    return sound


def _within(
    frame: pd.DataFrame,
    column: str,
    limit: float,
    source: str,
    rows: npt.NDArray[np.int64],
    rejected: list[Rejected],
) -> npt.NDArray[np.bool_]:
    """Rows whose number in `column` is at most `limit`; empty cells are within."""
    if column not in frame.columns:
        raise LabelError(f"{source}: there is no column {column} to limit by --max")
    values = parse_numbers(frame[[column]], source, rows, rejected.append)[:, 0]
    above = values > limit
    for row, value in zip(rows[above], values[above], strict=True):
        rejected.append(Rejected(source, int(row), column, f"{value:g} is over {limit:g}", False))
    return ~above


def persons_column(frame: pd.DataFrame, keep: npt.NDArray[np.bool_]) -> list[str] | None:
    """Who is in the kept rows, where a column says so."""
    for i, name in enumerate(frame.columns):
        if str(name).lower() in _PERSON_COLUMNS:
            return [str(person) for person in frame.iloc[:, i][keep]]
    return None


def path_column(frame: pd.DataFrame) -> int | None:
    """Index of the column of picture paths: by its name, else the first that looks like paths."""
    for i, name in enumerate(frame.columns):
        if str(name).lower() in _PATH_COLUMNS:
            return i
    for i in range(frame.shape[1]):
        if frame.iloc[:20, i].str.strip().str.match(_PATH).all():
            return i
    return None


def picture_folders(path: Path, options: ReadOptions) -> tuple[Path, ...]:
    """Where the paths of a table may start: as said, or its folder, those in it, here."""
    if options.images is not None:
        return (options.images,)
    here = path.resolve().parent
    inside = sorted(p for p in here.iterdir() if p.is_dir() and not p.name.startswith("."))
    return _annotated_from(here) or (here, *inside, Path.cwd(), *here.parents)


def _annotated_from(folder: Path) -> tuple[Path, ...]:
    """The folder in which `fkp annotate` ran, from the `run.json` beside its table."""
    try:
        facts = parse_json((folder / "run.json").read_text(encoding="utf-8"))
        ran_in = Path(facts["folder"])
        return (ran_in,) if ran_in.is_dir() else ()
    except (OSError, ValueError, KeyError, TypeError):
        return ()  # not a result folder; the other places remain
