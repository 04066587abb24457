"""Kaggle Facial Keypoints CSVs: named columns, and a column `Image` of space-separated pixels."""

import io
import math
import mmap
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError
from fkp.keypoints import KAGGLE15
from fkp.labels.table import (
    LabelTable,
    PointColumns,
    ReadOptions,
    Rejected,
    check_columns,
    decode_text,
    find_points,
    parse_numbers,
    scaled,
)

PIXEL_COLUMN = "Image"
_SPACE, _ZERO = 32, 48


def read_pixel_csv(path: Path, options: ReadOptions) -> LabelTable:
    """Read Kaggle's `training.csv` (30 label columns) or `test.csv` (none), any square size."""
    source = str(path)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        lines = _lines(data)
        _, head = next(lines)
        header = [name.strip().strip('"') for name in decode_text(head, source).split(",")]
        check_columns(header, source)
        column = header.index(PIXEL_COLUMN)
        rejected: list[Rejected] = []
        numbers: list[int] = []
        cells: list[list[str]] = []
        pixels: list[npt.NDArray[np.uint8]] = []
        side = 0

        def parse(item: tuple[int, bytes]) -> tuple[int, list[bytes], npt.NDArray[np.uint8] | str]:
            number, line = item
            fields = line.split(b",")
            if len(fields) != len(header):
                return number, fields, f"expected {len(header)} fields, got {len(fields)}"
            text = fields.pop(column).strip(b'" \t')
            return number, fields, parse_pixels(text)

        with ThreadPoolExecutor(os.cpu_count()) as pool:
            # In slices, so that no more than a few hundred rows of text are held at once.
            while batch := list(islice(lines, 256)):
                for number, fields, result in pool.map(parse, batch):
                    if not isinstance(result, str) and side == 0:
                        side = math.isqrt(len(result))
                    problem = result if isinstance(result, str) else _wrong_count(result, side)
                    if problem is not None or isinstance(result, str):
                        where = "" if "fields" in str(problem) else PIXEL_COLUMN
                        rejected.append(Rejected(source, number, where, str(problem)))
                        continue
                    numbers.append(number)
                    cells.append([decode_text(f, source).strip('"') for f in fields])
                    pixels.append(result.reshape(side, side))
    rows = np.array(numbers, np.int64)
    labels = [name for i, name in enumerate(header) if i != column]
    return _table(source, labels, cells, rows, pixels, rejected, options)


def _table(
    source: str,
    labels: list[str],
    cells: list[list[str]],
    rows: npt.NDArray[np.int64],
    pixels: list[npt.NDArray[np.uint8]],
    rejected: list[Rejected],
    options: ReadOptions,
) -> LabelTable:
    if not pixels:
        reason = str(rejected[0]) if rejected else f"{source}: the table has no rows"
        raise LabelError(reason)
    stack = np.stack(pixels)
    pixels.clear()
    found = find_points(labels)
    notes = []
    if found is None:
        scheme = options.scheme or KAGGLE15
        notes.append(f"no label columns: pictures only, under scheme {scheme.name}")
        points = np.full((len(rows), len(scheme), 2), np.nan)
        return LabelTable(
            source, scheme, points, rows, pixels=stack, rejected=rejected, notes=notes
        )
    scheme, columns = found.scheme(options)
    frame = pd.DataFrame(cells, columns=labels, dtype=str)
    points, keep = read_point_cells(frame, columns, source, rows, rejected)
    sizes = np.full((len(points), 2), float(stack.shape[1]))
    points, more = scaled(points, sizes, options)
    if not keep.all():
        stack = stack[keep]
    return LabelTable(
        source, scheme, points, rows[keep], pixels=stack, rejected=rejected, notes=notes + more
    )


def read_point_cells(
    frame: pd.DataFrame,
    columns: PointColumns,
    source: str,
    rows: npt.NDArray[np.int64],
    rejected: list[Rejected],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
    """The points of the rows without a bad cell (M, K, 2), and which rows those are (N,)."""
    wanted = [i for pair in columns.columns for i in pair]
    bad: list[Rejected] = []
    values = parse_numbers(frame.iloc[:, wanted], source, rows, bad.append)
    rejected.extend(sorted(bad, key=lambda r: r.row))
    keep = ~np.isin(rows, [r.row for r in bad])
    points = values.reshape(len(rows), -1, 2)[keep]
    points[np.isnan(points).any(-1)] = np.nan  # a point with one coordinate is no point
    return points, keep


def _lines(data: mmap.mmap) -> Iterator[tuple[int, bytes]]:
    """Line numbers and lines, without line ends; empty lines are passed over."""
    for number, line in enumerate(iter(data.readline, b""), start=1):
        line = line.rstrip(b"\r\n")
        if line:
            yield number, line


def _wrong_count(pixels: npt.NDArray[np.uint8], side: int) -> str | None:
    if len(pixels) == side * side and side > 0:
        return None
    shape = f"{side}x{side} = {side * side}" if side else "a square number of"
    return f"expected {shape} pixels, got {len(pixels)}"


def parse_pixels(text: bytes) -> npt.NDArray[np.uint8] | str:
    """Space-separated integers 0..255 as uint8, or what is wrong with them.

    Decimal digits are added up by their distance from the next space, for all numbers at once;
    text that is not plain digits and single spaces goes to the slower, exact check.
    """
    codes = np.frombuffer(text, np.uint8)
    spaces = np.flatnonzero(codes == _SPACE)
    digits = codes - np.uint8(_ZERO)
    if np.count_nonzero(digits > 9) != len(spaces):
        return _check_pixels(text)
    ends = np.append(spaces, len(codes)) - 1
    lengths = np.diff(ends, prepend=-2) - 1
    if lengths.min() < 1 or lengths.max() > 3:
        return _check_pixels(text)
    values = digits[ends].astype(np.uint16)
    values += (lengths > 1) * (10 * digits[ends - 1].astype(np.uint16))
    values += (lengths > 2) * (100 * digits[ends - 2].astype(np.uint16))
    if values.max() > 255:
        return _check_pixels(text)
    return np.asarray(values, np.uint8)


def _check_pixels(text: bytes) -> npt.NDArray[np.uint8] | str:
    words = text.split()
    if not words:
        return "expected space-separated pixels, got an empty cell"
    values = np.empty(len(words), np.uint8)
    for i, word in enumerate(words):
        try:
            number = float(word)
        except ValueError:
            number = math.nan
        if not 0 <= number <= 255:
            got = word[:40].decode("utf-8", "replace")
            return f'expected a number from 0 to 255 as pixel {i + 1}, got "{got}"'
        values[i] = round(number)
    return values


def looks_like_pixel_csv(head: bytes) -> bool:
    """Whether the first line of a file names a column `Image` of pixels."""
    first = io.BytesIO(head).readline().decode("utf-8", "replace").strip("\ufeff\r\n")
    return PIXEL_COLUMN in [name.strip().strip('"') for name in first.split(",")]
