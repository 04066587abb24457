"""Which picture is of which person, visit and expression."""

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
    """A picture of a face. iris: its diameter in this picture, pixels; ipd: distance of the
    person's pupils, millimetres; None where neither is known.
    """

    image: str
    person: str
    visit: str
    expression: str
    ipd: float | None = None
    iris: float | None = None

    def is_rest(self, pattern: str) -> bool:
        """Whether its expression is the face at rest."""
        return fnmatch(self.expression.casefold(), pattern.casefold())

    def millimetres(self, eyes: float) -> float | None:
        """Those of the distance of the eye centres, which is so many pixels in the picture."""
        if self.ipd is not None:
            return self.ipd
        return None if self.iris is None else IRIS / self.iris * eyes


def by_folders(images: Sequence[str], ipd: float | None) -> list[Picture]:
    """PERSON/VISIT/EXPRESSION.jpg, by the last two folders of each path. Raises DataError for a
    path that has fewer.
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
    """The pictures of a CSV with the columns image, person, expression, and perhaps visit, ipd_mm,
    iris_px; `image` is the path in the results, or the end of it. Raises DataError.
    """
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read as CSV: {error}") from error
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise DataError(f"{path}: expected the columns {', '.join(NEEDED)}; no {missing[0]}")
    found = []
    for i, row in enumerate(table.to_dict("records"), start=2):
        where = f"{path} row {i}"
        image = _image(str(row["image"]), images, where)
        for name in ("person", "expression"):
            if not str(row[name]).strip():
                raise DataError(f"{where}, column {name}: expected a name, got nothing")
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
        what = "no picture" if not found else f"{len(found)} pictures"
        raise DataError(f"{where}, column image: {what} of the results end in {named or 'nothing'}")
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
