"""`fkp hide`."""

from pathlib import Path
from typing import Any

import click

from fkp import api
from fkp.annotate.hide.config import LOW, PADDING, START
from fkp.annotate.hide.run import HideReport
from fkp.cli import console
from fkp.cli.options import (
    batch_option,
    det_size_option,
    detail_network,
    detector_model_option,
    device_option,
    is_off,
    jobs_option,
    max_pixels_option,
    model_option,
)
from fkp.vision.covering import METHODS

SHOWN = 10

RISK = "faces that were not found are still visible: look at every copy before you publish it"


@click.command("hide")
@click.argument("inputs", nargs=-1, required=True)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("hidden"),
    show_default=True,
    help="The folder for the results; publish only its copies/.",
)
@click.option(
    "--with",
    "method",
    type=click.Choice(METHODS),
    default="mosaic",
    show_default=True,
    help="fill: black; mask: black, only the hull of the points.",
)
@click.option(
    "--padding",
    type=click.FloatRange(0, 2),
    default=PADDING,
    show_default=True,
    help="Margin around each face, as a share of its size.",
)
@click.option(
    "--min-score",
    type=click.FloatRange(0, 1, min_open=True),
    default=LOW,
    show_default=True,
    help="Hide faces with at least this score.",
)
@click.option(
    "--start-score",
    type=click.FloatRange(0, 1, min_open=True),
    default=START,
    show_default=True,
    help="In clips, hide only faces that reach this score in any frame.",
)
@click.option(
    "--keep",
    multiple=True,
    metavar="PICTURE|N",
    help="Leave clear the people in this picture, or face N of a single photo or clip; repeatable.",
)
@click.option(
    "--corrections",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE",
    help="A CSV or JSON file of boxes and faces to hide or to leave clear.",
)
@click.option("--no-sound", "sound", is_flag=True, callback=is_off, help="Leave out the sound.")
@click.option(
    "--metadata", is_flag=True, help="Keep EXIF and tags (date, place, camera), but no thumbnails."
)
@model_option
@device_option
@detector_model_option
@det_size_option
@click.option(
    "--min-face",
    type=click.FloatRange(0),
    default=0,
    help="Leave faces with a smaller box visible, in pixels; a large photo is searched at the "
    "scale that faces of this size need.",
)
@max_pixels_option
@batch_option
@jobs_option
@click.option(
    "--no-paths",
    "paths",
    is_flag=True,
    callback=is_off,
    help="Leave absolute paths out of run.json.",
)
@click.option("--overwrite", is_flag=True, help="Replace the copies of an earlier run.")
@click.option("--resume", is_flag=True, help="Continue a run that was stopped.")
@console.talk_options
def hide_command(inputs: tuple[str, ...], **given: Any) -> int:
    """Write copies of photos and clips (files, folders, globs) in which faces are hidden.

    Writes copies/ (same size, format and quality, without metadata), hidden.csv (a row per input),
    hidden_faces.csv (a row per face), and index.html with everything that a person should check.
    Faces that are not found stay visible.

    \b
    fkp hide photos/ clip.mp4 --out hidden/
    fkp hide interview.mp4 --keep interviewer.jpg --with blur --no-sound
    fkp hide photos/ --corrections corrections.csv --overwrite
    """
    detail_network(given["model"])
    with console.reader_may_leave(), console.progress("hide") as progress:
        report = api.hide(inputs, progress=progress, say=console.say, **given)
        _print(report)
        return report.exit_code
    return 0


def _print(report: HideReport) -> None:
    say, counts = console.say, report.statuses
    if report.finished_before:
        say(f"{report.folder}: this run is already finished")
    else:
        copied = counts.get("ok", 0) + counts.get("no_face", 0)
        say(
            f"{copied} copies of {report.inputs} inputs in {report.seconds:.1f} s: "
            f"{report.hidden} faces hidden, {report.clear} left clear, "
            f"{counts.get('no_face', 0)} inputs without a face"
        )
    if report.skipped:
        say(f"skipped {report.skipped} files that are neither photos nor clips")
    for note in report.search:
        say(note)
    for note, count in list(report.notes.items())[:SHOWN]:
        say(f"{count} inputs: {note}")
    for path, reason in report.failures[:SHOWN]:
        console.warn(f"no copy: {path}: {reason}")
    if len(report.failures) > SHOWN:
        console.warn(f"... and {len(report.failures) - SHOWN} more (see hidden.csv)")
    if report.to_check:
        say(f"{report.to_check} to check: see {report.page}")
    say(RISK)
