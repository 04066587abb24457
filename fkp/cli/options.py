"""Options that commands share, named like the arguments in `fkp.api`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from fkp.annotate.config import MIN_SCORE
from fkp.annotate.output.folder import TABLE_FORMATS
from fkp.annotate.output.schemas import SCHEMAS
from fkp.cli import console
from fkp.keypoints import SCHEMES
from fkp.learn.networks.names import BUNDLED, find_model
from fkp.vision.detectors import DETECTORS
from fkp.vision.images import MAX_PIXELS

Command = TypeVar("Command", bound=Callable[..., object])


def is_off(context: click.Context, parameter: click.Parameter, given: bool) -> bool:
    """The argument that a `--no-...` option switches off."""
    return not given


def detail_network(model: str) -> None:
    """Print the path of a network's file, with --verbose."""
    console.detail(f"network: {find_model(model)}")


model_option = click.option(
    "--model", default=BUNDLED, show_default=True, help="A checkpoint or an exported .onnx."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="auto, cpu, cuda, mps."
)
detector_model_option = click.option(
    "--detector-model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.onnx",
    help="Another face detector in YuNet's layout.",
)
det_size_option = click.option(
    "--det-size",
    type=click.IntRange(64),
    default=640,
    show_default=True,
    help="Long side of the pictures that the detector searches, in pixels.",
)
batch_option = click.option(
    "--batch",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Faces per batch of the network.",
)
jobs_option = click.option(
    "--jobs", type=click.IntRange(1), help="Worker processes.  [default: one per CPU]"
)
max_pixels_option = click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Pictures with more pixels are unreadable.",
)


focal_option = click.option(
    "--focal",
    type=click.FloatRange(0, min_open=True),
    metavar="PIXELS",
    help="Focal length of the camera, for the head's pose.  [default: the picture's longer side]",
)
fov_option = click.option(
    "--fov",
    type=click.FloatRange(0, 180, min_open=True, max_open=True),
    metavar="DEGREES",
    help="Instead of --focal: angle of view along the longer side.  [default: 53]",
)


def face_options(command: Command) -> Command:
    """The network, the detector, and which faces are wanted."""
    options = (
        model_option,
        click.option(
            "--scheme",
            type=click.Choice(sorted(SCHEMES)),
            help="Convert the network's points to this scheme.",
        ),
        click.option(
            "--detector",
            type=click.Choice(DETECTORS),
            default="fkp",
            show_default=True,
            help="haar: OpenCV's cascade; none: each picture is already the crop of one face.",
        ),
        detector_model_option,
        det_size_option,
        click.option(
            "--min-score",
            type=click.FloatRange(0, 1),
            default=MIN_SCORE,
            show_default=True,
            help="Discard faces scoring below this.",
        ),
        click.option(
            "--min-face",
            type=click.FloatRange(0),
            default=0,
            help="Discard faces with a smaller box, in pixels; a large photo is searched at the "
            "scale that faces of this size need.",
        ),
        click.option(
            "--max-faces", type=click.IntRange(1), help="Keep only the highest-scoring faces."
        ),
        batch_option,
        device_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


def _column_options(command: Command) -> Command:
    """What is measured, and which faces are kept for it."""
    options = (
        click.option(
            "--confidence", is_flag=True, help="Add a column for the confidence of each point."
        ),
        click.option(
            "--measures",
            is_flag=True,
            help="Add columns for the openings of eyes and mouth, and the head's pose.",
        ),
        focal_option,
        fov_option,
        click.option(
            "--quality",
            is_flag=True,
            help="Add columns for sharpness, exposure, size, occlusion and angle of each face.",
        ),
        click.option(
            "--iris",
            is_flag=True,
            help="Add columns for the centre and radius of each iris, empty where it is not seen.",
        ),
        click.option(
            "--keep",
            metavar="EXPRESSION",
            help='Discard faces for which this is not true: "abs(yaw) < 30 and sharpness > 0.4". '
            "Columns of --measures, --quality and --iris that it names are added.",
        ),
    )
    for option in reversed(options):
        command = option(command)
    return command


def result_options(command: Command) -> Command:
    """What is written, and what happens to earlier results."""
    options = (
        click.option(
            "--format",
            type=click.Choice(TABLE_FORMATS),
            default="csv",
            show_default=True,
            help="Format of the table: jsonl has an object per line, parquet needs fkp[parquet].",
        ),
        click.option(
            "--also",
            type=click.Choice(list(SCHEMAS)),
            multiple=True,
            help="Also write another tool's file: openface.csv, coco.json, ...; repeatable.",
        ),
        _column_options,
        click.option(
            "--no-paths",
            "paths",
            is_flag=True,
            callback=is_off,
            help="Leave absolute paths out of run.json and the page.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace the results of an earlier run."),
        click.option("--resume", is_flag=True, help="Continue a run that was stopped."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def drawing_options(largest: str, what: str) -> Callable[[Command], Command]:
    """What is drawn. largest: the default long side; what: is drawn."""

    def add(command: Command) -> Command:
        options = (
            click.option(
                "--no-overlays", "overlays", is_flag=True, callback=is_off, help="Draw nothing."
            ),
            click.option(
                "--overlay-size",
                callback=_overlay_size,
                metavar="PIXELS|full",
                default=largest,
                show_default=True,
                help=f"Maximum long side of the drawn {what}, in pixels.",
            ),
            click.option(
                "--blur",
                type=click.Choice(["eyes", "face"]),
                help="Make the faces found unrecognisable.",
            ),
        )
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _overlay_size(
    context: click.Context, parameter: click.Parameter, value: str
) -> int | None:  # fmt: skip
    """A number of pixels, None for `full`."""
    if value == "full":
        return None
    if not value.isdigit() or int(value) < 64:
        raise click.BadParameter("expected at least 64 pixels, or full")
    return int(value)
