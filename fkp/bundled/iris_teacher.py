"""Irises by MediaPipe's face mesh (Apache-2.0), the labels of `fkp.bundled.iris`.

    PYTHON fkp/bundled/iris_teacher.py build/weights/faces.csv build/weights/iris.csv

PYTHON is one of an environment with mediapipe==0.10.21, and need not have fkp; `faces.csv` is what
`fkp.bundled.make` prepares from the sets. A fixed sample of faces is labelled: the mean over each
picture and its mirror image, with their disagreement.
"""

import argparse
import csv
import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import mediapipe
import numpy as np
import numpy.typing as npt

FACES = {"portraits": 2600, "fairface": 1900, "ytf68": 1000, "faces68": 500}
"""How many faces of each set are labelled."""

PADDING = 0.4
"""Border added to each picture, as a share of its side: the mesh's own detector misses faces that
fill a picture."""

NEAR = 0.08
"""Distance of an eye corner of the mesh from the labelled one, in outer-eye distances, above which
the mesh lies on something else."""

Array = npt.NDArray[np.float64]

CORNERS = (33, 133, 362, 263)  # of the mesh, as points 36, 39, 42 and 45
BESIDE = 0.0044
"""How far right and down of the truth the mesh lies, in outer-eye distances: half of what a picture
and its mirror image differ by sideways, taken for both directions."""

RIGHT, LEFT = 468, 473  # each a centre and four points around it
MIRRORED = [2, 3, 0, 1]  # the corners of a mirror image


def sample(table: Path, seed: int = 0) -> list[dict[str, str]]:
    """The rows of the faces to label, the same ones each time."""
    sets = defaultdict(list)
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            sets[Path(row["source"]).stem].append(row)
    chosen = []
    for name, count in FACES.items():
        random.Random(seed).shuffle(sets[name])
        chosen += sets[name][:count]
    return chosen


def corners(row: dict[str, str]) -> Array:
    """The eye corners (4, 2) of a row, in pixels of its picture."""
    a, b, x, y = (float(row[f"crop_{name}"]) for name in ("a", "b", "tx", "ty"))
    points = [[float(row[f"p{k}_{axis}"]) for axis in "xy"] for k in (36, 39, 42, 45)]
    inverse = np.array([[a, b], [-b, a]]) / (a * a + b * b)
    return np.asarray((np.array(points) - (x, y)) @ inverse.T)


def meshed(net: Any, image: npt.NDArray[np.uint8]) -> Array | None:
    """The points (478, 2) of the mesh in a BGR picture, in its pixels; None without a face."""
    height, width = image.shape[:2]
    border = round(PADDING * max(height, width))
    padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)
    found = net.process(cv2.cvtColor(padded, cv2.COLOR_BGR2RGB)).multi_face_landmarks
    if not found:
        return None
    size = np.array([padded.shape[1], padded.shape[0]])
    points = np.array([[p.x, p.y] for p in found[0].landmark])
    points = points * size - border
    outer = np.linalg.norm(points[CORNERS[0]] - points[CORNERS[-1]])
    return np.asarray(points - BESIDE * outer)


def irises(mesh: Array) -> Array:
    """(2, 3): x, y and radius of the right and the left iris."""
    found = []
    for first in (RIGHT, LEFT):
        around = np.linalg.norm(mesh[first + 1 : first + 5] - mesh[first], axis=1)
        found.append([*mesh[first], around.mean()])
    return np.array(found)


def label(net: Any, row: dict[str, str]) -> list[float] | None:
    """x, y, radius and disagreement of both irises; None where the mesh does not fit the face."""
    image = np.asarray(cv2.imread(row["image"]), np.uint8)
    expected = corners(row)
    across = math.dist(expected[0], expected[3])
    views = []
    for mirror in (False, True):
        mesh = meshed(net, image[:, ::-1].copy() if mirror else image)
        if mesh is None:
            return None
        eyes, own = irises(mesh), mesh[list(CORNERS)]
        if mirror:
            last = image.shape[1] - 1
            eyes, own = eyes[::-1].copy(), own[::-1].copy()
            eyes[:, 0], own[:, 0] = last - eyes[:, 0], last - own[:, 0]
        if np.linalg.norm(own - expected, axis=1).max() > NEAR * across:
            return None
        views.append(eyes)
    mean = np.mean(views, axis=0)
    apart = np.abs(views[0] - views[1])
    spread = np.maximum(np.hypot(apart[:, 0], apart[:, 1]), apart[:, 2]) / across
    return [value for eye, far in zip(mean, spread, strict=True) for value in (*eye, far)]


def main() -> None:
    """Label the sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faces", type=Path, help="the data set of fkp.bundled.make")
    parser.add_argument("out", type=Path)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    names = [f"{side}_{what}" for side in ("right", "left") for what in ("x", "y", "r", "spread")]
    rows = sample(given.faces)
    with (
        given.out.open("w", newline="", encoding="utf-8") as file,
        mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=1, refine_landmarks=True
        ) as net,
    ):
        table = csv.writer(file)
        table.writerow(["image", "source_row", *names])
        for row in rows:
            found = label(net, row)
            if found is not None:
                cells = [f"{value:.4f}" for value in found]
                table.writerow([row["image"], row["source_row"], *cells])
                file.flush()


if __name__ == "__main__":
    main()
