"""`fkp evaluate`."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from fkp import api
from fkp.api.choices import Norm, Split
from fkp.cli import console
from fkp.cli.options import device_option
from fkp.files import replace_text
from fkp.labels.cache import prepared
from fkp.labels.store import SPLITS
from fkp.learn.evaluation import plots, tables
from fkp.learn.evaluation.compare import at_common_points, differences
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.evaluation.metrics import NORM_TEXT, NORMS, THRESHOLDS
from fkp.learn.evaluation.statistics import Difference
from fkp.learn.evaluation.tables import EvaluationMetrics


@click.command("evaluate")
@click.argument("models", nargs=-1, required=True)
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    help="Which rows.  [default: test if there are such rows, otherwise val, otherwise all]",
)
@click.option(
    "--norm",
    type=click.Choice(NORMS),
    help="Length to divide errors by.  [default: outer for 68 and 98 points, otherwise "
    "pupil, or box without eyes]",
)
@click.option(
    "--by",
    multiple=True,
    metavar="COLUMN",
    help="Also print the scores for each value of a column; labels: the number of labelled points.",
)
@click.option(
    "--from-images",
    is_flag=True,
    help="Find the faces in the whole pictures; faces not found are failures.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the metrics as JSON.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write all metrics, tables (Markdown, LaTeX, CSV per face) and plots here.",
)
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Draw the worst rows here.  [default: worst.png in --out, or DATA-RUN-worst.png]",
)
@click.option(
    "--worst",
    type=click.IntRange(0, 600),
    default=24,
    show_default=True,
    help="Number of worst rows to draw; 0: draw none.",
)
@device_option
@console.talk_options
def evaluate_command(
    models: tuple[str, ...],
    data: Path,
    split: Split | None,
    norm: Norm | None,
    by: tuple[str, ...],
    from_images: bool,
    as_json: bool,
    out: Path | None,
    sheet: Path | None,
    worst: int,
    device: str,
) -> None:
    """Measure a network's errors on persons that it was not trained on.

    MODELS are checkpoints of fkp train, or `bundled`; several are compared on the same rows. DATA
    is a data set of fkp prepare, or a table that it can read.

    \b
    fkp evaluate runs/data-integral/best.safetensors data.csv
    fkp evaluate bundled data.csv --json
    fkp evaluate bundled runs/mine/best.safetensors data.csv --out evaluation/
    """
    with console.progress("evaluate") as progress:
        source = prepared(data, progress)
        results = [
            api.load(model, device=device).evaluate(
                source, split=split, norm=norm, from_images=from_images, progress=progress
            )
            for model in models
        ]
    if len(results) > 1:
        results = at_common_points(results)
    found = [
        tables.metrics_of(name, result, by)
        for name, result in zip(_names(models), results, strict=True)
    ]
    changes = differences(results)
    rows = plots.worst_rows(results[0].scores, worst)
    target = sheet or (out / "worst.png" if out else Path(f"{data.stem}-{found[0].name}-worst.png"))
    if out is not None:
        _write(out, found, changes)
    if rows:
        plots.write_predictions(target, results[0], rows)
    if as_json:
        console.say(json.dumps(_json(found, changes), indent=1))
        return
    for one in found:
        _print(one)
    _print_differences(found, changes)
    if rows:
        console.say(f"the {len(rows)} worst rows: {target}")
    if out is not None:
        console.say(f"metrics, tables and plots: {out}/")


def _names(models: Sequence[str]) -> list[str]:
    """A short name for each model: that of its run or file."""
    names: list[str] = []
    for model in models:
        path = Path(model)
        name = path.resolve().parent.name if path.stem == "best" else path.stem
        same = sum(other.rsplit("#", 1)[0] == name for other in names)
        names.append(f"{name}#{same + 1}" if same else name)
    return names


def _json(found: Sequence[EvaluationMetrics], changes: Sequence[Difference]) -> Any:
    """One object for one model, a list for several."""
    if len(found) == 1:
        return tables.as_json(found[0])
    values = [tables.as_json(one) for one in found]
    for value, change in zip(values[1:], changes, strict=True):
        value["difference_to_first"] = {
            "faces": change.faces,
            "nme": change.mean.mean,
            "nme_95": [change.mean.low, change.mean.high],
            "p": change.p,
        }
    return values


def _write(out: Path, found: Sequence[EvaluationMetrics], changes: Sequence[Difference]) -> None:
    """Write metrics, tables and plots."""
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps(_json(found, changes), indent=1)
    replace_text(out / "metrics.json", text + "\n")
    replace_text(out / "table.md", tables.markdown(found))
    replace_text(out / "table.tex", tables.latex(found))
    for one in found:
        tables.write_errors(out / f"errors-{one.name}.csv", one.result)
    plots.write_ced(out / "ced.png", [(one.name, one.result.scores) for one in found])
    calibrated = [(one.name, one.calibration) for one in found if one.calibration is not None]
    if calibrated:
        plots.write_calibration(out / "calibration.png", calibrated)


def _print(one: EvaluationMetrics) -> None:
    result, s = one.result, one.result.scores
    persons = len(set(result.samples.person))
    console.say(f"{one.name}: {s.faces} faces of {persons} persons ({result.split})")
    for note in result.notes:
        console.say(f"  {note}")
    console.say(
        f"NME {100 * s.nme:.2f} % of the {NORM_TEXT[s.norm]}, over {s.normalised} faces "
        f"(95 %: {one.nme.text()})"
    )
    others = [f"{100 * v:.2f} % ({n})" for n, v in one.nme_by_norm.items() if n != s.norm]
    if others:
        console.say(f"  by other norms: {', '.join(others)}")
    for t in THRESHOLDS:
        console.say(
            f"failures over {100 * t:.0f} %: {100 * s.failure[t]:.2f} %, AUC {s.auc[t]:.3f}"
        )
    if result.missed.any():
        console.say(f"  {s.missed} faces were not found; they are failures")
    console.say(
        f"RMSE {s.rmse:.3f} px, MAE {s.mae:.3f} px over {s.points} points, "
        f"in crops of {result.samples.size} px"
    )
    if one.calibration is not None:
        within = one.calibration.observed[one.calibration.expected.index(0.9)]
        console.say(f"the radius that should hold 90 % of the points holds {100 * within:.1f} %")
    if len(result.scheme) <= 30:
        _print_points(result)
    if one.by:
        cells = tables.rows([one])
        console.wide_table(list(tables.HEAD), cells)


def _print_points(result: Evaluation) -> None:
    s = result.scores
    console.table(
        ["point", "labels", "MAE, px", "NME, %"],
        [
            [name, str(n), f"{mae:.3f}", f"{100 * nme:.2f}"]
            for name, n, mae, nme in zip(
                result.scheme.names, s.count_of_point, s.mae_of_point, s.nme_of_point, strict=True
            )
        ],
    )


def _print_differences(found: Sequence[EvaluationMetrics], changes: Sequence[Difference]) -> None:
    for one, change in zip(found[1:], changes, strict=True):
        p = "" if np.isnan(change.p) else f", p = {change.p:.4f}"
        console.say(
            f"{one.name} against {found[0].name}: NME {100 * change.mean.mean:+.3f} points "
            f"(95 %: {change.mean.text('+.3f')}){p}, on {change.faces} faces"
        )
