"""Kaggle Facial Keypoints CSVs: named columns, and a column `Image` of space-separated pixels."""

import io
import math
import mmap
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError
from fkp.keypoints import KAGGLE15
from fkp.labels.table import (
    FARTHEST,
    LabelTable,
    PointColumns,
    ReadOptions,
    Rejected,
    check_columns,
    decode_text,
    find_points,
    from_origin,
    other_columns,
    parse_numbers,
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
        cells: list[bytes] = []
        pixels: list[npt.NDArray[np.uint8]] = []
        for number, line in lines:
            fields = line.split(b",")
            if len(fields) != len(header):
                reason = f"expected {len(header)} fields, got {len(fields)}"
                rejected.append(Rejected(source, number, "", reason))
                continue
            result = parse_pixels(fields.pop(column).strip(b'" \t'))
            if isinstance(result, str):
                rejected.append(Rejected(source, number, PIXEL_COLUMN, result))
                continue
            numbers.append(number)
            cells.append(b",".join(fields))
            pixels.append(result)
    rows = np.array(numbers, np.int64)
    labels = [name for i, name in enumerate(header) if i != column]
    return _table(source, labels, cells, rows, pixels, rejected, options)


def _table(
    source: str,
    labels: list[str],
    cells: list[bytes],
    rows: npt.NDArray[np.int64],
    pixels: list[npt.NDArray[np.uint8]],
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
    stack = np.stack([pixels[i] for i in square]).reshape(-1, side, side)
    cells, rows = [cells[i] for i in square], rows[square]
    pixels.clear()
    found = find_points(labels)
    notes = []
    if found is None:
        scheme = options.scheme or KAGGLE15
        notes.append(f"no label columns: pictures only, under scheme {scheme.name}")
        points = np.full((len(rows), len(scheme), 2), np.nan)
        keep = np.ones(len(rows), bool)
        other = other_columns(_text_frame(cells, labels, source), keep, None) if labels else {}
        return LabelTable(
            source, scheme, points, rows,
            pixels=stack, rejected=rejected, notes=notes, other=other,
        )  # fmt: skip
    scheme, columns = found.scheme(options)
    frame = _label_frame(cells, labels, source)
    points, keep = read_point_cells(frame, columns, source, rows, rejected)
    points, fraction, more = from_origin(points, options)
    if not keep.all():
        stack = stack[keep]
    return LabelTable(
        source,
        scheme,
        points,
        rows[keep],
        pixels=stack,
        fraction=fraction,
        rejected=rejected,
        notes=notes + more,
        other=other_columns(frame, keep, columns),
    )


def _label_frame(cells: list[bytes], labels: list[str], source: str) -> pd.DataFrame:
    """The label cells as numbers where all of them are, else as text for the exact check."""
    data = b"\n".join(cells)
    try:
        frame = pd.read_csv(
            io.BytesIO(data), names=labels, dtype=np.float64, skip_blank_lines=False
        )
        if not (np.abs(frame.to_numpy()) > FARTHEST).any():
            return frame
    except ValueError:
        pass  # some cell is not a number; the exact check says which
    return _text_frame(cells, labels, source)


def _text_frame(cells: list[bytes], labels: list[str], source: str) -> pd.DataFrame:
    decoded = [decode_text(line, source).replace('"', "").split(",") for line in cells]
    return pd.DataFrame(decoded, columns=labels, dtype=str)


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
    for number, whole in enumerate(iter(data.readline, b""), start=1):
        line = whole.rstrip(b"\r\n")
        if line:
            yield number, line


def _common_side(pixels: list[npt.NDArray[np.uint8]]) -> int:
    """Side of the pictures: the one that most rows have, 0 where no row is a square."""
    counts = Counter(len(p) for p in pixels if math.isqrt(len(p)) ** 2 == len(p))
    return math.isqrt(counts.most_common(1)[0][0]) if counts else 0


def parse_pixels(text: bytes) -> npt.NDArray[np.uint8] | str:
    """Space-separated integers 0..255 as uint8, or what is wrong with them.

    Every byte is taken for the last digit of a number and given that number's value, all at
    once; then the true last digits are kept. Text that is not plain digits and single spaces
    goes to the slower, exact check.
    """
    padded = np.frombuffer(b"   " + text + b" ", np.uint8)
    digits = padded - np.uint8(_ZERO)
    is_digit = digits < 10
    digits *= is_digit
    one, ten, hundred = digits[3:-1], digits[2:-2], digits[1:-3] * is_digit[2:-2]
    here, left = is_digit[3:-1], is_digit[2:-2]
    four = here & left & is_digit[1:-3] & is_digit[:-4]
    rest = 10 * ten + one  # at most 99
    over = (hundred > 2) | ((hundred == 2) & (rest > 55))
    spaces = np.count_nonzero(padded == _SPACE) - 4
    single = np.count_nonzero(here & ~left) == spaces + 1  # as many numbers as spaces allow
    if not single or spaces + np.count_nonzero(here) != len(here) or (four | (here & over)).any():
        return _check_pixels(text)
    values = 100 * hundred + rest
    return values.compress(here & ~is_digit[4:])


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
    """Whether a file has a column `Image` and, in its first row, no picture's name there."""
    lines = head.decode("utf-8", "replace").lstrip("\ufeff").splitlines()[:2]
    header, *row = ([cell.strip().strip('"') for cell in line.split(",")] for line in lines)
    if PIXEL_COLUMN not in header:
        return False
    cell = row[0][header.index(PIXEL_COLUMN) :][:1] if row else []
    return not (cell and re.fullmatch(r"\S.*\.[A-Za-z]\w{1,4}", cell[0]))
