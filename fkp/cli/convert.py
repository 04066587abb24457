"""`fkp convert`."""

from pathlib import Path

import click

from fkp.cli import console
from fkp.labels.cache import prepared
from fkp.labels.convert import FORMS, convert
from fkp.labels.store import read_samples

NAMES = {"coco": "coco.json", "dlc": "CollectedData_fkp.csv", "pts": "pts", "kaggle": "kaggle.csv"}


@click.command("convert")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--to", "form", type=click.Choice(list(FORMS)), required=True, help="The tool's form."
)
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    help="The file to write, or for pts the folder; else DATA's name with the form's.",
)
@console.talk_options
def convert_command(data: Path, form: str, output: Path | None) -> None:
    """Write the labels of DATA in the form of another tool.

    So they can be corrected in CVAT, Label Studio, DeepLabCut or by hand; fkp prepare reads all
    these forms back.

    \b
    fkp convert data.csv --to coco -o labels.json
    fkp convert data.csv --to pts -o faces/
    """
    with console.progress("prepare") as progress:
        samples = read_samples(prepared(data, progress))
    target = output or data.with_name(f"{data.stem}-{NAMES[form]}")
    if target.exists() and target.resolve() == data.resolve():
        raise click.BadParameter("is the data itself", param_hint="--out")
    rejected = convert(samples, form, target)
    for one in rejected[:10]:
        console.warn(f"left out: {one}")
    if len(rejected) > 10:
        console.warn(f"... and {len(rejected) - 10} more")
    unlabelled = len(samples) - len(samples.labelled())
    if unlabelled:
        console.say(f"{unlabelled} rows without labels are not in it")
    console.say(f"wrote {target}: {len(samples) - unlabelled - len(rejected)} faces")
