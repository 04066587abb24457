"""The person, visit and expression of each picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import pandas as pd

from fkp.errors import DataError

NEEDED = ("image", "person", "expression")
IRIS = 11.7
"""Millimetres across a human iris (Ruefer et al., American Journal of Ophthalmology 139, 2005)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a face. ipd: interpupillary distance in millimetres; iris: diameter of an iris
    in this picture, in pixels; None if unknown.
    """

    image: str
    person: str
    visit: str
    expression: str
    ipd: float | None = None
    iris: float | None = None

    def is_rest(self, pattern: str) -> bool:
        """Whether it shows the face at rest."""
        return fnmatch(self.expression.casefold(), pattern.casefold())

    def millimetres(self, eyes: float) -> float | None:
        """Millimetres between the eye centres, which are `eyes` pixels apart; None if unknown."""
        if self.ipd is not None:
            return self.ipd
        return None if self.iris is None else IRIS / self.iris * eyes


def by_folders(images: Sequence[str], ipd: float | None) -> list[Picture]:
    """Pictures named PERSON/VISIT/EXPRESSION.jpg: the last two folders of each path count. Raises
    DataError for a path with fewer.
    """
    found = []
    for image in images:
        *folders, name = Path(image).absolute().parts[1:]
        if len(folders) < 2:
            raise DataError(
                f"{image}: expected PERSON/VISIT/EXPRESSION.jpg, or a list of the visits"
            )
        person, visit = folders[-2:]
        found.append(Picture(image, person, visit, Path(name).stem, ipd))
    return found


def by_list(path: Path, images: Sequence[str], ipd: float | None) -> list[Picture]:
    """The pictures in a CSV with the columns image, person, expression and, optionally, visit,
    ipd_mm, iris_px; `image` is the path in the results, or its last parts. Raises DataError.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(
            f"{path}: expected the columns {', '.join(NEEDED)}; {missing[0]} is missing"
        )
    found = []
    for i, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path} row {i}"
        image = _image(str(row["image"]), images, where)
        for name in ("person", "expression"):
            if not str(row[name]).strip():
                raise DataError(f"{where}, column {name}: expected a name, got an empty cell")
        own, iris = (
            _number(row.get(name, ""), f"{where}, column {name}") for name in ("ipd_mm", "iris_px")
        )
        visit = str(row.get("visit", "")).strip() or "1"
        found.append(
            Picture(image, str(row["person"]).strip(), visit, str(row["expression"]).strip(),
                    own if own is not None else None if iris is not None else ipd, iris)
        )  # fmt: skip
    if not found:
        raise DataError(f"{path}: has no rows")
    return found


def _image(named: str, images: Sequence[str], where: str) -> str:
    wanted = Path(named).parts
    found = sorted(
        {image for image in images if wanted and Path(image).parts[-len(wanted) :] == wanted}
    )
    if len(found) != 1:
        what = "none" if not found else str(len(found))
        raise DataError(
            f'{where}, column image: expected one picture of the results that ends in "{named}", '
            f"got {what}"
        )
    return found[0]


def _number(cell: object, where: str) -> float | None:
    text = str(cell).strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        raise DataError(f"{where}: expected a number above 0, got {text!r}")
    return value
