"""From the results of photos to a table per visit and a page per person."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from fkp.annotate.clinic.measured import Shot, shots_of, table_of
from fkp.annotate.clinic.page import page_of
from fkp.annotate.clinic.visits import by_folders, by_list
from fkp.annotate.outcome import Result
from fkp.annotate.output.folder import is_finished, read_run
from fkp.annotate.output.merge import output_of
from fkp.errors import DataError, FkpError
from fkp.files import replace_text, replacing
from fkp.locks import locked
from fkp.vision.head import Camera


@dataclass(frozen=True, slots=True)
class SymmetryReport:
    """The outcome of a run.

    persons, visits, pictures: their numbers. missing: pictures without measures, with reasons.
    notes: for the user.
    """

    folder: Path
    persons: int
    visits: int
    pictures: int
    missing: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    pages: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0 if all pictures were measured, 3 if some could not be."""
        return 3 if self.missing else 0


def measure_visits(
    results: Path, out: Path, visits: Path | None, rest: str, ipd: float | None, camera: Camera,
    overwrite: bool,
) -> SymmetryReport:  # fmt: skip
    """Write PERSON/VISIT.csv and PERSON.html into `out`.

    results: a finished folder of `fkp annotate` with the 68 points. visits: a CSV that lists the
    pictures, None to use their folders. rest: a pattern for expressions at rest. ipd:
    interpupillary distance in millimetres. Raises FkpError for input that cannot be used.
    """
    records = _records(results)
    pictures = (
        by_folders(list(records), ipd) if visits is None else by_list(visits, list(records), ipd)
    )
    out.mkdir(parents=True, exist_ok=True)
    with locked(out):
        if not overwrite and any(path.name[0] != "." for path in out.rglob("*.csv")):
            raise FkpError(f"{out}: holds tables; overwrite them or choose another folder")
        shots = shots_of(pictures, records, camera)
        table = table_of(shots, rest)
        pages, count = _written(out, shots, table, rest)
    missing = tuple((s.picture.image, s.reason) for s in shots if s.face is None)
    notes = tuple(_without_rest(table, shots, rest))
    return SymmetryReport(out, len(pages), count, len(shots), missing, notes, tuple(pages))


def _written(
    out: Path, shots: list[Shot], table: pd.DataFrame, rest: str
) -> tuple[list[Path], int]:
    """Write tables and pages; returns the pages and the number of visits."""
    names = _files([shot.picture.person for shot in shots])
    pages, count = [], 0
    for person, own in table.groupby("person", sort=False):
        folder = out / names[str(person)]
        folder.mkdir(parents=True, exist_ok=True)
        days = _files([str(visit) for visit in own["visit"]])
        for visit, rows in own.groupby("visit", sort=False):
            with replacing(folder / f"{days[str(visit)]}.csv") as part:
                rows.to_csv(part, index=False, float_format="%.4f", lineterminator="\n")
            count += 1
        page = out / f"{names[str(person)]}.html"
        replace_text(page, page_of(str(person), own, _of(shots, str(person)), rest))
        pages.append(page)
    return pages, count


def _records(results: Path) -> dict[str, Result]:
    if not is_finished(results):
        raise FkpError(f"{results}: holds no finished run of fkp annotate")
    facts = read_run(results)
    try:
        output = output_of(facts["identity"])
    except (ValueError, KeyError, TypeError) as error:
        raise FkpError(f"{results}: not a run over photos: {error!r}") from error
    output.check_68("symmetry and excursion")
    if not output.table(results).exists():
        raise FkpError(
            f"{results}: has no {output.table(results).name}; annotate again as csv or jsonl"
        )
    found = dict(output.records(results))
    if not found:
        raise DataError(f"{results}: has no pictures")
    return found


def _of(shots: list[Shot], person: str) -> list[Shot]:
    return [shot for shot in shots if shot.picture.person == person]


def _files(names: list[str]) -> dict[str, str]:
    """A distinct file name for each name of a person or visit."""
    known = list(dict.fromkeys(names))
    safe = [re.sub(r"[^\w.-]+", "_", name).strip("._") or "_" for name in known]
    count: Counter[str] = Counter()
    found = {}
    for name, own in zip(known, safe, strict=True):
        count[own.casefold()] += 1
        again = count[own.casefold()]
        found[name] = own if again == 1 else f"{own}_{again}"
    return found


def _without_rest(table: pd.DataFrame, shots: list[Shot], rest: str) -> list[str]:
    """Notes on visits without a face at rest to compare with."""
    resting = {
        (s.picture.person, s.picture.visit)
        for s in shots
        if s.face is not None and s.picture.is_rest(rest)
    }
    visits = dict.fromkeys(zip(table["person"], table["visit"], strict=True))
    return [
        f"{person}, visit {visit}: no picture at rest ({rest}), so changes are empty"
        for person, visit in visits
        if (person, visit) not in resting
    ]
