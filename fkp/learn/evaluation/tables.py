"""The metrics of an evaluation as JSON, CSV, Markdown and LaTeX."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fkp.files import replacing
from fkp.learn.evaluation import metrics, statistics
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.evaluation.metrics import THRESHOLDS, Scores


@dataclass(frozen=True, slots=True, eq=False)
class EvaluationMetrics:
    """An evaluation and the metrics derived from it.

    nme, failure: with 95 % intervals over persons; failure is the share of faces over 10 %.
    by: for each requested column, the scores by value.
    """

    name: str
    result: Evaluation
    nme: statistics.Interval
    failure: statistics.Interval
    nme_by_norm: dict[str, float]
    by: dict[str, dict[str, Scores]]
    calibration: statistics.Calibration | None


def metrics_of(name: str, result: Evaluation, by: Sequence[str] = ()) -> EvaluationMetrics:
    """All metrics of an evaluation; by: columns to group by, and `source` if there are several."""
    errors, persons = result.scores.nme_of_face, result.samples.person
    columns = dict.fromkeys([*by, *(["source"] if len(set(result.samples.source)) > 1 else [])])
    failed = np.where(np.isnan(errors), np.nan, errors > 0.1)
    everyone = np.ones(len(errors), bool)
    distances = np.linalg.norm(result.predicted - result.labels, axis=2)
    return EvaluationMetrics(
        name=name,
        result=result,
        nme=statistics.interval(np.where(np.isinf(errors), np.nan, errors), persons),
        failure=statistics.interval(failed, persons),
        nme_by_norm={norm: result.of(everyone, norm).nme for norm in result.lengths},
        by={column: result.by(column) for column in columns},
        calibration=statistics.calibration(distances, result.scales),
    )


def as_json(found: EvaluationMetrics) -> dict[str, Any]:
    """Plain values; None for what is unknown."""
    result, s = found.result, found.result.scores
    points = zip(
        result.scheme.names, s.count_of_point, s.mae_of_point, s.nme_of_point, strict=True
    )  # fmt: skip
    values: dict[str, Any] = {
        "model": found.name,
        "split": result.split,
        "persons": len(set(result.samples.person)),
        **_scores(s),
        "nme_95": [found.nme.low, found.nme.high],
        "failure_rate_0.1_95": [found.failure.low, found.failure.high],
        "nme_by_norm": found.nme_by_norm,
        "by": {c: {v: _scores(one) for v, one in scores.items()} for c, scores in found.by.items()},
        "calibration": None if found.calibration is None else asdict(found.calibration),
        "per_point": {
            name: {"count": int(n), "mae_px": float(mae), "nme": float(nme)}
            for name, n, mae, nme in points
        },
        "notes": result.notes,
    }
    # JSON has no NaN
    return dict(json.loads(json.dumps(values), parse_constant=lambda _: None))


def _scores(s: Scores) -> dict[str, Any]:
    return {
        "faces": s.faces,
        "points": s.points,
        "missed_faces": s.missed,
        "rmse_px": s.rmse,
        "mae_px": s.mae,
        "norm": s.norm,
        "normalised_faces": s.normalised,
        "nme": s.nme,
        "failure_rate": {f"{t:g}": s.failure[t] for t in THRESHOLDS},
        "auc": {f"{t:g}": s.auc[t] for t in THRESHOLDS},
    }


def write_errors(path: Path, result: Evaluation) -> None:
    """Write a CSV with a row per face, in the order of the data: its error and each point's."""
    samples, s = result.samples, result.scores
    distance = np.linalg.norm(result.predicted - result.labels, axis=2)
    frame = pd.DataFrame(
        {
            "image": samples.image,
            "source": samples.source,
            "source_row": samples.source_row,
            "person": samples.person,
            "missed": result.missed.astype(int),
            "nme": np.where(np.isinf(s.nme_of_face), np.nan, s.nme_of_face).round(6),
            **{f"{name}_px": distance[:, k].round(4) for k, name in enumerate(result.scheme.names)},
        }
    )
    with replacing(path) as part:
        frame.to_csv(part, index=False)


HEAD = ("", "faces", "NME, %", "95 %", "over 8 %", "over 10 %", "AUC 8 %", "RMSE, px")


def rows(found: Sequence[EvaluationMetrics]) -> list[list[str]]:
    """The cells of a table: a row per model, followed by the rows of its groups."""
    table = []
    for one in found:
        known = not np.isnan(one.nme.low)
        span = f"{100 * one.nme.low:.2f}-{100 * one.nme.high:.2f}" if known else ""
        table.append(_row(one.name, one.result.scores, span))
        for column, scores in one.by.items():
            table += [_row(f"{column} {_short(value)}", s, "") for value, s in scores.items()]
    return table


def _short(value: str) -> str:
    """The end of a long value, such as a source's path."""
    return value if len(value) <= 32 else f"...{value[-29:]}"


def _row(name: str, s: Scores, span: str) -> list[str]:
    return [
        name, str(s.faces), f"{100 * s.nme:.2f}", span,
        f"{100 * s.failure[0.08]:.2f}", f"{100 * s.failure[0.1]:.2f}", f"{s.auc[0.08]:.3f}",
        f"{s.rmse:.3f}",
    ]  # fmt: skip


def markdown(found: Sequence[EvaluationMetrics]) -> str:
    """The table in Markdown."""
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *rows(found)]
    return "".join("| " + " | ".join(cells) + " |\n" for cells in lines)


def latex(found: Sequence[EvaluationMetrics]) -> str:
    """The table in LaTeX, for booktabs."""

    def escaped(cells: Sequence[str]) -> str:
        text = " & ".join(cells)
        for sign in "%_#$":
            text = text.replace(sign, f"\\{sign}")
        return text + r" \\"

    norm = metrics.NORM_TEXT[found[0].result.scores.norm]
    body = [escaped(cells) for cells in rows(found)]
    lines = [
        f"% NME: percent of the {norm}; 95 %: bootstrap over persons",
        r"\begin{tabular}{l" + "r" * (len(HEAD) - 1) + "}",
        r"\toprule", escaped(HEAD), r"\midrule", *body, r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
