"""The tables of a benchmark, with what each figure means beside it: on screen, as CSV, as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of a table. unit: `%`, `degrees`, `faces`, or nothing for a share of 1."""

    name: str
    unit: str
    definition: str

    @property
    def head(self) -> str:
        """As a column is called."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    def text(self, value: float) -> str:
        """A value as papers print it; nothing where there is none."""
        digits = {"": 3, "faces": 0}.get(self.unit, 2)
        return "" if math.isnan(value) else f"{value:.{digits}f}"


@dataclass(frozen=True, slots=True)
class Row:
    """A subset's figures. missed: faces that the detector did not find; None where it looked for
    none. values: by the name of a figure, NaN where there is none.
    """

    subset: str
    faces: int
    missed: int | None
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """What a paper prints about one set. source: the papers; faces_from: what crops came from."""

    title: str
    source: str
    faces_from: str
    figures: tuple[Figure, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def heads(self) -> list[str]:
        """The names of the columns of `cells`."""
        missed = ["missed"] if self.rows[0].missed is not None else []
        return ["subset", "faces", *missed, *(figure.head for figure in self.figures)]

    def cells(self) -> list[list[str]]:
        """A line for each subset."""
        return [
            [
                row.subset, str(row.faces), *([str(row.missed)] if row.missed is not None else []),
                *(figure.text(row.values.get(figure.name, math.nan)) for figure in self.figures),
            ]
            for row in self.rows
        ]  # fmt: skip


def as_json(benchmark: str, model: str, tables: Sequence[ScoreTable]) -> dict[str, Any]:
    """Plain values; None for what is not known."""
    return {
        "benchmark": benchmark,
        "model": model,
        "tables": [
            {
                "title": table.title,
                "source": table.source,
                "faces_from": table.faces_from,
                "figures": {
                    figure.name: {"unit": figure.unit, "definition": figure.definition}
                    for figure in table.figures
                },
                "rows": [
                    {
                        "subset": row.subset, "faces": row.faces, "missed": row.missed,
                        **{f.name: _plain(row.values.get(f.name, math.nan)) for f in table.figures},
                    }
                    for row in table.rows
                ],
                "notes": list(table.notes),
            }
            for table in tables
        ],
    }  # fmt: skip


def as_frame(benchmark: str, model: str, tables: Sequence[ScoreTable]) -> pd.DataFrame:
    """A line for each figure, with its unit and its definition."""
    return pd.DataFrame(
        [
            {
                "benchmark": benchmark,
                "set": table.title,
                "model": model,
                "faces_from": table.faces_from,
                "subset": row.subset,
                "faces": row.faces,
                "missed": row.missed,
                "figure": figure.name,
                "value": _plain(row.values.get(figure.name, math.nan)),
                "unit": figure.unit,
                "definition": figure.definition,
            }
            for table in tables
            for row in table.rows
            for figure in table.figures
        ]
    )


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
