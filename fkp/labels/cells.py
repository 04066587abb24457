"""Tables of text cells, and the numbers in them."""

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from fkp.errors import LabelError
from fkp.labels.table import Rejected

FARTHEST = 1e6
"""Maximum plausible coordinate in pixels."""

MOST_COLUMNS = 20_000

MISSING = frozenset({"", "nan", "na", "n/a", "#n/a", "null", "none", "-nan", "."})
"""Cells (in lower case) that mean "no value" in pandas, R, Excel and SAS."""

_DECIMAL_COMMA = re.compile(r"[-+]?(\d{1,3}(\.\d{3})+|\d+),\d+([eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A table: N rows of C text cells under a header of C names.

    rows: (N,) the line of each row in its file. rejected: rows with another number
    of fields.
    """

    source: str
    header: list[str]
    cells: list[list[str]]
    rows: npt.NDArray[np.int64]
    rejected: list[Rejected]

    def __len__(self) -> int:
        return len(self.cells)

    def index(self, *names: str) -> int | None:
        """The first column that has one of these names, in lower case."""
        for i, name in enumerate(self.header):
            if name.lower() in names:
                return i
        return None

    def column(self, i: int) -> list[str]:
        """The cells of a column, without spaces around them."""
        return [row[i].strip() for row in self.cells]

    def known(self, i: int) -> npt.NDArray[np.bool_]:
        """(N,) whether each cell of a column holds a value."""
        return np.array([not is_missing(cell) for cell in self.column(i)], bool)

    def take(self, keep: npt.NDArray[np.bool_]) -> "Cells":
        """The rows that `keep` (N,) marks."""
        if keep.all():
            return self
        cells = [row for row, kept in zip(self.cells, keep, strict=True) if kept]
        return Cells(self.source, self.header, cells, self.rows[keep], self.rejected)

    def numbers(
        self, columns: Sequence[int], complain: Callable[[Rejected], None]
    ) -> npt.NDArray[np.float64]:
        """The cells of some columns as (N, len(columns)) float64; missing ones are NaN.

        Decimal commas are understood. The first bad cell of each row is passed to `complain`.
        """
        flat = [row[j] for row in self.cells for j in columns]
        values = to_numbers(flat)
        doubtful = np.flatnonzero(~(np.abs(values) <= FARTHEST))
        told: set[int] = set()
        for k in doubtful:
            i, j = divmod(int(k), len(columns))
            cell = flat[int(k)].strip()
            if is_missing(cell):
                continue
            if _DECIMAL_COMMA.fullmatch(cell):
                values[k] = float(cell.replace(".", "").replace(",", "."))
                if abs(values[k]) <= FARTHEST:
                    continue
            if i not in told:
                told.add(i)
                wanted = (
                    "a number" if not np.isfinite(values[k]) else f"at most {FARTHEST:.0f} pixels"
                )
                reason = f'expected {wanted}, got "{shortened(cell)}"'
                column = shortened(self.header[columns[j]])
                complain(Rejected(self.source, int(self.rows[i]), column, reason))
            values[k] = np.nan
        return values.reshape(len(self.cells), len(columns))


def to_numbers(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """Texts as float64, NaN for anything but a plain decimal number."""
    with np.errstate(over="ignore"):
        numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce")
    return numbers.to_numpy(np.float64, na_value=np.nan).copy()


def is_missing(cell: str) -> bool:
    """Whether a cell means "no value"."""
    return cell.strip().lower() in MISSING


def shortened(text: str, most: int = 40) -> str:
    """Text from a file, short enough for a message."""
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 3]}..."


def listed(names: Sequence[str], most: int = 6) -> str:
    """The first few names, for a message."""
    shown = ", ".join(shortened(name) for name in names[:most])
    return f"{shown}, ..." if len(names) > most else shown


def read_cells(text: str, source: str) -> Cells:
    """Parse a CSV into text cells; raises LabelError if it is not one.

    A first line `sep=` gives the delimiter. Otherwise it is the comma, semicolon, tab or bar that
    is most frequent in the first line, or white space.
    """
    if "\n" not in text:
        text = text.replace("\r", "\n")
    first, _, rest = text.partition("\n")
    said = re.fullmatch(r'"?sep=(.)"?\s*', first, re.IGNORECASE)
    skipped = 1 if said else 0
    if said:
        text = rest
    if not text.strip():
        raise LabelError(f"{source}: the file is empty; expected a header row and labelled rows")
    top = text.split("\n", 1)[0]
    delimiter = said.group(1) if said else max(",;\t|", key=top.count)
    lines: Iterator[tuple[int, list[str]]]
    if not said and delimiter not in top:
        split = ((n, line.split()) for n, line in enumerate(text.splitlines(), 1))
        lines = ((n, words) for n, words in split if words)
    else:
        lines = _fields(text, delimiter, source, skipped)
    _, first_fields = next(lines, (1, []))
    names = [name.strip() for name in first_fields]
    check_columns(names, source)
    rejected: list[Rejected] = []
    rows: list[int] = []
    cells: list[list[str]] = []
    for number, fields in lines:
        if len(fields) == len(names) + 1 and not rows and not rejected:
            names = ["", *names]  # R's write.table has row names, but no header for them
        if len(fields) != len(names):
            reason = f"expected {len(names)} fields, got {len(fields)}"
            rejected.append(Rejected(source, number, "", reason))
            continue
        rows.append(number)
        cells.append(fields)
    if not cells:
        raise LabelError(str(rejected[0]) if rejected else f"{source}: the table has no rows")
    return Cells(source, names, cells, np.array(rows, np.int64), rejected)


def _fields(
    text: str, delimiter: str, source: str, skipped: int
) -> Iterator[tuple[int, list[str]]]:
    """The number and the fields of each line that is not empty."""
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    before = 0
    try:
        for fields in reader:
            number, before = before + 1 + skipped, reader.line_num
            if any(field.strip() for field in fields):
                yield number, fields
    except csv.Error as error:
        row = reader.line_num + skipped
        raise LabelError(f"{source} row {row}: not a readable CSV: {error}") from error


def check_columns(names: Sequence[str], source: str) -> None:
    """Refuse a header with too many columns, with duplicates, or without names."""
    if len(names) > MOST_COLUMNS:
        raise LabelError(
            f"{source}: {len(names)} columns, expected at most {MOST_COLUMNS} (two per point); "
            "transposed tables, and tables with a column per pixel, are not supported"
        )
    numbers = [name for name in names if name]
    if len(numbers) > 1 and all(re.fullmatch(r"[-+]?\d+([.,]\d+)?", name) for name in numbers):
        counted = numbers[0] in ("0", "1") and numbers == [
            str(int(numbers[0]) + i) for i in range(len(numbers))
        ]
        if not counted:
            raise LabelError(
                f"{source} row 1: expected column names, got numbers ({listed(numbers, 4)}); "
                "add a header"
            )
    seen: set[str] = set()
    for name in names:
        if name and name in seen:
            raise LabelError(
                f"{source} row 1: two columns are named {shortened(name)}; rename or drop one"
            )
        seen.add(name)
