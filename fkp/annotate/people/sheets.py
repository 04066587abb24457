"""The sheets that a person edits: the names of the groups, and the group of each face."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp.annotate.output.text import csv_line
from fkp.errors import LabelError
from fkp.files import replace_text

PEOPLE, FACES = "people.csv", "faces.csv"

PEOPLE_COLUMNS = ("person", "name", "faces", "pictures")
FACES_COLUMNS = ("results", "image", "face", "person", "fit", "reason")


@dataclass(frozen=True, slots=True)
class Entry:
    """A face with its group.

    person: empty if the face's picture could not be read; `reason` says why. fit: see `grouped`.
    """

    results: str
    image: str
    face: int
    person: str
    fit: float = float("nan")
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """Identifies the face."""
        return self.results, self.image, self.face


def write_sheets(out: Path, entries: Sequence[Entry], names: Mapping[str, str]) -> None:
    """Write both sheets. names: of persons, given by the user."""
    people = csv_line(PEOPLE_COLUMNS)
    for person in persons_of(entries):
        own = [entry for entry in entries if entry.person == person]
        pictures = len({(entry.results, entry.image) for entry in own})
        people += csv_line([person, names.get(person, ""), str(len(own)), str(pictures)])
    faces = csv_line(FACES_COLUMNS)
    for entry in entries:
        fit = "" if np.isnan(entry.fit) else f"{entry.fit:.3f}"
        cells = (entry.results, entry.image, str(entry.face), entry.person, fit, entry.reason)
        faces += csv_line(cells)
    replace_text(out / FACES, faces)
    replace_text(out / PEOPLE, people)


def persons_of(entries: Sequence[Entry]) -> list[str]:
    """The persons by decreasing number of faces."""
    counts: dict[str, int] = {}
    for entry in entries:
        if entry.person:
            counts[entry.person] = counts.get(entry.person, 0) + 1
    return sorted(counts, key=lambda person: -counts[person])


def read_sheets(out: Path) -> tuple[list[Entry], dict[str, str]]:
    """Read the sheets: entries, and the names of persons.

    Raises LabelError with file and row if one is damaged.
    """
    names: dict[str, str] = {}
    for row, cells in _rows(out / PEOPLE, PEOPLE_COLUMNS[:2]):
        person = cells["person"].strip()
        if person in names:
            raise LabelError(f"{out / PEOPLE} row {row}: duplicate person {person}")
        names[person] = cells["name"].strip()
    entries = []
    for row, cells in _rows(out / FACES, FACES_COLUMNS[:4]):
        try:
            face = int(cells["face"])
            fit = float(cells.get("fit") or "nan")
        except ValueError as error:
            raise LabelError(
                f"{out / FACES} row {row}, columns face and fit: expected numbers: {error}"
            ) from error
        person, reason = cells["person"].strip(), cells.get("reason") or ""
        entries.append(Entry(cells["results"], cells["image"], face, person, fit, reason))
    return entries, names


def named(entries: Sequence[Entry], names: Mapping[str, str]) -> list[Entry]:
    """The entries with the names of their persons; persons with the same name become one."""
    return [replace(one, person=names.get(one.person) or one.person) for one in entries]


def _rows(path: Path, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """The numbered rows of a sheet, also as saved by spreadsheets."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except FileNotFoundError as error:
        raise LabelError(f"{path}: no such file; overwrite to group the faces again") from error
    first = next(iter(text.splitlines()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    missing = [name for name in needed if name not in (reader.fieldnames or ())]
    if missing:
        raise LabelError(f"{path}: expected the columns {', '.join(needed)}, got {first!r}")
    return [
        (i, {key: value or "" for key, value in row.items() if key is not None})
        for i, row in enumerate(reader, start=2)
        if any(row.values())
    ]
