"""Estimates of time, memory and disk for a large run over photos, from a trial on this machine."""

import math
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fkp.annotate.inputs import find_inputs
from fkp.api.network import CROPS
from fkp.api.runs import annotate
from fkp.errors import UsageError
from fkp.vision.images import Image, resized, write_image

PICTURES = 96
"""Pictures of a trial; a worker takes about a second for them."""
OVERLAYS = 8
"""How many of these are drawn."""

_JOB = re.compile(r"([\d.,_]+)\s*([kKMG]?)\s*(?:photos|pictures)?", re.ASCII)
_THOUSANDS = {"": 1, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9}


@dataclass(frozen=True, slots=True)
class Trial:
    """The result of a short run on this machine.

    what: describes the pictures. rates: pictures per second by number of workers. parent: CPU
    seconds of the parent process per picture. table, overlay: bytes per picture. process: maximum
    bytes of memory of a process. 0 means unknown.
    """

    what: str
    rates: dict[int, float]
    parent: float = 0.0
    table: float = 0.0
    overlay: float = 0.0
    process: float = 0.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run over `count` pictures on `cores` cores needs.

    rate: pictures per second. shards: into how many runs to split it for this rate, since one
    parent process writes all rows of a run. memory: maximum bytes; table, overlays: bytes on disk;
    0 means unknown.
    """

    count: int
    cores: int
    rate: float
    shards: int
    memory: float
    table: float
    overlays: float

    @property
    def hours(self) -> float:
        """The time it takes, in hours."""
        return self.count / self.rate / 3600


def count_of(job: str) -> int:
    """The number of pictures of a job such as `10M photos`; UsageError for anything else."""
    found = _JOB.fullmatch(job.strip())
    try:
        count = float(found[1].replace(",", "").replace("_", "")) if found else 0.0
    except ValueError:
        count = 0.0
    if not found or not 1 <= (count := count * _THOUSANDS[found[2]]) < 1e15:
        raise UsageError(f'plan: expected a number of photos, such as "10M photos", got {job}')
    return round(count)


def plan(trial: Trial, count: int, cores: int) -> Plan:
    """The plan for a job, assuming that every core works as fast as the one in the trial.

    The loss that the trial's second worker shows, from shared memory and caches, applies to all.
    """
    alone = trial.rates[1]
    kept = min(1.0, trial.rates[2] / (2 * alone)) if 2 in trial.rates else 1.0
    rate = alone * (cores * kept if cores > 1 else 1.0)
    shards = max(1, math.ceil(rate * trial.parent))
    processes = 1 if cores == 1 else cores + shards
    return Plan(
        count, cores, rate, shards, processes * trial.process, count * trial.table,
        count * trial.overlay,
    )  # fmt: skip


def try_photos(pictures: Path | None, cores: int) -> Trial:
    """A trial on up to PICTURES of a folder, or on synthetic portraits of 640x480.

    cores: of this machine; with two or more, two workers are tried as well. Raises DataError if
    the folder has no picture.
    """
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if pictures is None:
            paths, what = _portraits(work), f"{PICTURES} portraits of 640x480"
        else:
            paths = list(find_inputs([str(pictures)]).paths[:PICTURES])
            what = f"{len(paths)} pictures of {pictures}"
        out = work / "out"
        rates = {}
        parent = 0.0
        for jobs in (1, 2) if cores > 1 and len(paths) > 1 else (1,):
            # The first run starts the workers and reads the networks.
            annotate(paths[: 2 * jobs], out, jobs=jobs, overlays=False, overwrite=True)
            began = time.process_time()
            report = annotate(paths, out, jobs=jobs, overlays=False, overwrite=True)
            parent = (time.process_time() - began) / len(paths) if jobs > 1 else 0.0
            rates[jobs] = report.per_second
        table = (out / "keypoints.csv").stat().st_size / len(paths)
        drawn = paths[:OVERLAYS]
        annotate(drawn, out, jobs=1, overwrite=True)
        files = [path for path in (out / "overlays").rglob("*") if path.is_file()]
        overlay = sum(path.stat().st_size for path in files) / len(drawn)
    return Trial(what, rates, parent, table, overlay, _most_memory())


def _portraits(folder: Path) -> list[str]:
    """Pictures with one face each, made of the crops that come with fkp."""
    crops, rng = np.load(CROPS), np.random.default_rng(0)
    paths = []
    for i in range(PICTURES):
        path = folder / f"{i:03d}.jpg"
        write_image(path, _portrait(np.asarray(crops[i % len(crops)], np.uint8), rng))
        paths.append(str(path))
    return paths


def _portrait(crop: Image, rng: np.random.Generator) -> Image:
    """A crop (S, S) enlarged in the middle of a grainy picture (480, 640, 3)."""
    face = resized(np.repeat(crop[:, :, None], 3, axis=2), 336 / len(crop))
    picture = 128 + 4 * rng.standard_normal((480, 640, 3))
    top, left = (480 - face.shape[0]) // 2, (640 - face.shape[1]) // 2
    picture[top : top + face.shape[0], left : left + face.shape[1]] = face
    return picture.clip(0, 255).astype(np.uint8)


def _most_memory() -> float:
    """Peak memory of this process in bytes, 0 if unknown."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(most if sys.platform == "darwin" else 1024 * most)
