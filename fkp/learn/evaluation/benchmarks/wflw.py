"""WFLW (Wu et al., Look at Boundary, CVPR 2018)."""

from pathlib import Path

import numpy as np

from fkp.errors import LabelError
from fkp.labels.reading import read_source
from fkp.labels.table import ReadOptions
from fkp.learn.evaluation.benchmarks.faces import FaceSet, Protocol
from fkp.learn.evaluation.benchmarks.files import needed

TITLE = "WFLW"
LIST = "list_98pt_rect_attr_test.txt"
SUBSETS = {
    "large pose": "pose", "expression": "expression", "illumination": "illumination",
    "make-up": "make_up", "occlusion": "occlusion", "blur": "blur",
}  # fmt: skip
"""Subsets in the papers' order, with the attribute that is 1 in each."""

PROTOCOL = Protocol(
    source="Wu et al., CVPR 2018; AUC and failure rate at 10 %",
    norms=("outer",),
    limits=(0.10,),
    counts={
        "test": 2500, "large pose": 326, "expression": 314, "illumination": 698, "make-up": 206,
        "occlusion": 736, "blur": 773,
    },
)  # fmt: skip


def read_wflw(folder: Path) -> list[FaceSet]:
    """`WFLW_annotations/.../list_98pt_rect_attr_test.txt` and the pictures in `WFLW_images`.

    The six attributes of each line define the subsets. Pixels count from 0.
    """
    path = needed(folder, TITLE, LIST)
    images = needed(folder, TITLE, "WFLW_images")
    table = read_source(path, ReadOptions(images=images), "wflw")
    if table.rejected:
        raise LabelError(str(table.rejected[0]))
    names = table.images or []
    subsets = {"test": np.ones(len(names), bool)}
    for name, attribute in SUBSETS.items():
        chosen = np.array(table.other[attribute]) == "1"
        if chosen.any():
            subsets[name] = chosen
    pictures = [images / name for name in names]
    return [FaceSet(TITLE, table.scheme, pictures, table.points, subsets, PROTOCOL)]
