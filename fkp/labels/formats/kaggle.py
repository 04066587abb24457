"""Kaggle Facial Keypoints CSVs: point columns, and a column `Image` of pixels as text."""

import csv
import io
import math
import mmap
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import DataError, LabelError
from fkp.files import replacing
from fkp.keypoints import KAGGLE15
from fkp.labels.cells import FARTHEST, Cells, check_columns
from fkp.labels.columns import find_points
from fkp.labels.formats.base import COLUMNS, Format
from fkp.labels.formats.out import cell
from fkp.labels.formats.pixels import parse_pixels, to_gray
from fkp.labels.formats.points import other_columns, persons_column, read_points
from fkp.labels.source import Source, decode_text
from fkp.labels.store import Samples
from fkp.labels.table import LabelTable, ReadOptions, Rejected
from fkp.vision.crop import CropTransform

PIXEL_COLUMN = "Image"
SIDE = 96
"""Side of Kaggle's pictures in pixels."""

Pixels = npt.NDArray[np.uint8] | npt.NDArray[np.float32]


def _recognise(source: Source) -> bool:
    """Whether a file has a column `Image` that does not hold picture names."""
    lines = source.first_lines[:2]
    header, *row = ([cell.strip().strip('"') for cell in line.split(",")] for line in lines or [""])
    if PIXEL_COLUMN not in header:
        return False
    cells = row[0][header.index(PIXEL_COLUMN) :][:1] if row else []
    return not (cells and re.fullmatch(r"\S.*\.[A-Za-z]\w{1,4}", cells[0]))


