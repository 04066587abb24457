"""The functions and values that users import from `fkp`; its docstring shows how they fit
together."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fkp.api.data import audit, convert, prepare
    from fkp.api.network import Network, load
    from fkp.api.results import Frame, Photo, to_frame
    from fkp.api.runs import annotate, merge, video
    from fkp.api.training import benchmark, evaluate, resume_training, train

_HOMES = {
    "data": ("audit", "convert", "prepare"),
    "network": ("Network", "load"),
    "results": ("Frame", "Photo", "to_frame"),
    "runs": ("annotate", "merge", "video"),
    "training": ("benchmark", "evaluate", "resume_training", "train"),
}

__all__ = [
    "Frame", "Network", "Photo", "annotate", "audit", "benchmark", "convert", "evaluate", "load",
    "merge", "prepare", "resume_training", "to_frame", "train", "video",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Only when it is used: training imports PyTorch, which annotation can do without.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"fkp.api.{module}"), name)
    raise AttributeError(f"module fkp.api has no attribute {name}")
