"""COFW (Burgos-Artizzu et al., ICCV 2013), and its 68 points (Ghiasi and Fowlkes, 2015)."""

from pathlib import Path
from typing import Any

import numpy as np

from fkp.errors import DataError
from fkp.keypoints import IBUG68, Scheme
from fkp.learn.evaluation.benchmarks.faces import CHIN_ALONE, FaceSet, Picture, Protocol
from fkp.learn.evaluation.benchmarks.files import find, needed, read_mat

TITLE, TITLE_68 = "COFW", "COFW-68"


def _mirror() -> tuple[int, ...]:
    order = list(range(29))
    pairs = [(0, 1), (2, 3), (4, 6), (5, 7), (8, 9), (10, 11), (12, 14), (13, 15), (16, 17)]
    for a, b in [*pairs, (18, 19), (22, 23)]:
        order[a], order[b] = b, a
    return tuple(order)


COFW29 = Scheme(
    name="cofw29",
    names=tuple(f"c{i}" for i in range(29)),
    flip_order=_mirror(),
    anchors=((16,), (17,), (20,), (22,), (23,)),
    outer_eyes=(8, 9),
)
"""The 29 points of COFW and LFPW in their order; 16 and 17 are the pupils, 28 the chin."""

PROTOCOL = Protocol(
    source="Burgos-Artizzu et al., ICCV 2013: by the distance of the pupils, failure rate at 10 %",
    norms=("pupil", "outer"),
    limits=(0.10,),
    counts={"test": 507},
)
PROTOCOL_68 = Protocol(
    source="Ghiasi and Fowlkes, arXiv 1506.08347, 2015: by the distance of the eye centres",
    norms=("pupil", "outer", "box"),
    limits=(0.10,),
    counts={"test": 507},
)


def read_cofw(folder: Path) -> list[FaceSet]:
    """`COFW_test_color.mat`, and the 68 points of `test_annotations/*_points.mat` if available.

    IsT holds the pictures, phisT (507, 87) 29 x, 29 y and 29 occlusion flags. The 68 points have a
    file per picture, with Points (68, 2) and Occ (1, 68). Pixels count from 1, as in MATLAB.
    """
    path = needed(folder, TITLE, "COFW_test_color.mat", "COFW_test.mat")
    found = read_mat(path, "IsT", "phisT")
    cells, shapes = np.asarray(found["IsT"]).reshape(-1), np.asarray(found["phisT"], np.float64)
    if shapes.shape != (len(cells), 87):
        raise DataError(f"{path}: expected phisT ({len(cells)}, 87), got {shapes.shape}")
    pictures = [_picture(path, cell) for cell in cells]
    points = shapes[:, :58].reshape(-1, 2, 29).swapaxes(1, 2) - 1
    everyone = {"test": np.ones(len(cells), bool)}
    sets = [
        FaceSet(
            TITLE, COFW29, pictures, points, everyone, PROTOCOL, shapes[:, 58:] == 1,
            mean_box=CHIN_ALONE,
        )
    ]  # fmt: skip
    first = find(folder, "1_points.mat")
    if first is not None:
        sets.append(_read_68(first.parent, pictures))
    return sets


def _picture(path: Path, cell: Any) -> Picture:
    """A cell of IsT, gray or RGB, as gray or BGR."""
    image = np.asarray(cell)
    if image.dtype != np.uint8 or image.ndim not in (2, 3):
        raise DataError(f"{path}: expected uint8 pictures in IsT, got {image.dtype} {image.shape}")
    return image if image.ndim == 2 else np.ascontiguousarray(image[..., ::-1])


def _read_68(folder: Path, pictures: list[Picture]) -> FaceSet:
    points, covered = [], []
    for number in range(1, len(pictures) + 1):
        path = folder / f"{number}_points.mat"
        if not path.exists():
            raise DataError(f"{path}: file not found; expected one per picture")
        found = read_mat(path, "Points", "Occ")
        shape, flags = np.asarray(found["Points"], np.float64), np.asarray(found["Occ"]).reshape(-1)
        if shape.shape != (68, 2) or len(flags) != 68:
            raise DataError(f"{path}: expected Points (68, 2) and Occ (68), got {shape.shape}")
        points.append(shape - 1)
        covered.append(flags == 1)
    everyone = {"test": np.ones(len(pictures), bool)}
    return FaceSet(
        TITLE_68, IBUG68, pictures, np.array(points), everyone, PROTOCOL_68, np.array(covered)
    )
