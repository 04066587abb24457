"""The tables of a benchmark, with the definition of each metric: as text, CSV and JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, slots=True)
class Metric:
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
    """The values of a subset.

    missed: number of faces that the detector did not find, None without a detector. values: by the
    names of the metrics.
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
    metrics: tuple[Metric, ...]
    rows: tuple[SubsetScores, ...]
    notes: tuple[str, ...]

    @property
    def heads(self) -> list[str]:
        """The headings of `cells`."""
        missed = ["missed"] if self.rows[0].missed is not None else []
        return ["subset", "faces", *missed, *(metric.head for metric in self.metrics)]

    def cells(self) -> list[list[str]]:
        """A row per subset."""
        return [
            [
                row.subset, str(row.faces), *([str(row.missed)] if row.missed is not None else []),
                *(metric.text(row.values.get(metric.name, math.nan)) for metric in self.metrics),
            ]
            for row in self.rows
        ]  # fmt: skip


def as_json(benchmark: str, model: str, tables: Sequence[ScoreTable]) -> dict[str, Any]:
    """Plain values, None if unknown."""
    return {
        "benchmark": benchmark,
        "model": model,
        "tables": [
            {
                "title": table.title,
                "source": table.source,
                "faces_from": table.faces_from,
                "metrics": {
                    metric.name: {"unit": metric.unit, "definition": metric.definition}
                    for metric in table.metrics
                },
                "rows": [
                    {
                        "subset": row.subset, "faces": row.faces, "missed": row.missed,
                        **{f.name: _plain(row.values.get(f.name, math.nan)) for f in table.metrics},
                    }
                    for row in table.rows
                ],
                "notes": list(table.notes),
            }
            for table in tables
        ],
    }  # fmt: skip


def as_frame(benchmark: str, model: str, tables: Sequence[ScoreTable]) -> pd.DataFrame:
    """A row per metric, with its unit and its definition."""
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
                "metric": metric.name,
                "value": _plain(row.values.get(metric.name, math.nan)),
                "unit": metric.unit,
                "definition": metric.definition,
            }
            for table in tables
            for row in table.rows
            for metric in table.metrics
        ]
    )


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else round(value, 6)
