"""`fkp export`."""

from pathlib import Path

import click

from fkp import api
from fkp.api.choices import ExportFormat
from fkp.cli import console
from fkp.learn.networks.export import EXPORT_FORMATS


@click.command("export")
@click.argument("model")
@click.option(
    "--format",
    type=click.Choice(list(EXPORT_FORMATS)),
    default="onnx",
    show_default=True,
    help="Format of the other runtime.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The file.  [default: MODEL's name with the format's suffix]",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="DATA.csv",
    help="A data set of fkp prepare to compare on.  [default: a few crops that come with fkp]",
)
@console.talk_options
def export_command(model: str, format: ExportFormat, out: Path | None, check: Path | None) -> None:
    """Write MODEL for another runtime, and check that it gives the same points there.

    The network takes gray crops, (N, 1, S, S) uint8, and returns points (N, K, 2) in crop pixels.
    The file's metadata describe how crops are framed; docs/guides/export.md shows how to cut them.

    \b
    fkp export bundled -o keypoints68.onnx
    fkp export runs/data-integral/best.safetensors --format torchscript
    """
    target = out or Path(f"{Path(model).stem}{EXPORT_FORMATS[format]}")
    network = api.load(model, device="cpu", detector=None)
    done = network.export(target, format=format, check=check)
    console.say(f"wrote {done.path}: crops in, {', '.join(done.outputs)} out")
    console.say(f"largest difference over {done.crops} crops: {done.difference:.2g} px")
