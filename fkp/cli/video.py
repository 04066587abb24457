"""`fkp video`."""

import re
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.annotate.run import Report
from fkp.cli import console
from fkp.cli.options import detail_network, drawing_options, face_options, result_options
from fkp.vision.interlaced import DEINTERLACE
from fkp.vision.sources import is_live


def _seconds(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> float | None:  # fmt: skip
    """Parse a time: seconds, or hours, minutes and seconds."""
    if value is None:
        return None
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
    help="The folder for the results; - writes the rows to stdout.  [default: results/NAME]",
)
@click.option(
    "--every",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    metavar="N",
    help="Use only every Nth frame.",
)
@click.option(
    "--start",
    callback=_seconds,
    metavar="TIME",
    help="Start at this time after the first frame: 75.5 or 1:15.5.",
)
@click.option(
    "--end", callback=_seconds, metavar="TIME", help="Stop at this time after the first frame."
)
@click.option("--max-frames", type=click.IntRange(1), help="Stop after this many frames.")
@click.option(
    "--smooth",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Jitter smoothing, 0 (off) to 1.",
)
@click.option(
    "--fill",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="Fill gaps of up to N frames per face; the rows get the status filled.",
)
@click.option("--raw", is_flag=True, help="Also write raw.csv, the points before smoothing.")
@click.option(
    "--series",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="plot.png",
    help="Plot the points and the confidence over time; with --confidence, that of each point.",
)
@click.option(
    "--events",
    is_flag=True,
    help="Also write events.csv and minutes.csv: blinks, long closures, yawns, speech, PERCLOS.",
)
@click.option(
    "--stream",
    type=click.IntRange(0),
    metavar="N",
    help="The video stream to use, if a file has several.  [default: the largest]",
)
@click.option(
    "--deinterlace",
    type=click.Choice(DEINTERLACE),
    default="auto",
    show_default=True,
    help="Which frames to deinterlace: those marked as interlaced, all, or none.",
)
@click.option(
    "--fps",
    type=click.FloatRange(0, min_open=True),
    metavar="RATE",
    help="Read folders and patterns of pictures (frames/, f_%04d.png, 'f_*.png') as clips with "
    "this frame rate.",
)
@click.option(
    "--live",
    is_flag=True,
    help="Drop frames to keep up, and count them. Always on for cameras and RTSP.",
)
@click.option(
    "--view", is_flag=True, help="Show the pictures on a page that only this machine can open."
)
@result_options
@face_options
@drawing_options("full", "video")
@console.talk_options
def video_command(inputs: tuple[str, ...], out: Path | None, **given: Any) -> int:
    """Find faces and their keypoints in clips, frame by frame.

    INPUTS are files, folders and globs, or one stream: the number of a camera, an rtsp:// or
    http:// address, or - for stdin.

    Writes keypoints.csv (a row per face and frame, and one for each frame without a face),
    overlay.mp4, index.html to play it, and run.json. A person keeps one number for as long as the
    face can be tracked.

    \b
    fkp video clip.mp4 --out results/clip/
    fkp video 0 --view
    fkp video clip.mp4 --start 0:01 --end 0:02.5 --out - --format jsonl
    """
    to_stdout = str(out) == "-"
    say = console.note if to_stdout else console.say
    detail_network(given["model"])
    live = given["live"] or any(is_live(name) for name in inputs)
    with (
        console.reader_may_leave(),
        console.progress("video") as progress,
        console.interrupt_ends() if live else nullcontext() as stop,
    ):
        reports = api.video(
            inputs, sys.stdout.buffer if to_stdout else out, stop=stop, progress=progress,
            say=console.note if given["view"] else say,
            on_finish=lambda report: _print(report, say), **given,
        )  # fmt: skip
        return max(report.exit_code for report in reports)
    return 0


def _print(report: Report, say: console.Say) -> None:
    if report.finished_before:
        say(f"{report.folder}: this run is already finished")
        return
    summary, counts, path = report.summary, report.summary.statuses, report.name
    console.detail_seconds(summary.seconds)
    if report.inputs == counts["unreadable"] == 1:  # the clip itself
        console.warn(f"unreadable: {path}: {summary.failures[0][1]}")
    else:
        say(
            f"{path}: {report.inputs} frames in {report.seconds:.1f} s "
            f"({report.per_second:.1f} per second), {counts['ok']} with faces, "
            f"{counts['no_face']} without, {counts['unreadable']} undecodable"
        )
        _print_live(report, say)
        for note in summary.notes:
            console.warn(f"{path}: {note}")
        if summary.failures:
            console.warn(f"{path}: {len(summary.failures)} frames: {summary.failures[0][1]}")
    if report.page is not None:
        say(f"see {report.page}")


def _print_live(report: Report, say: console.Say) -> None:
    if report.live is not None:
        median, high = report.live.latency()
        say(
            f"{report.live.dropped} frames dropped; latency {1000 * median:.0f} ms, "
            f"95 % within {1000 * high:.0f} ms"
        )
