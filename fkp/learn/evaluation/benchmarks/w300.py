"""300-W (Sagonas et al., ICCV Workshops 2013; Image and Vision Computing 47, 2016)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import IBUG68
from fkp.learn.evaluation.benchmarks.faces import FaceSet, Picture, Protocol
from fkp.learn.evaluation.benchmarks.files import find, labelled_pictures

TITLE = "300-W"
PARTS = {
    "common": ("helen/testset", "lfpw/testset"),
    "challenging": ("ibug",),
    "full": ("helen/testset", "lfpw/testset", "ibug"),
    "test": ("01_Indoor", "02_Outdoor"),
}
"""The folders of each subset."""

PROTOCOL = Protocol(
    source="Sagonas et al., ICCV Workshops 2013 and Image and Vision Computing 47, 2016; subsets "
    "and inter-pupil norm: Ren et al., CVPR 2014",
    norms=("outer", "pupil", "box"),
    limits=(0.08, 0.10),
    counts={"common": 554, "challenging": 135, "full": 689, "test": 600},
)


def read_300w(folder: Path) -> list[FaceSet]:
    """The folders helen, lfpw, ibug, 01_Indoor and 02_Outdoor: pictures with `.pts` files.

    Any of them may be missing; a subset is scored if all of its folders are there. iBUG counts
    pixels from 1. Training parts and mirrored copies (`*_mirror.*`) are not used.
    """
    pictures: list[Picture] = []
    points: list[npt.NDArray[np.float64]] = []
    rows: dict[str, list[int]] = {}
    for part in dict.fromkeys(p for parts in PARTS.values() for p in parts):
        place = find(folder, part)
        if place is None:
            continue
        here = [(p, f) for p, f in labelled_pictures(place) if not p.stem.endswith("_mirror")]
        rows[part] = list(range(len(pictures), len(pictures) + len(here)))
        pictures += [picture for picture, _ in here]
        points += [face - 1 for _, face in here]
    subsets = {}
    for name, parts in PARTS.items():
        if all(rows.get(part) for part in parts):
            chosen = np.zeros(len(pictures), bool)
            chosen[[row for part in parts for row in rows[part]]] = True
            subsets[name] = chosen
    if not subsets:
        wanted = "; ".join(f"{name}: {', '.join(parts)}" for name, parts in PARTS.items())
        raise DataError(
            f"{folder}: expected iBUG's folders of pictures with .pts files ({wanted}), here or "
            f"below; found {', '.join(part for part, found in rows.items() if found) or 'none'}"
        )
    return [FaceSet(TITLE, IBUG68, pictures, np.array(points), subsets, PROTOCOL)]
