"""`fkp annotate`."""

import sys
from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.annotate.config import ORDERS
from fkp.annotate.inputs import read_list
from fkp.annotate.run import Report
from fkp.cli import console
from fkp.cli.options import (
    detail_network,
    drawing_options,
    face_options,
    jobs_option,
    max_pixels_option,
    result_options,
)

SHOWN = 10


def _shard(context: click.Context, parameter: click.Parameter, value: str) -> tuple[int, int]:
    """Parse `I/N` into two numbers."""
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
    help="The folder for the results; - writes the rows to stdout.",
)
@result_options
@face_options
@click.option(
    "--order",
    type=click.Choice(ORDERS),
    default=ORDERS[0],
    show_default=True,
    help="Order of the faces of a picture: by decreasing score, from the left, or by decreasing "
    "size.",
)
@jobs_option
@drawing_options("1600", "pictures")
@click.option("--crops", is_flag=True, help="Write an upright crop of each face into crops/.")
@click.option(
    "--crop-size",
    type=click.IntRange(16, 4096),
    default=256,
    show_default=True,
    help="Side of these crops, in pixels.",
)
@max_pixels_option
@click.option(
    "--shard",
    callback=_shard,
    default="1/1",
    metavar="I/N",
    help="Annotate only part I of N of the inputs; see fkp merge.",
)
@click.option("-0", "--null", is_flag=True, help="Paths on stdin end with NUL, not a newline.")
@click.option(
    "--backend",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="dask: use a cluster, see --scheduler.",
)
@click.option(
    "--scheduler", metavar="ADDRESS", help="Address of the Dask scheduler: tcp://HOST:8786."
)
@console.talk_options
def annotate_command(inputs: tuple[str, ...], out: Path, null: bool, **given: Any) -> int:
    """Find faces and their keypoints in pictures: files, folders, globs, or - for stdin.

    Writes keypoints.csv (a row per face, and one for each input without a face), overlays/,
    index.html for checking the results, and run.json.

    \b
    fkp annotate photos/ --out results/
    fkp annotate faces/ --detector none --model runs/data-lecture/best.safetensors
    """
    stream = str(out) == "-"
    say = console.note if stream else console.say
    detail_network(given["model"])
    with console.reader_may_leave(), console.progress("annotate") as progress:
        report = api.annotate(
            _expand(inputs, null), sys.stdout.buffer if stream else out,
            progress=progress, say=say, **given,
        )  # fmt: skip
        _print(report, say)
        return report.exit_code
    return 0


def _expand(inputs: tuple[str, ...], null: bool) -> list[str]:
    """The inputs, with `-` replaced by the paths on stdin."""
    expanded: list[str] = []
    for item in inputs:
        if item == "-":
            expanded += read_list(sys.stdin.buffer.read(), b"\0" if null else b"\n")
        else:
            expanded.append(item)
    return expanded


def _print(report: Report, say: console.Say) -> None:
    if report.finished_before:
        say(f"{report.folder}: this run is already finished")
        return
    summary, counts = report.summary, report.summary.statuses
    console.detail_seconds(summary.seconds)
    say(
        f"{report.inputs} pictures in {report.seconds:.1f} s ({report.per_second:.1f} per second): "
        f"{summary.faces} faces in {counts['ok']}, {counts['no_face']} without a face, "
        f"{counts['unreadable']} unreadable"
    )
    if report.skipped:
        say(f"skipped {report.skipped} files without an image extension")
    for note in report.search:
        say(note)
    for note, count in summary.notes.most_common(SHOWN):
        say(f"{count} pictures: {note}")
    if len(summary.notes) > SHOWN:
        say(f"... and {len(summary.notes) - SHOWN} other notes (reason in the table)")
    if summary.killed:
        console.warn(
            f"worker processes were killed {summary.killed} times, possibly for lack of memory; "
            "their work was repeated"
        )
    for path, reason in summary.failures[:SHOWN]:
        console.warn(f"unreadable: {path}: {reason}")
    if len(summary.failures) > SHOWN:
        more = len(summary.failures) - SHOWN
        console.warn(f"... and {more} more (status unreadable in the table)")
    if report.page is not None:
        say(f"see {report.page}")
