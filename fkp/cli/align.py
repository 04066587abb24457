"""`fkp align`."""

import sys
from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.annotate.align.run import Aligned
from fkp.annotate.align.settings import PERIODS, SORTS, WHICH
from fkp.annotate.inputs import read_list
from fkp.cli import console
from fkp.cli.options import detail_network, face_options, jobs_option, max_pixels_option
from fkp.vision.templates import TEMPLATES


def _aspect(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:  # fmt: skip
    """`4:5`, or a number."""
    if value is None:
        return None
    try:
        width, _, height = value.partition(":")
        return float(width) / float(height or 1)
    except (ValueError, ZeroDivisionError) as error:
        raise click.BadParameter("expected width:height, such as 4:5, or a number") from error


@click.command("align")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default=Path("aligned"),
    show_default=True,
    help="The folder for the results.",
)
@click.option(
    "--template",
    default="ffhq-512",
    show_default=True,
    metavar="NAME|FILE.json",
    help=f"{', '.join(TEMPLATES)}; or a file with size and points.",
)
@click.option(
    "--margin",
    type=float,
    default=0.0,
    show_default=True,
    help="Room on each side, as a share of the template's.",
)
@click.option(
    "--aspect", callback=_aspect, metavar="W:H", help="Extend the template to this shape: 4:5."
)
@click.option(
    "--size",
    type=click.IntRange(16, 8192),
    metavar="PIXELS",
    help="Longer side of the pictures.  [default: the template's]",
)
@click.option(
    "--border",
    default="reflect",
    show_default=True,
    metavar="reflect|blur|COLOUR",
    help="What lies beyond the photo: a colour is black, white, gray or #rrggbb.",
)
@click.option("--enlarge", is_flag=True, help="Also enlarge faces smaller than the template's.")
@click.option(
    "--faces",
    type=click.Choice(WHICH),
    default="largest",
    show_default=True,
    help="Of each picture: the largest face, the first in the table, or each.",
)
@click.option(
    "--one-per",
    type=click.Choice(PERIODS),
    help="Only the best picture of each day or week: sharp, frontal, eyes open.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="inputs",
    show_default=True,
    help="Order of the timelapse; with --one-per always that of the dates.",
)
@click.option(
    "--timelapse",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="out.mp4",
    help="Also a video of all pictures.",
)
@click.option(
    "--hold",
    type=click.FloatRange(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="How long the video shows each picture.",
)
@click.option(
    "--fade",
    type=click.FloatRange(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="How long a picture takes to become the next one.",
)
@face_options
@click.option(
    "--keep",
    metavar="EXPRESSION",
    help='Discard faces for which this is not true: "abs(yaw) < 30 and sharpness > 0.4".',
)
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Jitter smoothing of clips, 0 (off) to 1.",
)
@jobs_option
@max_pixels_option
@click.option("--overwrite", is_flag=True, help="Replace an earlier run; choices.csv is kept.")
@click.option(
    "--resume",
    is_flag=True,
    help="Continue a run that was stopped, or align again with other settings or choices.",
)
@console.talk_options
def align_command(inputs: tuple[str, ...], out: Path, **given: Any) -> int:
    """Cut faces out so that they lie on each other: of photos and clips: files, folders, globs.

    Writes faces/, choices.csv to say which faces are wanted, transforms.json with the way back to
    the pictures, index.html to look at it all, and what fkp annotate or fkp video writes. Each clip
    has a folder of its own, in clips/ if there are photos as well.

    \b
    fkp align photos/ --out aligned/
    fkp align selfies/ --one-per week --template eyes --timelapse years.mp4
    fkp align talk.mp4 --template ffhq-512 --margin 0.2 --out talk/
    """
    detail_network(given["model"])
    names: list[str] = []
    for item in inputs:
        names += read_list(sys.stdin.buffer.read(), b"\n") if item == "-" else [item]
    with console.progress("align") as progress:
        outcomes = api.align(names, out, progress=progress, say=console.say, **given)
    for outcome in outcomes:
        _print(outcome)
    return max(outcome.exit_code for outcome in outcomes)


def _print(outcome: Aligned) -> None:
    counts = outcome.statuses
    console.say(
        f"{counts['aligned']} faces aligned, {counts['not_chosen']} not chosen, "
        f"{counts['no_face']} inputs without a face, {counts['unreadable']} unreadable"
    )
    if counts["no_points"]:
        console.warn(f"{counts['no_points']} faces lack points that the template needs")
    for note in outcome.notes:
        console.warn(note)
    if outcome.film is not None:
        console.say(f"timelapse in {outcome.film}")
    if outcome.page is not None:
        console.say(f"see {outcome.page}; choose faces in {outcome.folder / 'choices.csv'}")
