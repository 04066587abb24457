"""`fkp convert`."""

from pathlib import Path

import click

from fkp.cli import console
from fkp.labels.cache import prepared
from fkp.labels.convert import convert
from fkp.labels.formats.known import WRITERS
from fkp.labels.store import read_samples


@click.command("convert")
@click.argument("data", type=click.Path(path_type=Path))
@click.option(
    "--to", "form", type=click.Choice(list(WRITERS)), required=True, help="The tool's format."
)
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    help="The file to write, or the folder for pts; by default DATA's name and the format's.",
)
@console.talk_options
def convert_command(data: Path, form: str, output: Path | None) -> None:
    """Write the labels of DATA in the format of another tool.

    They can be corrected there, in CVAT, Label Studio, DeepLabCut or by hand; fkp prepare reads
    all these formats back.

    \b
    fkp convert data.csv --to coco -o labels.json
    fkp convert data.csv --to pts -o faces/
    """
    with console.progress("prepare") as progress:
        samples = read_samples(prepared(data, progress))
    target = output or data.with_name(f"{data.stem}-{WRITERS[form].output}")
    if target.exists() and target.resolve() == data.resolve():
        raise click.BadParameter("is the data itself", param_hint="--out")
    rejected = convert(samples, form, target)
    for one in rejected[:10]:
        console.warn(f"left out: {one}")
    if len(rejected) > 10:
        console.warn(f"... and {len(rejected) - 10} more")
    unlabelled = len(samples) - len(samples.labelled())
    if unlabelled:
        console.say(f"{unlabelled} rows without labels were skipped")
    console.say(f"wrote {target}: {len(samples) - unlabelled - len(rejected)} faces")
