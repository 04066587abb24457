"""Where the networks are that are called by name."""

from pathlib import Path

import fkp

BUNDLED = "bundled"

WEIGHTS = Path(fkp.__file__).parent / "weights"

BUNDLED_ONNX = WEIGHTS / "keypoints68.onnx"
"""The bundled network as `fkp.bundled.onnx` writes it, for CPUs without PyTorch."""


def find_model(name: str) -> Path:
    """The file of a network: the path itself, or for `bundled` the one that comes with fkp."""
    return WEIGHTS / "keypoints68.safetensors" if name == BUNDLED else Path(name)
