"""`fkp video`: its options."""

import math
import re
from pathlib import Path
from typing import Any

import click

from fkp.cli import console
from fkp.cli.filming import Request, run
from fkp.cli.options import drawing_options, face_options, result_options
from fkp.vision.interlaced import DEINTERLACE


def _seconds(context: click.Context, parameter: click.Parameter, value: str | None) -> float:
    """Seconds, or hours, minutes and seconds; without any: from or to the end of all times."""
    if value is None:
        return math.inf if parameter.name == "end" else -math.inf
    if not re.fullmatch(r"(\d+:){0,2}\d+(\.\d*)?", value):
        raise click.BadParameter("expected seconds or H:MM:SS, such as 75.5 or 1:15.5")
    seconds = 0.0
    for part in value.split(":"):
        seconds = 60 * seconds + float(part)
    return seconds


@click.command("video")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="The folder for the results, else results/NAME; - writes rows to stdout.",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Only frames whose number is a multiple of this.",
)
@click.option("--start", callback=_seconds, metavar="TIME", help="From this time of the clip on.")
@click.option("--end", callback=_seconds, metavar="TIME", help="Up to this time: 75.5 or 1:15.5.")
@click.option("--max-frames", type=click.IntRange(1), help="So many frames at most.")
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How much trembling is taken out of the points; 0: nothing is changed.",
)
@click.option(
    "--fill",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Fill gaps of a face up to N frames; such rows have the status filled.",
)
@click.option("--raw", is_flag=True, help="Also write raw.csv: the points before smoothing.")
@click.option(
    "--series",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="plot.png",
    help="Draw each point's path over time, and the confidence; with --confidence that of each.",
)
@click.option(
    "--stream",
    "stream_number",
    type=click.IntRange(0),
    metavar="N",
    help="Of several video streams in a file the one with this number; otherwise the largest.",
)
@click.option(
    "--deinterlace",
    type=click.Choice(DEINTERLACE),
    default="auto",
    show_default=True,
    help="auto: frames that say that they are interlaced; on: all; off: none.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Take folders and patterns (a_%04d.png, 'a/*.png') of pictures for clips of this rate.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Drop frames rather than fall behind, and say how many; cameras and RTSP always do.",
)
@click.option("--view", is_flag=True, help="Show the pictures on a page on this machine, only.")
@result_options
@face_options
@drawing_options("full", "video")
@console.talk_options
def video_command(**given: Any) -> int:
    """Find the faces and their keypoints in clips: files, folders, globs; or in a stream: the
    number of a camera, an rtsp:// or http:// address, or - for stdin.

    Writes keypoints.csv (a row a face and frame, and one for each frame without), overlay.mp4,
    index.html to look at it, and run.json. A face keeps its number as long as it is followed.

    \b
    fkp video clip.mp4 --out results/clip/
    fkp video 0 --view
    fkp video clip.mp4 --start 0:01 --end 0:02.5 --out - --format jsonl
    """
    return run(Request(**given))
