"""`fkp annotate`: its options."""

from pathlib import Path
from typing import Any

import click

from fkp.cli import console
from fkp.cli.annotating import Request, run
from fkp.cli.options import drawing_options, face_options, result_options
from fkp.vision.images import MAX_PIXELS


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
@result_options
@face_options
@click.option("--jobs", type=click.IntRange(1), help="Worker processes; else one a processor.")
@drawing_options("1600", "pictures")
@click.option("--crops", is_flag=True, help="Write an upright crop of each face into crops/.")
@click.option(
    "--crop-size",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Side of these crops, pixels.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    default=MAX_PIXELS,
    show_default=True,
    help="Larger pictures are unreadable.",
)
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
@console.talk_options
def annotate_command(**given: Any) -> int:
    """Find the faces and their keypoints in pictures: files, folders, globs, or - for stdin.

    Writes keypoints.csv (a row a face, and one for each input without), overlays/, index.html to
    look at it all, and run.json.

    \b
    fkp annotate photos/ --out results/
    fkp annotate faces/ --detector none --model runs/data-lecture/best.safetensors
    """
    return run(Request(**given))
