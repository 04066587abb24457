"""Which network and which face detector a user means."""

from functools import lru_cache
from pathlib import Path

from fkp.cli import console
from fkp.errors import FkpError
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.vision.detect import FaceDetector, YuNetDetector
from fkp.vision.haar import HaarDetector

DETECTORS = ("fkp", "haar", "none")


@lru_cache(maxsize=2)
def load_named(name: str, device: str) -> Model:
    """The network of that name, once in each process: also in one on another machine."""
    path = find_model(name)
    model = load_model(path, device)
    console.detail(f"network: {path} ({model.architecture}, {len(model.scheme)} points)")
    return model


def find_detector(
    name: str, model: Path | None = None, det_size: int = 640, min_face: float = 0
) -> FaceDetector | None:
    """The detector of that name, None for `none`."""
    if model is not None and name != "fkp":
        raise FkpError(f"--detector-model goes with --detector fkp, not with {name}")
    if name == "none":
        return None
    if name == "haar":
        return HaarDetector(det_size=det_size, min_face=min_face)
    return YuNetDetector(model, det_size=det_size, min_face=min_face)
