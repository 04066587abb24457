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
from fkp.cli import console
from fkp.errors import FkpError
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
@console.talk_options
def doctor_command() -> int:
    """Show what is installed, which devices and detectors there are, and time the bundled networks.

    Exits with 1 and instructions if something that fkp needs does not work.

    \b
    fkp doctor
    """
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
    model, detector = network.model, network.detector
    assert detector is not None
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (480, 640, 3)).astype(np.uint8)
    crops = rng.integers(0, 256, (64, model.size, model.size)).astype(np.uint8)
    seconds = _each(lambda: detector.detect(picture))
    console.say(f"detector: {1000 * seconds:.1f} ms per picture of 640x480")
    seconds = _each(lambda: model.predict(crops)) / len(crops)
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
