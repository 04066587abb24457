"""Facial keypoints: labelled faces in, a network out; photos and videos in, tables of points out.

import fkp

network = fkp.load()                          # the bundled network and face detector
faces = network.annotate("photo.jpg")         # or an array, BGR
print(faces.points[0], faces.confidence[0])   # (68, 2), (68,)
faces.draw().shape, faces.to_frame()          # drawn into the photo; as a table

for photo in network.photos("photos/"):       # many files, in several processes
    print(photo.path, photo.status, len(photo.faces))
for frame in network.video("clip.mp4"):       # each face keeps its number
    print(frame.time, frame.faces.numbers)
table = fkp.to_frame(network.photos("photos/"))

network = fkp.train("data.csv", "runs/mine", epochs=20)
print(network.evaluate("data.csv").scores.nme)

fkp.annotate("photos/", "results/", resume=True)   # whole runs, as the commands make them
fkp.hide("photos/", "hidden/")                     # copies in which faces are hidden

`fkp.annotate` is the function; modules are imported as `from fkp.annotate.x import y`.
"""

import importlib
from typing import TYPE_CHECKING, Any

import fkp.annotate as _room  # now: imported later, it would hide the function of that name

if TYPE_CHECKING:
    from fkp.api import (
        Frame,
        Network,
        Photo,
        align,
        annotate,
        audit,
        benchmark,
        convert,
        evaluate,
        events,
        hide,
        load,
        merge,
        minutes,
        people,
        prepare,
        resume_training,
        symmetry,
        to_frame,
        train,
        video,
    )
    from fkp.errors import (
        DataError,
        FkpError,
        ImageError,
        LabelError,
        ModelError,
        NoPicturesError,
        UndecidedError,
        UsageError,
    )
    from fkp.keypoints import SCHEMES, Face, Faces, Scheme
    from fkp.vision.detect import Detections, FaceDetector

__version__ = "0.1.0"

_HOMES = {
    "fkp.api": (
        "Frame", "Network", "Photo", "align", "annotate", "audit", "benchmark", "convert",
        "evaluate", "events", "hide", "load", "merge", "minutes", "people", "prepare",
        "resume_training", "symmetry", "to_frame",
        "train", "video",
    ),
    "fkp.errors": (
        "DataError", "FkpError", "ImageError", "LabelError", "ModelError", "NoPicturesError",
        "UndecidedError", "UsageError",
    ),
    "fkp.keypoints": ("SCHEMES", "Face", "Faces", "Scheme"),
    "fkp.vision.detect": ("Detections", "FaceDetector"),
}  # fmt: skip

__all__ = [
    "SCHEMES",
    "DataError",
    "Detections",
    "Face",
    "FaceDetector",
    "Faces",
    "FkpError",
    "Frame",
    "ImageError",
    "LabelError",
    "ModelError",
    "Network",
    "NoPicturesError",
    "Photo",
    "Scheme",
    "UndecidedError",
    "UsageError",
    "__version__",
    "align",
    "annotate",
    "audit",
    "benchmark",
    "convert",
    "evaluate",
    "events",
    "hide",
    "load",
    "merge",
    "minutes",
    "people",
    "prepare",
    "resume_training",
    "symmetry",
    "to_frame",
    "train",
    "video",
]

del annotate, _room


def __getattr__(name: str) -> Any:
    # Imported on first use: torch takes seconds.
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(home), name)
    raise AttributeError(f"module fkp has no attribute {name}")


def __dir__() -> list[str]:
    return __all__
