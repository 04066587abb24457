"""AFLW2000-3D (Zhu et al., Face Alignment Across Large Poses: A 3D Solution, CVPR 2016)."""

from pathlib import Path

import numpy as np

from fkp.errors import DataError
from fkp.keypoints import IBUG68
from fkp.learn.evaluation.benchmarks.faces import FaceSet, Picture, Protocol
from fkp.learn.evaluation.benchmarks.files import needed, read_mat

TITLE = "AFLW2000-3D"
BINS = {"yaw 0-30": (0, 30), "yaw 30-60": (30, 60), "yaw 60-90": (60, 360)}

PROTOCOL = Protocol(
    source="Zhu et al., CVPR 2016: NME of 68 points by the box of the labels, by yaw, and the mean "
    "of the three; pose errors: Ruiz et al., CVPR Workshops 2018",
    norms=("box",),
    limits=(0.10,),
    counts={"all": 2000},
)


def read_aflw2000(folder: Path) -> list[FaceSet]:
    """Pictures `image*.jpg`, each with a `.mat` file of `pt3d_68` (3, 68) and `Pose_Para` (1, 7).

    x and y of the points are used; pixels count from 1, as in MATLAB. Pose_Para starts with pitch,
    yaw and roll in radians. Hidden points are labelled as well, as all points come from a 3D model.
    """
    place = needed(folder, TITLE, "image*.mat").parent
    pictures: list[Picture] = []
    points, angles = [], []
    for path in sorted(place.glob("image*.mat")):
        picture = path.with_suffix(".jpg")
        if not picture.exists():
            raise DataError(f"{path}: there is no {picture.name} beside it")
        found = read_mat(path, "pt3d_68", "Pose_Para")
        shape, pose = np.asarray(found["pt3d_68"]), np.asarray(found["Pose_Para"])
        if shape.shape != (3, 68) or pose.size < 3:
            raise DataError(
                f"{path}: expected pt3d_68 (3, 68) and Pose_Para (1, 7), got {shape.shape} and "
                f"{pose.shape}"
            )
        pictures.append(picture)
        points.append(shape[:2].T.astype(np.float64) - 1)
        angles.append(np.degrees(pose.reshape(-1)[:3].astype(np.float64)))
    turned = np.array(angles)
    yaw = np.abs(turned[:, 1])
    subsets = {"all": np.ones(len(yaw), bool)}
    for name, (low, high) in BINS.items():
        chosen = (yaw <= high) & ((yaw > low) if low else True)
        if chosen.any():
            subsets[name] = chosen
    return [FaceSet(TITLE, IBUG68, pictures, np.array(points), subsets, PROTOCOL, angles=turned)]
