"""`fkp predict`."""

from pathlib import Path

import click

from fkp.cli import console
from fkp.labels.cache import prepared
from fkp.labels.store import SPLITS, read_samples
from fkp.learn.evaluation.predict import write_predictions, write_submission
from fkp.learn.networks.checkpoint import find_model, load_model


@click.command("predict")
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.csv",
    help="The table to write.",
)
@click.option(
    "--kaggle",
    "lookup",
    type=click.Path(path_type=Path),
    metavar="IdLookupTable.csv",
    help="Write Kaggle's submission (RowId, Location) for the rows of this table.",
)
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    default="all",
    show_default=True,
    help="Whose rows.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
@console.talk_options
def predict_command(
    model: str, data: Path, output: Path, lookup: Path | None, split: str, device: str
) -> None:
    """Write the points that MODEL finds in the crops of DATA, labelled or not.

    They are in pixels of the pictures that the crops are from. For photos as they are, without a
    table, there is fkp annotate.

    \b
    fkp predict runs/data-integral/best.safetensors data.csv -o predictions.csv
    fkp predict best.safetensors test.csv -o submission.csv --kaggle IdLookupTable.csv
    """
    network = load_model(find_model(model), device)
    with console.progress("prepare") as progress:
        samples = read_samples(prepared(data, progress)).part(split)
    if lookup is None:
        write_predictions(output, network, samples)
        console.say(f"wrote {output}: {len(samples)} faces, {len(network.scheme)} points each")
        return
    clipped = write_submission(output, network, samples, lookup)
    console.say(f"wrote {output}; {clipped} locations were clipped to the picture")
