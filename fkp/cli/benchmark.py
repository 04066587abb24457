"""`fkp benchmark`."""

import json
from collections.abc import Sequence
from pathlib import Path

import click

from fkp import api
from fkp.cli import console
from fkp.cli.options import det_size_option, device_option
from fkp.files import replace_text
from fkp.learn.evaluation.benchmarks import report
from fkp.learn.evaluation.benchmarks.report import ScoreTable
from fkp.learn.evaluation.benchmarks.run import BENCHMARKS
from fkp.learn.networks.names import BUNDLED
from fkp.vision.detectors import DETECTORS


@click.command("benchmark")
@click.argument("name", type=click.Choice(BENCHMARKS))
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--model", default=BUNDLED, show_default=True, help="A checkpoint of fkp train.")
@click.option(
    "--detector",
    type=click.Choice([name for name in DETECTORS if name != "none"]),
    help="Find the faces in whole pictures, and count missed ones as failures. Without it, crops "
    "come from the ground-truth boxes (wider always uses a detector).",
)
@click.option(
    "--detector-model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.onnx",
    help="Another face detector in YuNet's layout; implies --detector fkp.",
)
@det_size_option
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="TABLE.csv|.json",
    help="Also write the results and the definitions of the metrics to this file.",
)
@device_option
@console.talk_options
def benchmark_command(
    name: str,
    folder: Path,
    model: str,
    detector: str | None,
    detector_model: Path | None,
    det_size: int,
    out: Path | None,
    device: str,
) -> None:
    """Evaluate a network on a published benchmark, with the tables that papers print.

    DIR is the folder in which you unpacked it: 300w (helen, lfpw, ibug; 01_Indoor, 02_Outdoor),
    wflw (WFLW_images, WFLW_annotations), cofw (COFW_test_color.mat; for 68 points also
    cofw68-benchmark), merl-rav (merl_rav_organized, or merl_rav_labels with AFLW), aflw2000
    (pictures with .mat files), wider (WIDER_val and the ground_truth of eval_tools).

    \b
    fkp benchmark 300w datasets/300w
    fkp benchmark 300w datasets/300w --detector fkp --out 300w.csv
    fkp benchmark wider datasets/wider --det-size 1024
    """
    if out is not None and out.suffix not in (".csv", ".json"):
        raise click.BadParameter("expected a name that ends in .csv or .json", param_hint="--out")
    with console.progress(name) as progress:
        tables = api.benchmark(
            name, folder, model=model, detector=detector, detector_model=detector_model,
            det_size=det_size, device=device, progress=progress,
        )  # fmt: skip
    if out is not None:
        _write(out, name, model, tables)
    for table in tables:
        _print(table, model)
    if out is not None:
        console.say(f"wrote {out}")


def _write(out: Path, name: str, model: str, tables: Sequence[ScoreTable]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.suffix == ".csv":
        text = report.as_frame(name, model, tables).to_csv(index=False)
    else:
        text = json.dumps(report.as_json(name, model, tables), indent=1) + "\n"
    replace_text(out, text)


def _print(table: ScoreTable, model: str) -> None:
    """Print a table, followed by the definitions of its columns."""
    console.say(f"{table.title} ({table.source})")
    console.say(f"model {model}; faces from {table.faces_from}")
    console.wide_table(table.heads, table.cells())
    for metric in table.metrics:
        console.say(f"  {metric.name}: {metric.definition}")
    for note in table.notes:
        console.say(f"  {note}")
