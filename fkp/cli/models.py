"""Which network a user means."""

from pathlib import Path

import fkp

BUNDLED = "bundled"


def find_model(name: str) -> Path:
    """The file of a network: the package's own for `bundled`, else the path itself."""
    if name == BUNDLED:
        return Path(fkp.__file__).parent / "weights" / "keypoints68.safetensors"
    return Path(name)
