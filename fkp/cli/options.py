"""Options that commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from fkp.annotate.pipeline import MIN_SCORE
from fkp.annotate.results import FORMATS, SCHEMAS
from fkp.cli.models import DETECTORS
from fkp.keypoints import SCHEMES
from fkp.learn.checkpoint import BUNDLED

Command = TypeVar("Command", bound=Callable[..., object])


def face_options(command: Command) -> Command:
    """The network, the detector, and which faces are wanted."""
    options = (
        click.option(
            "--model", default=BUNDLED, show_default=True, help="A checkpoint of fkp train."
        ),
        click.option(
            "--scheme",
            type=click.Choice(sorted(SCHEMES)),
            help="The points wanted, where the network's can be converted.",
        ),
        click.option(
            "--detector",
            type=click.Choice(DETECTORS),
            default="fkp",
            show_default=True,
            help="haar: OpenCV's cascade; none: each picture is one face crop already.",
        ),
        click.option(
            "--detector-model",
            type=click.Path(path_type=Path, dir_okay=False, exists=True),
            metavar="FILE.onnx",
            help="Another network in YuNet's layout.",
        ),
        click.option(
            "--det-size",
            type=click.IntRange(64),
            default=640,
            show_default=True,
            help="Long side of the picture that the detector looks at, pixels.",
        ),
        click.option(
            "--min-score",
            type=click.FloatRange(0, 1),
            default=MIN_SCORE,
            show_default=True,
            help="Leave out faces that are less sure.",
        ),
        click.option(
            "--min-face",
            type=click.FloatRange(0),
            default=0,
            help="Leave out faces whose box is smaller, pixels of the picture.",
        ),
        click.option(
            "--max-faces", type=click.IntRange(1), help="Only the surest faces of a picture."
        ),
        click.option(
            "--batch",
            type=click.IntRange(1),
            default=64,
            show_default=True,
            help="Faces in a batch of the network.",
        ),
        click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def result_options(command: Command) -> Command:
    """What is written, and what becomes of results that are there already."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMATS),
            default="csv",
            show_default=True,
            help="Of the rows; jsonl is an object a line, parquet needs fkp[parquet].",
        ),
        click.option(
            "--schema",
            type=click.Choice(SCHEMAS),
            default="fkp",
            show_default=True,
            help="Also write what another tool reads: openface.csv, coco.json, yolo/ and so on.",
        ),
        click.option(
            "--confidence", is_flag=True, help="Columns for the confidence of each point."
        ),
        click.option(
            "--measures",
            is_flag=True,
            help="Columns for how far eyes and mouth are open, and yaw, pitch and roll.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the results of an earlier run."),
        click.option("--resume", is_flag=True, help="Go on with a run that was stopped."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def overlay_size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A number of pixels; `full` is 0."""
    if value == "full":
        return 0
    if not value.isdigit() or int(value) < 64:
        raise click.BadParameter("expected at least 64 pixels, or full")
    return int(value)
