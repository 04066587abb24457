"""The functions and values that users import from `fkp`; its docstring shows how they fit
together."""

from fkp.api.aligning import align
from fkp.api.data import audit, convert, prepare
from fkp.api.hiding import hide
from fkp.api.network import Network, load
from fkp.api.results import Frame, Photo, events, minutes, to_frame
from fkp.api.runs import annotate, merge, people, symmetry, video
from fkp.api.training import benchmark, evaluate, resume_training, train

__all__ = [
    "Frame", "Network", "Photo", "align", "annotate", "audit", "benchmark", "convert", "evaluate",
    "events", "hide", "load", "merge", "minutes", "people", "prepare", "resume_training",
    "symmetry", "to_frame", "train", "video",
]  # fmt: skip
