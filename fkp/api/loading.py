"""Networks by name or file, each loaded once in a process."""

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from fkp.annotate.network import KeypointNetwork
from fkp.errors import DataError, ModelError
from fkp.learn.networks.devices import on_cpu
from fkp.learn.networks.exported import load_onnx
from fkp.learn.networks.names import BUNDLED, BUNDLED_ONNX, find_model

if TYPE_CHECKING:
    from fkp.learn.networks.checkpoint import Model


def load_once(model: str, device: str) -> KeypointNetwork:
    """The network of that name, once in each process: also in one on another machine.

    The bundled one runs without PyTorch on a CPU, as exported ones do.
    """
    if model == BUNDLED and on_cpu(device):
        return load_onnx(BUNDLED_ONNX)
    path = find_model(model)
    if path.suffix.lower() != ".onnx":
        return load_trained(path, device)
    if device not in ("auto", "cpu"):
        raise DataError(f"device {device}: {path} is an exported network, which runs on the cpu")
    return load_onnx(path)


def load_trained(path: Path, device: str) -> "Model":
    """The network of a checkpoint in PyTorch, once in each process; raises ModelError."""
    checkpoint = checkpoint_of(path)
    return _cached(checkpoint, device, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=2)
def _cached(path: Path, device: str, written: int) -> "Model":
    from fkp.learn.networks.checkpoint import load_model

    return load_model(path, device)


def checkpoint_of(path: Path) -> Path:
    """The path; raises ModelError if it is that of an exported network."""
    if path.suffix.lower() == ".onnx":
        raise ModelError(f"{path}: an exported network only annotates; give its checkpoint")
    return path
