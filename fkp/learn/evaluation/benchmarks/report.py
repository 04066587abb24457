"""The tables of a benchmark, with the definition of each figure: on screen, as CSV, as JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Figure:
    """A column of a table. unit: `%`, `degrees`, `faces`, or "" for a share of 1."""

    name: str
    unit: str
    definition: str

    @property
    def head(self) -> str:
        """The heading of its column."""
        return f"{self.name}, {self.unit}" if self.unit else self.name

    def text(self, value: float) -> str:
        """A value as papers print it; empty for NaN."""
        digits = {"": 3, "faces": 0}.get(self.unit, 2)
        return "" if math.isnan(value) else f"{value:.{digits}f}"


@dataclass(frozen=True, slots=True)
class SubsetScores:
    """The figures of a subset.

    missed: faces that the detector did not find; None without a detector. values: by the names of
    the figures.
    """

    subset: str
    faces: int
    missed: int | None
    values: dict[str, float]


@dataclass(frozen=True, slots=True)
class ScoreTable:
    """A table on one set.

    source: the papers; faces_from: the detector, or the ground-truth boxes.
    """

    title: str
    source: str
    faces_from: str
    figures: tuple[Figure, ...]
    rows: tuple[SubsetScores, ...]
    notes: tuple[str, ...]

    @property
    def heads(self) -> list[str]:
        """The names of the columns of `cells`."""
        missed = ["missed"] if self.rows[0].missed is not None else []
        return ["subset", "faces", *missed, *(figure.head for figure in self.figures)]

    def cells(self) -> list[list[str]]:
        """A row per subset."""
        return [
            [
                row.subset, str(row.faces), *([str(row.missed)] if row.missed is not None else []),
                *(figure.text(row.values.get(figure.name, math.nan)) for figure in self.figures),
            ]
            for row in self.rows
        ]  # fmt: skip


def as_json(benchmark: str, model: str, tables: Sequence[ScoreTable]) -> dict[str, Any]:
    """Plain values; None for what is unknown."""
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
    """A row per figure, with its unit and its definition."""
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
