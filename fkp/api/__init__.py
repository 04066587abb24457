"""The functions and values that users import from `fkp`; its docstring shows how they fit
together."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fkp.api.aligning import align
    from fkp.api.data import audit, convert, prepare
    from fkp.api.hiding import hide
    from fkp.api.network import Network, load
    from fkp.api.results import Frame, Photo, events, minutes, to_frame
    from fkp.api.runs import annotate, merge, people, symmetry, video
    from fkp.api.training import benchmark, evaluate, resume_training, train

_HOMES = {
    "aligning": ("align",),
    "data": ("audit", "convert", "prepare"),
    "hiding": ("hide",),
    "network": ("Network", "load"),
    "results": ("Frame", "Photo", "events", "minutes", "to_frame"),
    "runs": ("annotate", "merge", "people", "symmetry", "video"),
    "training": ("benchmark", "evaluate", "resume_training", "train"),
}

__all__ = [
    "Frame", "Network", "Photo", "align", "annotate", "audit", "benchmark", "convert", "evaluate",
    "events", "hide", "load", "merge", "minutes", "people", "prepare", "resume_training",
    "symmetry", "to_frame", "train", "video",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Only when it is used: training imports PyTorch, which annotation can do without.
    for module, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"fkp.api.{module}"), name)
    raise AttributeError(f"module fkp.api has no attribute {name}")
