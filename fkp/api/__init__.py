"""The functions and values that users import from `fkp`, which says how they fit together."""

from fkp.api.data import audit, convert, prepare
from fkp.api.network import Network, load
from fkp.api.results import Frame, Photo, events, minutes, to_frame
from fkp.api.runs import annotate, merge, symmetry, video
from fkp.api.training import benchmark, evaluate, resume_training, train

__all__ = [
    "Frame", "Network", "Photo", "annotate", "audit", "benchmark", "convert", "evaluate", "events",
    "load", "merge", "minutes", "prepare", "resume_training", "symmetry", "to_frame", "train",
    "video",
]  # fmt: skip
