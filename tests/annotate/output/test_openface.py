"""OpenFace's table and the readers for R: what R scripts compute from them is true."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.transform import Rotation

from fkp.annotate.outcome import Annotated, Failure, Moment
from fkp.annotate.output.results import Output
from fkp.annotate.output.rows import Record
from fkp.annotate.output.sinks import TableFile
from fkp.keypoints import IBUG68, Faces
from fkp.vision.head import HEAD, Camera
from tests.faces68 import rotation
from tests.helpers import SAMPLES

CAMERA = Camera(fov=60)
POSE = [f"pose_{what}{axis}" for what in "TR" for axis in "xyz"]


def turn(who: float) -> "np.ndarray[Any, Any]":
    return rotation(-20 + 45 * who, 10 - 25 * who, 15)


def drawn_head(who: float) -> "np.ndarray[Any, Any]":
    """(68, 2): the mean head turned, as the camera shows it in 640 by 360 pixels."""
    space = HEAD @ turn(who).T + [40, -30, 800 + 100 * who]
    flat = space @ CAMERA.matrix(640, 360).T
    return np.asarray(flat[:, :2] / flat[:, 2:])


def faces_of(*points: "np.ndarray[Any, Any]") -> Faces:
    count = len(points)
    boxes, sure = np.zeros((count, 4), np.float32), np.ones((count, 68), np.float32)
    return Faces(IBUG68, boxes, np.ones(count, np.float32), np.array(points, np.float32), sure)


def finished(out: Path, found: list[Record]) -> None:
    """The results of a run that found this."""
    output = Output(IBUG68, also=("openface",), gallery=False, camera=CAMERA)
    with TableFile(output.table(out), output.rows) as table:
        for image, result in found:
            table.write(image, result)
    output.finish(out, str(out), 1)


def test_pose_and_solid_points_agree_with_what_was_drawn(tmp_path: Path) -> None:
    strange = np.random.default_rng(0).uniform(50, 250, (68, 2))  # which fits no head
    found: list[Record] = [
        ("two.jpg", Annotated(faces_of(drawn_head(0), drawn_head(1)), 640, 360)),
        ("none.jpg", Annotated(Faces.empty(IBUG68), 640, 480)),
        ("a.mp4", Annotated(faces_of(drawn_head(0)), 640, 360, "", Moment(7, 0.5), (3,), (True,))),
        ("broken.jpg", Failure("empty file (0 bytes)")),
        ("odd.jpg", Annotated(faces_of(strange), 640, 360)),
    ]
    finished(tmp_path, found)
    table = pd.read_csv(tmp_path / "openface.csv")
    assert list(table.columns[5:11]) == POSE
    assert list(table["success"]) == [1, 1, 0, 0, 0, 1]
    assert list(table["face_id"]) == [0, 1, 0, 3, 0, 0]
    assert (table.loc[[2, 4], POSE] == 0).all(axis=None)
    assert table.loc[5, POSE].isna().all()
    assert table["x_1"].to_numpy(float)[5] > 0
    solid = np.stack([table[[f"{a}_{i}" for i in range(68)]].to_numpy() for a in "XYZ"], -1)
    for row, who in ((0, 0), (1, 1), (3, 0)):  # seen = R head + T, R = Rx Ry Rz
        place, angles = table.loc[row, POSE].to_numpy(float).reshape(2, 3)
        about = Rotation.from_euler("XYZ", angles).as_matrix()
        expected = (HEAD - HEAD.mean(0)) @ about.T + place
        np.testing.assert_allclose(solid[row], expected, atol=1.5)
        flat = solid[row] @ CAMERA.matrix(640, 360).T
        np.testing.assert_allclose(flat[:, :2] / flat[:, 2:], drawn_head(who), atol=0.3)


needs_r = pytest.mark.skipif(shutil.which("Rscript") is None, reason="R is not installed")


def in_r(script: str, folder: Path) -> list[float]:
    """The numbers that an R script prints."""
    (folder / "script.R").write_text(script)
    done = subprocess.run(
        ["Rscript", "--vanilla", "script.R"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [float(word) for word in done.stdout.split()]


@needs_r
def test_scripts_for_openface_run_unchanged_in_r(tmp_path: Path) -> None:
    """As published scripts do: lines and columns by name, the camera by regression, the head's
    rotation undone, velocity of the head, a mouth in pixels.
    """
    found: list[Record] = [
        ("clip.mp4", Annotated(faces_of(drawn_head(0.1 * i)), 640, 360, "", moment, (0,), (False,)))
        for i, moment in ((i, Moment(i, i / 25)) for i in range(8))
    ]
    found.insert(3, ("clip.mp4", Annotated(Faces.empty(IBUG68), 640, 360, "", Moment(8, 8 / 25))))
    finished(tmp_path, found)
    printed = in_r(
        """
