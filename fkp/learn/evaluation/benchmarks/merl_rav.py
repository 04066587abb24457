"""MERL-RAV: AFLW with 68 points and their visibility (Kumar et al., LUVLi, CVPR 2020)."""

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.keypoints import IBUG68
from fkp.learn.evaluation.benchmarks.faces import FaceSet, Picture, Protocol
from fkp.learn.evaluation.benchmarks.files import needed, points_of
from fkp.vision.images import is_image_name

Array = npt.NDArray[np.float64]

TITLE = "MERL-RAV"
POSES = {
    "frontal": ("frontal",),
    "half profile": ("lefthalf", "righthalf"),
    "profile": ("left", "right"),
}
"""The folders of each subset."""

PROTOCOL = Protocol(
    source="Kumar et al., CVPR 2020: NME by the box and AUC at 7 %",
    norms=("box",),
    limits=(0.07, 0.10),
    counts={"all": 3865, "frontal": 2195, "half profile": 601, "profile": 1069},
)


def read_merl_rav(folder: Path) -> list[FaceSet]:
    """The `testset` parts of `merl_rav_organized`, or of `merl_rav_labels` with AFLW's pictures.

    A point at (-1, -1) is hidden by the face itself and not labelled; one with two negative
    coordinates is covered, and its label is their absolute values. Pictures are beside the `.pts`
    files, or anywhere below the folder under AFLW's name (`image00019_2.pts` is the second face in
    `image00019.jpg`). The authors do not say whether pixels count from 0 or 1; as in their code,
    they count from 0.
    """
    labels = needed(folder, TITLE, "merl_rav_organized", "merl_rav_labels", "frontal/testset")
    labels = labels.parents[1] if labels.name == "testset" else labels
    files, poses = [], []
    for pose in (name for parts in POSES.values() for name in parts):
        found = sorted((labels / pose / "testset").rglob("*.pts"))
        files += found
        poses += [pose] * len(found)
    if not files:
        raise DataError(f"{labels}: expected .pts files in frontal/testset, left/testset and so on")
    known: dict[str, Path] = {}
    pictures: list[Picture] = []
    for path in files:
        picture = next(
            (p for p in path.parent.glob(f"{path.stem}.*") if is_image_name(p.name)), None
        )
        if picture is None:
            known = known or {p.stem: p for p in folder.rglob("*") if is_image_name(p.name)}
            picture = known.get(path.stem) or known.get(re.sub(r"_\d+$", "", path.stem))
        if picture is None:
            raise DataError(
                f"{path}: there is no picture of that name beside it, nor below {folder}"
            )
        pictures.append(picture)
    raw = np.array([points_of(path, 68) for path in files])
    points, covered = decode(raw)
    subsets = {"all": np.ones(len(files), bool)}
    for name, parts in POSES.items():
        chosen = np.isin(poses, parts)
        if chosen.any():
            subsets[name] = chosen
    return [FaceSet(TITLE, IBUG68, pictures, points, subsets, PROTOCOL, covered)]


def decode(raw: Array) -> tuple[Array, npt.NDArray[np.bool_]]:
    """Points (N, 68, 2), NaN where the face itself hides them, and which (N, 68) are covered."""
    unlabelled = (raw == -1).all(-1)
    covered = (raw < 0).all(-1) & ~unlabelled
    points = np.where(covered[..., None], -raw, raw)
    return np.where(unlabelled[..., None], np.nan, points), covered
