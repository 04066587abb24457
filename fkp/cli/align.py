"""`fkp align`."""

import sys
from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.annotate.align.run import AlignReport
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
    help=f"{', '.join(TEMPLATES)}; or a file with a size and points.",
)
@click.option(
    "--margin",
    type=float,
    default=0.0,
    show_default=True,
    help="Extra margin on each side, as a share of the template.",
)
@click.option(
    "--aspect", callback=_aspect, metavar="W:H", help="Extend the template to this aspect ratio."
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
    help="How to fill what is outside the photo; COLOUR: black, white, gray or #rrggbb.",
)
@click.option("--enlarge", is_flag=True, help="Enlarge faces smaller than in the template.")
@click.option(
    "--faces",
    type=click.Choice(WHICH),
    default="largest",
    show_default=True,
    help="Which faces of a picture: the largest, the first in the table, or each.",
)
@click.option(
    "--one-per",
    type=click.Choice(PERIODS),
    help="Only the best picture per day or week: sharp, frontal, eyes open.",
)
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="inputs",
    show_default=True,
    help="Order of the timelapse; with --one-per, always date.",
)
@click.option(
    "--timelapse",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="out.mp4",
    help="Also write a video of all pictures.",
)
@click.option(
    "--hold",
    type=click.FloatRange(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="How long the timelapse holds each picture.",
)
@click.option(
    "--fade",
    type=click.FloatRange(0),
    default=0.2,
    show_default=True,
    metavar="SECONDS",
    help="How long a picture fades into the next one.",
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
    """Cut out faces aligned to a template: from photos and clips.

    Writes faces/, choices.csv to choose faces in, transforms.json with the transforms between
    pictures and aligned faces, index.html for checking, and the files of fkp annotate or fkp video.
    Several clips get a folder each, in clips/ if there are photos as well.

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
        reports = api.align(names, out, progress=progress, say=console.say, **given)
    for report in reports:
        _print(report)
    return max(report.exit_code for report in reports)


def _print(report: AlignReport) -> None:
    counts = report.statuses
    console.say(
        f"{counts['aligned']} faces aligned, {counts['not_chosen']} not chosen, "
        f"{counts['no_face']} inputs without a face, {counts['unreadable']} unreadable"
    )
    if counts["no_points"]:
        console.warn(f"{counts['no_points']} faces lack points that the template needs")
    for note in report.notes:
        console.warn(note)
    if report.timelapse is not None:
        console.say(f"wrote {report.timelapse}")
    if report.page is not None:
        console.say(f"see {report.page}; choose faces in {report.folder / 'choices.csv'}")
