"""A run of people: group the faces of results, or apply edits to the sheets."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp.annotate.output.gallery import PAGE
from fkp.annotate.output.rows import Columns, rows_of
from fkp.annotate.output.text import csv_line
from fkp.annotate.people.grouping import grouped
from fkp.annotate.people.looking import Seen, look_at
from fkp.annotate.people.page import write_page
from fkp.annotate.people.sheets import (
    FACES,
    PEOPLE,
    Entry,
    named,
    persons_of,
    read_sheets,
    write_sheets,
)
from fkp.annotate.people.subjects import Results, Subject, subjects_of
from fkp.annotate.pipeline import Progress
from fkp.errors import DataError, FkpError, UsageError
from fkp.files import replacing
from fkp.locks import locked
from fkp.vision.appearance import Appearance

TABLE = "keypoints.csv"


@dataclass(frozen=True, slots=True)
class PeopleReport:
    """The outcome of a run.

    persons, faces: their numbers. unseen: pictures of faces that could not be read, with reasons.
    edited: whether the sheets existed, so that edits were applied.
    """

    folder: Path
    persons: int
    faces: int
    unseen: Sequence[tuple[str, str]]
    edited: bool

    @property
    def page(self) -> Path:
        """The page to look at."""
        return self.folder / PAGE

    @property
    def exit_code(self) -> int:
        """0 if all faces have a person, 3 if some have none."""
        return 3 if self.unseen else 0


def group_people(
    folders: Sequence[Path],
    out: Path,
    least: float,
    overwrite: bool,
    jobs: int,
    progress: Progress,
    say: Callable[[str], None],
) -> PeopleReport:
    """Group the faces of finished runs, and write sheets, page and a table with `person`.

    least: minimum mean likeness of two groups to count as one person. If the sheets exist, their
    edits are applied, unless they may be overwritten. Raises FkpError.
    """
    runs = [Results.of(folder) for folder in folders]
    columns = _common(runs)
    subjects = [subject for i, run in enumerate(runs) for subject in subjects_of(i, run)]
    if not subjects:
        raise DataError(f"{', '.join(map(str, folders))}: no faces")
    out.mkdir(parents=True, exist_ok=True)
    places = [Path(os.path.relpath(folder, out)).as_posix() for folder in folders]
    with locked(out):
        edited = not overwrite and ((out / FACES).exists() or (out / PEOPLE).exists())
        sheets = _edited(out, subjects, places) if edited else None
        seen = look_at(runs, subjects, jobs, progress)
        if sheets is None:
            entries = _entries(subjects, seen, places, least)
            names: dict[str, str] = {}
        else:
            entries, names = sheets
            say(f"applied the edits in {out / PEOPLE} and {FACES}; overwrite to group again")
        write_sheets(out, entries, names)
        final = named(entries, names)
        who = {entry.key: entry.person for entry in final}
        _write_table(out / TABLE, runs, places, columns, who)
        thumbnails = {i: o.thumbnail for i, o in enumerate(seen) if isinstance(o, Appearance)}
        write_page(out / PAGE, final, [entry.person for entry in entries], thumbnails)
    unseen = [(entry.image, entry.reason) for entry in final if not entry.person]
    return PeopleReport(out, len(persons_of(final)), len(final), unseen, edited)


def _common(runs: Sequence[Results]) -> Columns:
    """The columns that all runs have."""
    first = runs[0].output.rows.columns
    for run in runs[1:]:
        own = run.output.rows.columns
        if [c.name for c in own.all()] != [c.name for c in first.all()]:
            raise UsageError(
                f"{run.folder}: the columns of its table differ from those of {runs[0].folder}; "
                "annotate both with the same options"
            )
    return first


def _entries(
    subjects: Sequence[Subject], seen: Sequence[Seen], places: Sequence[str], least: float
) -> list[Entry]:
    known = [i for i, one in enumerate(seen) if isinstance(one, Appearance)]
    looks = [one for one in seen if isinstance(one, Appearance)]
    groups, fits = grouped([subjects[i] for i in known], looks, least)
    persons = {i: f"p{group + 1}" for i, group in zip(known, groups.tolist(), strict=True)}
    fit = dict(zip(known, fits.tolist(), strict=True))
    entries = []
    for i, (subject, one) in enumerate(zip(subjects, seen, strict=True)):
        reason = one if isinstance(one, str) else ""
        place = places[subject.run]
        entries.append(
            Entry(place, subject.image, subject.number, persons.get(i, ""), fit.get(i, np.nan),
                  reason)
        )  # fmt: skip
    return entries


def _edited(
    out: Path, subjects: Sequence[Subject], places: Sequence[str]
) -> tuple[list[Entry], dict[str, str]]:
    """The entries of the sheets, one for each subject, in their order."""
    entries, names = read_sheets(out)
    found = {entry.key: entry for entry in entries}
    keys = [(places[subject.run], subject.image, subject.number) for subject in subjects]
    if len(found) != len(entries) or set(found) != set(keys):
        missing, more = len(set(keys) - set(found)), len(set(found) - set(keys))
        raise FkpError(
            f"{out / FACES}: does not match these results: {missing} of their faces are missing, "
            f"and {more} rows are unknown or duplicates; overwrite to group again"
        )
    return [found[key] for key in keys], names


def _write_table(
    path: Path,
    runs: Sequence[Results],
    places: Sequence[str],
    columns: Columns,
    who: dict[tuple[str, str, int], str],
) -> None:
    """The rows of all runs, with `person` as the last column."""
    every = columns.all()
    with (
        replacing(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        file.write(csv_line([*(column.name for column in every), "person"]))
        for run, place in zip(runs, places, strict=True):
            own = replace(columns, measured=run.output.measured)
            for image, result in run.records():
                for row in rows_of(image, result, own.measured, own.quality):
                    cells = zip(every, own.cells(row), strict=True)
                    texts = [
                        "" if cell is None else column.template % cell for column, cell in cells
                    ]
                    number = -1 if row.face is None else row.face.number or 0
                    file.write(csv_line([*texts, who.get((place, image, number), "")]))
