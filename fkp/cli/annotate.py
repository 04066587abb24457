"""`fkp annotate`."""

import os
import platform
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import click
import numpy as np

from fkp import __version__
from fkp.annotate.faces import MIN_SCORE
from fkp.annotate.inputs import Inputs, find_inputs, read_list
from fkp.annotate.inputs import shard as take_shard
from fkp.annotate.journal import Journal, fingerprint
from fkp.annotate.merge import SHARD
from fkp.annotate.pipeline import AnnotateConfig, Summary, annotate
from fkp.annotate.results import (
    OVERLAYS,
    RUN,
    TABLES,
    TableFile,
    TableStream,
    claim_folder,
    is_finished,
    unreadable_in,
    write_run,
)  # fmt: skip
from fkp.annotate.rows import FORMATS, Rows
from fkp.annotate.stages import Overlay
from fkp.cli import console
from fkp.cli.models import BUNDLED, DETECTORS, find_detector, find_model
from fkp.keypoints import SCHEMES
from fkp.learn.checkpoint import Model, load_model
from fkp.learn.devices import single_thread
from fkp.vision.detect import WEIGHTS, FaceDetector
from fkp.vision.images import MAX_PIXELS

SHOWN = 10

DECIDING = (
    "scheme", "detector", "det_size", "min_score", "min_face", "max_faces", "confidence", "batch",
    "device", "form", "no_overlays", "overlay_size", "max_pixels",
)  # fmt: skip
"""Options that the results depend on."""


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
    type=click.Choice(sorted(FORMATS)),
    default="csv",
    show_default=True,
    help="Of the rows; jsonl is an object a line.",
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
@click.option("--no-overlays", is_flag=True, help="Draw no pictures.")
@click.option(
    "--overlay-size",
    callback=_overlay_size,
    metavar="PIXELS|full",
    default="1600",
    show_default=True,
    help="Long side of the drawn pictures at most, pixels; full: as they are.",
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
def annotate_command(
    inputs: tuple[str, ...],
    out: Path,
    form: str,
    model: str,
    scheme: str | None,
    detector: str,
    detector_model: Path | None,
    det_size: int,
    min_score: float,
    min_face: float,
    max_faces: int | None,
    confidence: bool,
    jobs: int | None,
    batch: int,
    device: str,
    no_overlays: bool,
    overlay_size: int,
    max_pixels: int,
    overwrite: bool,
    resume: bool,
    shard: tuple[int, int],
    null: bool,
) -> int:
    """Find the faces and their keypoints in pictures: files, folders, globs, or - for stdin.

    Writes keypoints.csv (a row a face, and one for each input without), overlays/ and run.json.

    \b
    fkp annotate photos/ --out results/
    fkp annotate faces/ --detector none --model runs/data-lecture/best.safetensors
    """
    network = load_model(find_model(model), device)
    finder = find_detector(detector, detector_model, det_size, min_face)
    wanted = SCHEMES[scheme] if scheme else network.scheme
    network.scheme.convert(np.zeros((len(network.scheme), 2)), wanted)  # raises before any work
    streams = str(out) == "-"
    _check_resume(resume, overwrite, streams)
    everything = find_inputs(_expand(inputs, null), exclude=None if streams else out)
    found = take_shard(everything, *shard)
    config = AnnotateConfig(
        scheme=wanted,
        min_score=min_score,
        max_faces=max_faces or 0,
        jobs=max(1, min(jobs or os.cpu_count() or 1, len(found.paths))),
        batch=batch,
        overlays=None if no_overlays or streams else out / OVERLAYS,
        overlay=Overlay(overlay_size, max_pixels),
        max_pixels=max_pixels,
    )
    if config.jobs > 1:
        single_thread()
    rows = FORMATS[form](wanted, confidence)
    if streams:
        return _to_stream(found, network, finder, config, rows)
    claim_folder(out, overwrite, resume)
    if resume and is_finished(out):
        console.say(f"{out}: is finished already")
        return 3 if unreadable_in(out) else 0
    identity = _identity(everything, find_model(model), detector_model)
    return _to_folder(out, found, network, finder, config, rows, identity)


def _check_resume(resume: bool, overwrite: bool, streams: bool) -> None:
    if resume and overwrite:
        raise click.UsageError("--overwrite starts again, --resume goes on: which is it?")
    if resume and streams:
        raise click.UsageError("what went to stdout cannot be resumed")


def _to_stream(
    found: Inputs,
    network: Model,
    detector: FaceDetector | None,
    config: AnnotateConfig,
    rows: Rows,
) -> int:
    """Rows to stdout as they are ready; all else to stderr."""
    started = time.perf_counter()
    try:
        table = TableStream(sys.stdout.buffer, rows)
        with console.progress("annotate") as progress:
            summary = annotate(found, network, detector, config, progress, table)
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    _print(found, summary, time.perf_counter() - started, console.warn)
    return 3 if summary.failures else 0


def _to_folder(
    out: Path,
    found: Inputs,
    network: Model,
    detector: FaceDetector | None,
    config: AnnotateConfig,
    rows: Rows,
    identity: dict[str, object],
) -> int:
    """Table, overlays and run.json, with a journal."""
    started, when = time.perf_counter(), datetime.now(UTC)
    journal = Journal.resume(out, identity)
    path = out / TABLES[rows.suffix]
    if journal.past.done:
        console.say(f"going on after {journal.past.done} of {len(found.paths)} inputs")
    try:
        with (
            console.progress("annotate") as bar,
            TableFile(path, rows, journal.past.bytes) as table,
        ):
            summary = annotate(found, network, detector, config, bar, table, journal)
    except KeyboardInterrupt:
        console.warn(f"interrupted; --resume goes on, the rows so far are in {path}.part")
        raise
    seconds = time.perf_counter() - started
    facts = {**_facts(found, summary, seconds), "started": when.isoformat(timespec="seconds")}
    write_run(out / RUN, {**facts, "identity": identity})
    journal.finish()
    _print(found, summary, seconds, console.say)
    pictures = f" and {config.overlays}/" if config.overlays else ""
    console.say(f"look at {path}{pictures}")
    return 3 if summary.failures else 0


def _identity(found: Inputs, model: Path, detector_model: Path | None) -> dict[str, object]:
    """What must be the same for a stopped run to go on with the same bytes at its end."""
    given = click.get_current_context().params
    paths = fingerprint(*(os.fsencode(path) for path in found.paths))
    files = [path.read_bytes() for path in (model, detector_model or WEIGHTS)]
    return {
        "fkp": __version__,
        "inputs": f"{len(found.paths)} files ({paths})",
        SHARD: "{}/{}".format(*given["shard"]),
        "model file": fingerprint(files[0]),
        "detector file": fingerprint(files[1]),
        **{f"--{name.replace('_', '-')}": given[name] for name in DECIDING},
    }


def _facts(found: Inputs, summary: Summary, seconds: float) -> dict[str, object]:
    """What `run.json` says of any run."""
    return {
        "fkp": __version__,
        "python": platform.python_version(),
        "arguments": sys.argv[1:],
        "folder": os.getcwd(),
        "inputs": len(found.paths),
        "statuses": dict(summary.statuses),
        "faces": summary.faces,
        "passed_over": found.passed_over,
        "seconds": {k: round(v, 3) for k, v in {**summary.seconds, "total": seconds}.items()},
        "images_per_second": round(len(found.paths) / seconds, 2),
    }


def _expand(inputs: tuple[str, ...], null: bool) -> list[str]:
    expanded: list[str] = []
    for item in inputs:
        if item == "-":
            expanded += read_list(sys.stdin.buffer.read(), b"\0" if null else b"\n")
        else:
            expanded.append(item)
    return expanded


def _print(found: Inputs, summary: Summary, seconds: float, say: Callable[[str], None]) -> None:
    n = len(found.paths)
    counts = summary.statuses
    say(
        f"{n} pictures in {seconds:.1f} s ({n / seconds:.1f} a second): {summary.faces} faces in "
        f"{counts['ok']}, {counts['no_face']} without a face, {counts['unreadable']} unreadable"
    )
    if found.passed_over:
        say(f"{found.passed_over} files in folders are not pictures by name: passed over")
    for path, reason in summary.failures[:SHOWN]:
        console.warn(f"unreadable: {path}: {reason}")
    if len(summary.failures) > SHOWN:
        console.warn(
            f"... and {len(summary.failures) - SHOWN} more (status unreadable in the table)"
        )
