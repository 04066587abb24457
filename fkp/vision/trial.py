"""A network in ONNX from a stranger, tried out in a process of its own before it is used."""

import os
import subprocess
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from fkp.errors import ModelError
from fkp.vision.onnx import CropsOnnx
from fkp.vision.process import limit_memory
from fkp.vision.yunet import YuNet

Kind = Literal["face detector", "keypoint network"]

SECONDS = 30.0
"""Time limit of a trial with a few pictures."""

MEMORY = 16 << 30
"""Limit of a trial's address space in bytes."""

SIZES = ((32, 32), (64, 96), (480, 640), (640, 480))
"""Heights and widths of the trial pictures for a network that takes any size."""


@lru_cache(maxsize=16)
def try_out(model: Path, kind: Kind = "face detector") -> None:
    """Raise ModelError if a file is not such a network, or if it fails, loops or fills memory."""
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (package, os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-P", "-m", "fkp.vision.trial", str(model.absolute()), kind]
    with tempfile.TemporaryDirectory() as elsewhere:
        try:
            done = subprocess.run(
                command, timeout=SECONDS, cwd=elsewhere, capture_output=True, check=False,
                stdin=subprocess.DEVNULL, env={**os.environ, "PYTHONPATH": path},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"{model}: took more than {SECONDS:.0f} s for a few small pictures; expected a "
                f"{kind}"
            ) from error
    if done.returncode == 3:
        raise ModelError(done.stdout.decode("utf-8", "replace").strip())
    if done.returncode != 0:
        raise ModelError(f"{model}: crashes or needs too much memory on a few small pictures")


def main(path: str, kind: str) -> int:
    """Load the network and run it on a few pictures; returns 3, after a message, if that fails."""
    limit_memory(MEMORY)
    rng = np.random.default_rng(0)
    try:
        if kind == "keypoint network":
            _see_crops(CropsOnnx(Path(path)), rng)
        else:
            _see_pictures(YuNet(Path(path)), rng)
    except ModelError as error:
        sys.stdout.buffer.write(str(error).encode("utf-8", "surrogateescape"))
        return 3
    return 0


def _see_pictures(network: YuNet, rng: np.random.Generator) -> None:
    for height, width in SIZES if network.sides is None else (network.sides,):
        network.find(rng.integers(0, 256, (height, width, 3), np.uint8), 0.5)


def _see_crops(network: CropsOnnx, rng: np.random.Generator) -> None:
    for count in (1, 8):
        network.run(rng.integers(0, 256, (count, network.size, network.size), np.uint8))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
