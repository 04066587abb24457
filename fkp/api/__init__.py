"""The functions and values that users import from `fkp`; its docstring shows how they fit
together."""

from fkp.api.aligning import align
from fkp.api.data import audit, convert, prepare
from fkp.api.hiding import hide
from fkp.api.network import Network, load
from fkp.api.results import Frame, Photo, to_frame
from fkp.api.runs import annotate, merge, people, video
from fkp.api.training import benchmark, evaluate, resume_training, train

__all__ = [
    "Frame", "Network", "Photo", "align", "annotate", "audit", "benchmark", "convert", "evaluate",
    "hide", "load", "merge", "people", "prepare", "resume_training", "to_frame", "train", "video",
]  # fmt: skip
