"""`fkp convert`."""

from pathlib import Path

import click

from fkp import api
from fkp.api.choices import LabelFormat
from fkp.cli import console
from fkp.labels.formats.known import WRITERS


@click.command("convert")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(list(WRITERS)), required=True, help="The tool's format.")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file to write, or the folder for pts; named after DATA and the format by default.",
)
@console.talk_options
def convert_command(data: Path, to: LabelFormat, out: Path | None) -> None:
    """Write the labels of DATA in the format of another tool.

    Correct them there, in CVAT, Label Studio, DeepLabCut or by hand; fkp prepare reads all these
    formats back.

    \b
    fkp convert data.csv --to coco -o labels.json
    fkp convert data.csv --to pts -o faces/
    """
    with console.progress("prepare") as progress:
        done = api.convert(data, to, out, progress=progress)
    for one in done.rejected[:10]:
        console.warn(f"left out: {one}")
    if len(done.rejected) > 10:
        console.warn(f"... and {len(done.rejected) - 10} more")
    if done.unlabelled:
        console.say(f"{done.unlabelled} rows without labels were skipped")
    console.say(f"wrote {done.path}: {done.faces} faces")
