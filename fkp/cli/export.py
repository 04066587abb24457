"""`fkp export`."""

from pathlib import Path

import click
import numpy as np

import fkp
from fkp.cli import console
from fkp.labels.store import read_samples
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.export import EXPORT_FORMATS, export
from fkp.vision.crop import CropTransform

CROPS = Path(fkp.__file__).parent / "weights" / "crops.npy"
"""Some real crops, to compare with where there is no data."""


@click.command("export")
@click.argument("model")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(EXPORT_FORMATS)),
    default="onnx",
    show_default=True,
    help="Of the other runtime.",
)
@click.option(
    "-o",
    "--out",
    "output",
    type=click.Path(path_type=Path),
    help="The file; else MODEL's, renamed.",
)
@click.option(
    "--check",
    type=click.Path(path_type=Path),
    metavar="DATA.csv",
    help="A data set of fkp prepare to compare on; else a few crops that come with fkp.",
)
@console.talk_options
def export_command(model: str, format_: str, output: Path | None, check: Path | None) -> None:
    """Write MODEL for other runtimes, and check that it gives the same points there.

    The network takes gray crops, (N, 1, S, S) uint8, and gives points (N, K, 2) in their pixels;
    how crops are framed stands in the file's metadata, and in the README how to cut them.

    \b
    fkp export bundled -o keypoints68.onnx
    fkp export runs/data-integral/best.safetensors --format torchscript
    """
    network = load_model(find_model(model), trainable=True)
    target = output or Path(f"{Path(model).stem}{EXPORT_FORMATS[format_]}")
    if check is not None:
        samples = read_samples(check)
        crops = np.asarray(samples.crops[:64])
    else:
        crops = np.load(CROPS)
    if crops.shape[1] != network.size:
        whole = CropTransform.whole(crops.shape[1], crops.shape[1], network.size)
        crops = np.stack([whole.cut(crop) for crop in crops])
    done = export(network, target, format_, crops)
    console.say(f"wrote {done.path}: crops in, {', '.join(done.outputs)} out")
    console.say(f"largest difference over {done.crops} crops: {done.difference:.2g} px")
