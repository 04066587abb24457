"""Names of a run's files and folders, and of the pictures and videos that fkp writes."""

import os
from collections.abc import Collection

from fkp.errors import parse_json

OVERLAYS, CROPS, YOLO = "overlays", "crops", "yolo"
FACES = "faces"
"""Of align: the aligned pictures."""
RUN, JOURNAL = "run.json", "journal.jsonl"
OVERLAY, RAW = "overlay.mp4", "raw.csv"
EVENTS, MINUTES = "events.csv", "minutes.csv"
"""Of a clip: the video with the points drawn, the points before smoothing, events, and how often
they happen."""
PARTS = ".parts"
"""A clip's folder with what an unfinished run needs to resume."""

COPIES, FOUND, REVIEW = "copies", "found", "review"
HIDDEN_TABLE, FACE_TABLE = "hidden.csv", "hidden_faces.csv"
"""Of hide: the copies to publish, the tables of the faces found, pictures to check; a row per
input, and a row per face."""

OF_RUNS = frozenset({OVERLAYS, CROPS, YOLO, FACES, PARTS, OVERLAY, COPIES, REVIEW})
OF_TRAINING = frozenset({"curves.png", "lr.png", "val_worst.png", "val_best.png", "aug.png"})
OF_EVALUATION = frozenset({"ced.png", "calibration.png", "worst.png"})
OF_AUDIT = frozenset({"audit.png"})
"""The pictures, videos and folders of them that each command writes."""


def written_by_fkp(folder: str, names: Collection[str]) -> set[str]:
    """The names in a folder under which fkp itself wrote pictures or videos.

    Only a folder with fkp's tables counts: an unrelated folder `overlays` is input.
    """
    own: frozenset[str] = frozenset()
    if JOURNAL in names or (RUN in names and _is_run(os.path.join(folder, RUN))):
        own |= OF_RUNS
    if {"best.safetensors", "results.csv"} <= set(names):
        own |= OF_TRAINING
    if "audit.csv" in names:
        own |= OF_AUDIT
    if any(name.startswith("errors-") and name.endswith(".csv") for name in names):
        own |= OF_EVALUATION
    return set(own.intersection(names))


def _is_run(path: str) -> bool:
    """Whether fkp wrote this `run.json`."""
    try:
        with open(path, "rb") as file:
            facts = parse_json(file.read())
    except (OSError, ValueError):
        return False
    return isinstance(facts, dict) and {"identity", "statuses"} <= set(facts)