d <- read.table("openface.csv", h = TRUE, sep = ",")
focal <- lm(d$x_0 ~ I(d$X_0 / d$Z_0))$coefficients
good <- subset(d, success == 1 & confidence >= 0.8)
i <- 3
cs <- cos(as.numeric(good[i, c("pose_Rx", "pose_Ry", "pose_Rz")]))
sn <- sin(as.numeric(good[i, c("pose_Rx", "pose_Ry", "pose_Rz")]))
rx <- matrix(c(1, 0, 0, 0, cs[1], sn[1], 0, -sn[1], cs[1]), 3)
ry <- matrix(c(cs[2], 0, -sn[2], 0, 1, 0, sn[2], 0, cs[2]), 3)
rz <- matrix(c(cs[3], sn[3], 0, -sn[3], cs[3], 0, 0, 0, 1), 3)
at <- as.numeric(good[i, c("pose_Tx", "pose_Ty", "pose_Tz")])
chin <- as.numeric(good[i, c("X_8", "Y_8", "Z_8")])
upright <- t(rx %*% ry %*% rz) %*% (chin - at)
speed <- mean(abs(diff(good$pose_Ry * 180 / pi)))
mouth <- sqrt((good$x_54 - good$x_48)^2 + (good$y_54 - good$y_48)^2)[1]
cat(focal, nrow(good), upright, speed, mouth)
""",
        tmp_path,
    )
    matrix = CAMERA.matrix(640, 360)
    assert printed[:2] == pytest.approx([matrix[0, 2], matrix[0, 0]], rel=5e-3)
    assert printed[2] == 8
    assert printed[3:6] == pytest.approx(HEAD[8] - HEAD.mean(0), abs=1.5)
    angles = [Rotation.from_matrix(turn(0.1 * i)).as_euler("XYZ", degrees=True) for i in range(8)]
    assert printed[6] == pytest.approx(np.abs(np.diff(angles, axis=0))[:, 1].mean(), abs=0.1)
    mouth = drawn_head(0)[54] - drawn_head(0)[48]
    assert printed[7] == pytest.approx(np.hypot(*mouth), abs=0.1)


@needs_r
def test_the_reader_for_r_keeps_faces_apart_from_the_rest(tmp_path: Path) -> None:
    found: list[Record] = [
        ("it's #1.jpg", Annotated(faces_of(drawn_head(0), drawn_head(1)), 640, 360)),
        ("none.jpg", Annotated(Faces.empty(IBUG68), 640, 480)),
        ("broken.jpg", Failure("empty file (0 bytes)")),
    ]
    finished(tmp_path, found)
    reader = SAMPLES.parent / "examples" / "read_fkp.R"
    printed = in_r(
        f"""
source("{reader.as_posix()}")
all <- fkp_table(".")
faces <- fkp_faces(".")
points <- fkp_points(faces)
cat(nrow(all), nrow(faces), dim(points), points[2, "p30", ], sum(is.na(all$face)))
cat("", grepl("no such table", tryCatch(fkp_table("nowhere"), error = conditionMessage)) + 0)
""",
        tmp_path,
    )
    assert printed[:5] == [4, 2, 2, 68, 2]
    assert printed[5:7] == pytest.approx(drawn_head(1)[30], abs=1e-3)
    assert printed[7:] == [2, 1]
