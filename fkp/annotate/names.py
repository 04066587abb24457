"""What the files and folders of a run are called, and which pictures and videos fkp writes."""

import os
from collections.abc import Collection

from fkp.errors import parse_json

OVERLAYS, CROPS, YOLO = "overlays", "crops", "yolo"
RUN, JOURNAL = "run.json", "journal.jsonl"
OVERLAY, RAW = "overlay.mp4", "raw.csv"
EVENTS, MINUTES = "events.csv", "minutes.csv"
"""Of a clip: the video with the points drawn, the points before smoothing, what eyes and mouths do,
and how often."""
PARTS = ".parts"
"""Of a clip: what an unfinished run needs to be resumed."""

OF_RUNS = frozenset({OVERLAYS, CROPS, YOLO, PARTS, OVERLAY})
OF_TRAINING = frozenset({"curves.png", "lr.png", "val_worst.png", "val_best.png", "aug.png"})
OF_EVALUATION = frozenset({"ced.png", "calibration.png", "worst.png"})
OF_AUDIT = frozenset({"audit.png"})
"""Pictures, videos and folders of these that each command writes."""


def written_by_fkp(folder: str, names: Collection[str]) -> set[str]:
    """Those of the names in a folder under which fkp wrote pictures or videos of its own.

    The tables beside them tell: an `overlays` of someone else's is nobody's result.
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