def _read(source: Source, options: ReadOptions) -> LabelTable:
    """Read `training.csv` (with label columns) or `test.csv` (without), of any square size."""
    name = str(source)
    with ExitStack() as open_files:
        data: bytes | mmap.mmap = b""
        if source.packed:
            data = source.data
        else:
            file = open_files.enter_context(source.path.open("rb"))
            data = open_files.enter_context(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        lines = _lines(data)
        _, head = next(lines)
        header = [name.strip().strip('"') for name in decode_text(head, name).split(",")]
        check_columns(header, name)
        if PIXEL_COLUMN not in header:
            raise LabelError(f"{name} row 1: expected a column {PIXEL_COLUMN} of pixels")
        column = header.index(PIXEL_COLUMN)
        rejected: list[Rejected] = []
        numbers: list[int] = []
        cells: list[bytes] = []
        pixels: list[Pixels] = []
        for number, line in lines:
            fields = line.split(b",")
            if len(fields) != len(header):
                reason = f"expected {len(header)} fields, got {len(fields)}"
                rejected.append(Rejected(name, number, "", reason))
                continue
            result = parse_pixels(fields.pop(column).strip(b'" \t'))
            if isinstance(result, str):
                rejected.append(Rejected(name, number, PIXEL_COLUMN, result))
                continue
            numbers.append(number)
            cells.append(b",".join(fields))
            pixels.append(result)
    rows = np.array(numbers, np.int64)
    labels = [name for i, name in enumerate(header) if i != column]
    return _table(name, labels, cells, rows, pixels, rejected, options)


def _table(
    source: str,
    labels: list[str],
    cells: list[bytes],
    rows: npt.NDArray[np.int64],
    pixels: list[Pixels],
    rejected: list[Rejected],
    options: ReadOptions,
) -> LabelTable:
    side = _common_side(pixels)
    for i in (i for i, p in enumerate(pixels) if len(p) != side * side):
        shape = f"{side}x{side} = {side * side}" if side else "a square number of"
        reason = f"expected {shape} pixels, got {len(pixels[i])}"
        rejected.append(Rejected(source, int(rows[i]), PIXEL_COLUMN, reason))
    rejected.sort(key=lambda r: r.row)
    square = [i for i, p in enumerate(pixels) if len(p) == side * side and side]
    if not square:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the table has no rows")
    gray, note, kept = to_gray([pixels[i] for i in square])
    for i in np.flatnonzero(~kept).tolist():
        reason = "expected pixels from 0 to 255 as in other rows, got fractions"
        rejected.append(Rejected(source, int(rows[square[i]]), PIXEL_COLUMN, reason))
    square = [i for i, keep in zip(square, kept, strict=True) if keep]
    stack = gray.reshape(-1, side, side)
    cells, rows = [cells[i] for i in square], rows[square]
    pixels.clear()
    notes = [note] if note else []
    found = find_points(labels, options.columns)
    if found is None:
        scheme = options.scheme or KAGGLE15
        notes.append(f"no label columns, only pictures; the scheme is {scheme.name}")
        text = _text_cells(cells, labels, source, rows, rejected)
        return LabelTable(
            source, scheme, np.full((len(rows), len(scheme), 2), np.nan), rows,
            pixels=stack, rejected=rejected, notes=notes, other=other_columns(text, None),
            format=KAGGLE.title,
        )  # fmt: skip
    scheme, columns = found.scheme(options, source)
    text = _text_cells(cells, labels, source, rows, rejected)
    points, keep = read_points(text, columns, _plain_numbers(cells, labels))
    text = text.take(keep)
    return LabelTable(
        source, scheme, points, rows[keep],
        pixels=stack if keep.all() else stack[keep],
        persons=persons_column(text),
        rejected=rejected, notes=notes, other=other_columns(text, columns), format=KAGGLE.title,
    )  # fmt: skip


def _plain_numbers(cells: list[bytes], labels: list[str]) -> npt.NDArray[np.float64] | None:
    """All label cells as numbers, None if some are not: then cells are checked one by one."""
    data = b"\n".join(cells)
    try:
        frame = pd.read_csv(
            io.BytesIO(data), names=labels, dtype=np.float64, skip_blank_lines=False
        )
    except ValueError:
        return None
    values = frame.to_numpy()
    return None if (np.abs(values) > FARTHEST).any() else values


def _text_cells(
    cells: list[bytes],
    labels: list[str],
    source: str,
    rows: npt.NDArray[np.int64],
    rejected: list[Rejected],
) -> Cells:
    decoded = [decode_text(line, source).replace('"', "").split(",") for line in cells]
    return Cells(source, labels, decoded, rows, rejected)


def _lines(data: bytes | mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Line numbers and lines, without line ends; empty lines are skipped."""
    stream = io.BytesIO(data) if isinstance(data, bytes) else data
    for number, whole in enumerate(iter(stream.readline, b""), start=1):
        line = whole.rstrip(b"\r\n")
        if line:
            yield number, line


def _common_side(pixels: list[Pixels]) -> int:
    """Side of most pictures, 0 if none is square."""
    counts = Counter(len(p) for p in pixels if math.isqrt(len(p)) ** 2 == len(p))
    return math.isqrt(counts.most_common(1)[0][0]) if counts else 0


def _write(samples: Samples, output: Path) -> list[Rejected]:
    """Write a training.csv of the crops: 15 points in gray pictures of 96 pixels."""
    if not samples.scheme.can_convert(KAGGLE15):
        raise DataError(f"Kaggle's 15 points cannot be made from those of {samples.scheme.name}")
    points = samples.scheme.convert(samples.points, KAGGLE15)
    whole = CropTransform.whole(samples.size, samples.size, SIDE)
    with replacing(output) as part, part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*KAGGLE15.columns, PIXEL_COLUMN])
        for image, own in zip(samples.crops, points, strict=True):
            crop, place = np.asarray(image), own
            if samples.size != SIDE:
                crop, place = whole.cut(crop), whole.apply(own)
            pixels = " ".join(map(str, crop.reshape(-1)))
            writer.writerow([*map(cell, place.reshape(-1)), pixels])
    return []


KAGGLE = Format(
    "kaggle", "Kaggle's training.csv (pixels in a column Image)", _recognise, _read, _write,
    "kaggle.csv", settings=COLUMNS,
)  # fmt: skip
