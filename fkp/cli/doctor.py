"""`fkp doctor`: what is installed, which devices there are, and how fast they are."""

import importlib.metadata
import os
import platform
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np

import fkp
from fkp import __version__, api
from fkp.api.plan import Trial, count_of, plan, try_photos
from fkp.cli import console
from fkp.errors import FkpError, UsageError
from fkp.labels.cache import cache_folder
from fkp.learn.networks.devices import describe_devices, pick_device
from fkp.vision.haar import HaarDetector

NEEDED = (
    "torch", "numpy", "opencv-python-headless", "onnxruntime", "av", "pandas", "scipy", "joblib",
    "safetensors", "matplotlib", "click", "rich", "filelock",
)  # fmt: skip
EXTRAS = {
    "heif": "pillow-heif", "parquet": "pyarrow", "onnx": "onnx", "dask": "distributed",
    "tensorboard": "tensorboard",
}  # fmt: skip

SECONDS = 0.5
"""For each of the two networks."""


@click.command("doctor")
@click.option(
    "--plan",
    "job",
    metavar="JOB",
    help='Estimate time, memory and disk that fkp annotate needs for a job: "10M photos".',
)
@click.option(
    "--cores", type=click.IntRange(1), help="For --plan: CPU cores.  [default: this machine's]"
)
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR",
    help="For --plan: time some of these pictures.  [default: portraits of 640x480]",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="N",
    help="For --plan: pictures per second of one worker, instead of timing any.",
)
@console.talk_options
def doctor_command(
    job: str | None, cores: int | None, images: Path | None, rate: float | None
) -> int:
    """Show what is installed, list devices and detectors, and time the bundled networks.

    If something that fkp needs does not work, says what to do and exits with 1. With --plan,
    estimates instead what a large job needs, from a trial of a few seconds on this machine.

    \b
    fkp doctor
    fkp doctor --plan "10M photos" --cores 64
    """
    if job is not None:
        _plan(job, cores or os.cpu_count() or 1, images, rate)
        return 0
    if cores or images or rate:
        raise UsageError("--cores, --images and --rate need --plan")
    problems: list[str] = []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if _posix() else 0
    console.say(f"fkp {__version__} in {Path(fkp.__file__).parent}")
    console.say(
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}, "
        f"{os.cpu_count()} CPUs" + (f", {memory / 2**30:.0f} GB" if memory else "")
    )
    console.say("installed: " + ", ".join(f"{name} {_version(name) or '?'}" for name in NEEDED))
    for extra, package in EXTRAS.items():
        version = _version(package)
        have = f"{package} {version}" if version else f"no; pip install 'fkp[{extra}]'"
        console.say(f"  extra {extra}: {have}")
    console.say(f"devices: {', '.join(describe_devices())}; auto is {pick_device('auto')}")
    console.say(f"detectors: fkp (bundled), {_haar()}, none")
    for what, folder in (("here", Path.cwd()), ("cache", cache_folder())):
        problem = _unwritable(folder)
        console.say(f"{what}: {folder}" + (f": {problem}" if problem else ""))
    try:
        _time_networks()
    except FkpError as error:
        problems.append(f"{error}; reinstall fkp")
    for problem in problems:
        console.warn(f"problem: {problem}")
    if not problems:
        console.say("everything works")
    return 1 if problems else 0


def _plan(job: str, cores: int, images: Path | None, rate: float | None) -> None:
    """Print what a job needs."""
    count = count_of(job)
    if rate is not None:
        trial = Trial("", {1: rate})
    else:
        trial = try_photos(images, os.cpu_count() or 1)
        console.say(f"timed on this machine: {trial.what}")
        rows = [[str(jobs), f"{each:.1f}"] for jobs, each in trial.rates.items()]
        console.table(["workers", "pictures/s"], rows)
        console.say()
    found = plan(trial, count, cores)
    console.say(f"{count:,} pictures on {cores} cores, without overlays:")
    console.say(f"  time: {_duration(found.hours)} ({found.rate:,.0f} pictures per second)")
    if found.memory:
        console.say(f"  memory: {_size(found.memory)} at most, {_size(trial.process)} per process")
    if found.table:
        console.say(f"  disk: {_size(found.table)} for keypoints.csv")
        console.say(f"  overlays would need {_size(found.overlays)} more, and more time")
    if found.shards > 1:
        console.say(
            f"  split it into {found.shards} parallel runs (--shard 1/{found.shards}, ...):"
        )
        console.say("  the process that writes the rows limits a single run")


def _duration(hours: float) -> str:
    if hours >= 48:
        return f"{hours / 24:.1f} days"
    return f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"


def _size(count: float) -> str:
    for unit, least in (("TB", 1e12), ("GB", 1e9)):
        if count >= least:
            return f"{count / least:.1f} {unit}"
    return f"{count / 1e6:.1f} MB"


def _posix() -> bool:
    return hasattr(os, "sysconf")


def _version(package: str) -> str:
    """The version, "" if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _haar() -> str:
    try:
        HaarDetector()
    except FkpError as error:
        return f"no haar ({error})"
    return "haar"


def _unwritable(folder: Path) -> str:
    """Why the folder is not writable, "" if it is."""
    while not folder.exists():
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return f"not writable: {(error.strerror or str(error)).lower()}"


def _time_networks() -> None:
    network = api.load()
    points, detector = network.keypoints, network.detector
    assert detector is not None
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (480, 640, 3)).astype(np.uint8)
    crops = rng.integers(0, 256, (64, points.size, points.size)).astype(np.uint8)
    least = np.zeros(len(crops), np.float32)
    seconds = _each(lambda: detector.detect(picture))
    console.say(f"detector: {1000 * seconds:.1f} ms per picture of 640x480")
    seconds = _each(lambda: points.predict(crops, len(crops), least)) / len(crops)
    console.say(f"network: {1000 * seconds:.2f} ms per face, in batches of {len(crops)}")


def _each(run: Callable[[], object]) -> float:
    """The median of the seconds that a call takes, over half a second of calls."""
    run()  # warm up
    taken: list[float] = []
    while sum(taken) < SECONDS:
        started = time.perf_counter()
        run()
        taken.append(time.perf_counter() - started)
    return float(np.median(taken))
