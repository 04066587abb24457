"""`fkp predict`."""

from pathlib import Path

import click

from fkp import api
from fkp.api.choices import Split
from fkp.cli import console
from fkp.cli.options import device_option
from fkp.labels.store import SPLITS


@click.command("predict")
@click.argument("model")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE.csv",
    help="The table to write.",
)
@click.option(
    "--kaggle",
    type=click.Path(path_type=Path),
    metavar="IdLookupTable.csv",
    help="Write Kaggle's submission (RowId, Location) for the rows of this table.",
)
@click.option(
    "--split",
    type=click.Choice([*SPLITS, "all"]),
    default="all",
    show_default=True,
    help="Which rows.",
)
@device_option
@console.talk_options
def predict_command(
    model: str, data: Path, out: Path, kaggle: Path | None, split: Split, device: str
) -> None:
    """Write the points that MODEL finds in the crops of DATA, with or without labels.

    Points are in pixels of the pictures that the crops were cut from. For plain photos without a
    table, use fkp annotate.

    \b
    fkp predict runs/data-integral/best.safetensors data.csv -o predictions.csv
    fkp predict best.safetensors test.csv -o submission.csv --kaggle IdLookupTable.csv
    """
    network = api.load(model, device=device, detector=None)
    with console.progress("prepare") as progress:
        if kaggle is None:
            found = network.predict(data, split=split, out=out, progress=progress)
            text = f"wrote {out}: {len(found)} faces, {len(network.scheme)} points each"
        else:
            clipped = network.submission(data, kaggle, out, split=split, progress=progress)
            text = f"wrote {out}; {clipped} locations were clipped to the picture"
    console.say(text)
