"""`fkp evaluate`."""

import json
from pathlib import Path

import click

from fkp.cli import console
from fkp.cli.models import find_model
from fkp.labels.cache import prepared
from fkp.labels.store import SPLITS, read_samples
from fkp.learn.checkpoint import load_model
from fkp.learn.evaluate import Evaluation, evaluate
from fkp.learn.metrics import NORM_TEXT, NORMS, THRESHOLDS
from fkp.learn.plots import worst_rows, write_predictions


@click.command("evaluate")
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    help="Which rows; else test where there are such, else val, else all.",
)
@click.option(
    "--norm",
    type=click.Choice(NORMS),
    help="What errors are divided by; else outer for 68 points, pupil for others.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the figures as one JSON object.")
@click.option(
    "--sheet",
    type=click.Path(path_type=Path),
    metavar="SHEET.png",
    help="Draw the worst rows here; else DATA-RUN-worst.png here.",
)
@click.option(
    "--worst",
    type=click.IntRange(0, 600),
    default=24,
    show_default=True,
    help="How many of the worst rows to draw; 0: no sheet.",
)
@click.option("--device", default="auto", show_default=True)
@console.quiet_option
def evaluate_command(
    model: str,
    data: Path,
    split: str | None,
    norm: str | None,
    as_json: bool,
    sheet: Path | None,
    worst: int,
    device: str,
) -> None:
    """Measure a network's errors on a data set, over persons that training never saw.

    MODEL is a checkpoint of fkp train, or `bundled`. DATA is a data set of fkp prepare, or a
    table that it could read.

    \b
    fkp evaluate runs/data-integral/best.safetensors data.csv
    fkp evaluate bundled data.csv --json
    """
    path = find_model(model)
    with console.progress("prepare") as progress:
        samples = read_samples(prepared(data, progress))
    result = evaluate(load_model(path, device), samples, split, norm)
    rows = worst_rows(result.scores, worst)
    target = sheet or Path(f"{data.stem}-{path.parent.name}-worst.png")
    if rows:
        write_predictions(target, result.samples, result.predicted, result.scores, rows)
    if as_json:
        console.say(json.dumps(_figures(result), indent=1))
    else:
        _print(result)
        if rows:
            console.say(f"the {len(rows)} worst rows: {target}")


def _figures(result: Evaluation) -> dict[str, object]:
    s = result.scores
    points = {
        name: {"count": int(n), "mae_px": float(mae), "nme": float(nme)}
        for name, n, mae, nme in zip(
            result.scheme.names, s.count_of_point, s.mae_of_point, s.nme_of_point, strict=True
        )
    }
    figures: dict[str, object] = {
        "split": result.split,
        "faces": s.faces,
        "points": s.points,
        "rmse_px": s.rmse,
        "mae_px": s.mae,
        "norm": s.norm,
        "normalised_faces": s.normalised,
        "nme": s.nme,
        "failure_rate": {f"{t:g}": s.failure[t] for t in THRESHOLDS},
        "auc": {f"{t:g}": s.auc[t] for t in THRESHOLDS},
        "per_point": points,
        "notes": result.notes,
    }
    # JSON has no NaN.
    return json.loads(json.dumps(figures), parse_constant=lambda _: None)  # type: ignore[no-any-return]


def _print(result: Evaluation) -> None:
    s = result.scores
    for note in result.notes:
        console.say(note)
    persons = len(set(result.samples.group))
    console.say(f"{s.faces} faces of {persons} persons ({result.split}), {s.points} points")
    console.say(f"RMSE {s.rmse:.3f} px, MAE {s.mae:.3f} px, in crops of {result.samples.size} px")
    console.say(f"NME {100 * s.nme:.2f} % of the {NORM_TEXT[s.norm]}, over {s.normalised} faces")
    for t in THRESHOLDS:
        console.say(
            f"failures over {100 * t:.0f} %: {100 * s.failure[t]:.2f} %, AUC {s.auc[t]:.3f}"
        )
    console.table(
        ["point", "labels", "MAE, px", "NME, %"],
        [
            [name, str(n), f"{mae:.3f}", f"{100 * nme:.2f}"]
            for name, n, mae, nme in zip(
                result.scheme.names, s.count_of_point, s.mae_of_point, s.nme_of_point, strict=True
            )
        ],
    )
