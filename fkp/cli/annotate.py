"""`fkp annotate`: its options."""

from pathlib import Path
from typing import Any

import click

from fkp.annotate.pipeline import MIN_SCORE
from fkp.annotate.results import FORMATS, SCHEMAS
from fkp.cli import console
from fkp.cli.annotating import Request, run
from fkp.cli.models import DETECTORS
from fkp.keypoints import SCHEMES
from fkp.learn.checkpoint import BUNDLED
from fkp.vision.images import MAX_PIXELS


def _overlay_size(context: click.Context, parameter: click.Parameter, value: str) -> int:
    """A number of pixels; `full` is 0."""
    if value == "full":
        return 0
    if not value.isdigit() or int(value) < 64:
        raise click.BadParameter("expected at least 64 pixels, or full")
    return int(value)


def _shard(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """`I/N` as two numbers."""
    number, slash, total = value.partition("/")
    if not (slash and number.isdigit() and total.isdigit() and 1 <= int(number) <= int(total)):
        raise click.BadParameter("expected I/N with I from 1 to N, such as 3/10")
    return int(number), int(total)


@click.command("annotate")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("results"),
    show_default=True,
    help="The folder for the results; - writes rows to stdout.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="csv",
    show_default=True,
    help="Of the rows; jsonl is an object a line, parquet needs fkp[parquet].",
)
@click.option(
    "--schema",
    type=click.Choice(SCHEMAS),
    default="fkp",
    show_default=True,
    help="Also write what another tool reads: openface.csv, coco.json, yolo/ and so on.",
)
@click.option("--model", default=BUNDLED, show_default=True, help="A checkpoint of fkp train.")
@click.option(
    "--scheme",
    type=click.Choice(sorted(SCHEMES)),
    help="The points wanted, where the network's can be converted.",
)
@click.option(
    "--detector",
    type=click.Choice(DETECTORS),
    default="fkp",
    show_default=True,
    help="haar: OpenCV's cascade; none: each picture is one face crop already.",
)
@click.option(
    "--detector-model",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.onnx",
    help="Another network in YuNet's layout.",
)
@click.option(
    "--det-size",
    type=click.IntRange(64),
    default=640,
    show_default=True,
    help="Long side of the picture that the detector looks at, pixels.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1),
    default=MIN_SCORE,
    show_default=True,
    help="Leave out faces that are less sure.",
)
@click.option(
    "--min-face",
    type=click.FloatRange(0),
    default=0,
    help="Leave out faces whose box is smaller, pixels of the picture.",
)
@click.option("--max-faces", type=click.IntRange(1), help="Only the surest faces of a picture.")
@click.option("--confidence", is_flag=True, help="Columns for the confidence of each point.")
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; else one a processor.")
@click.option(
    "--batch",
    type=click.IntRange(1),
    default=64,
    show_default=True,
    help="Faces in a batch of the network.",
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, mps.")
@click.option("--no-overlays", is_flag=True, help="Draw no pictures, and no page to look at.")
@click.option(
    "--overlay-size",
    callback=_overlay_size,
    metavar="PIXELS|full",
    default="1600",
    show_default=True,
    help="Long side of the drawn pictures at most, pixels; full: as they are.",
)
@click.option("--crops", is_flag=True, help="Write an upright crop of each face into crops/.")
@click.option(
    "--crop-size",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Side of these crops, pixels.",
)
@click.option(
    "--blur",
    type=click.Choice(["eyes", "face"]),
    help="Make the faces found unrecognisable in overlays and crops.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Larger pictures are unreadable.",
)
@click.option("--overwrite", is_flag=True, help="Replace the results of an earlier run.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option(
    "--shard",
    callback=_shard,
    default="1/1",
    metavar="I/N",
    help="Only part I of N of the inputs; see fkp merge.",
)
@click.option("-0", "--null", is_flag=True, help="Paths on stdin end with NUL, not a newline.")
@click.option(
    "--backend",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="dask: on a cluster, see --scheduler.",
)
@click.option("--scheduler", metavar="ADDRESS", help="Of the Dask cluster: tcp://HOST:8786.")
@console.quiet_option
def annotate_command(**given: Any) -> int:
    """Find the faces and their keypoints in pictures: files, folders, globs, or - for stdin.

    Writes keypoints.csv (a row a face, and one for each input without), overlays/, index.html to
    look at it all, and run.json.

    \b
    fkp annotate photos/ --out results/
    fkp annotate faces/ --detector none --model runs/data-lecture/best.safetensors
    """
    return run(Request(**given))
