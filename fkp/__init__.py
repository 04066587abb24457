"""Facial keypoints: labelled faces in, a network out; photos in, tables of keypoints out.

`fkp.load`, `fkp.train` and `fkp.evaluate` are described in `fkp.api`.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fkp.api import Network, evaluate, load, train

__version__ = "0.1.0"
__all__ = ["Network", "__version__", "evaluate", "load", "train"]


def __getattr__(name: str) -> Any:
    # Only when it is used: torch takes seconds.
    if name in ("Network", "evaluate", "load", "train"):
        return getattr(importlib.import_module("fkp.api"), name)
    raise AttributeError(f"module fkp has no attribute {name}")
