"""Head pose end to end: rendered faces of known pose, found and measured by fkp.

    python -m tests.benchmarks.pose canonical_face_model.obj PICTURES --peers PYTHON [--keep FOLDER]

canonical_face_model.obj: MediaPipe's canonical head (Apache-2.0, modules/face_geometry/data).
PICTURES: a folder of frontal portraits. --peers: the Python of an environment with
mediapipe==0.10.21, which says where the vertices of the mesh lie in each portrait. Each portrait
is put on the canonical head as its texture, with its surroundings as a sheet that falls back behind
it, turned, and drawn in perspective. So the truth is the canonical head's, not a network's.
"""

import argparse
import itertools
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

import fkp
from fkp.vision.head import Camera, head_pose
from fkp.vision.images import Image
from tests.faces68 import rotation

Array = npt.NDArray[np.float64]

SIZE, AWAY = 640, 650.0
"""Side of the pictures in pixels; millimetres from the camera to the middle of the head."""

RINGS = ((1.2, 12.0), (1.5, 45.0), (2.2, 110.0), (4.0, 160.0))
"""Around the face, as multiples of its outline: how far behind the outline, millimetres."""

OUTLINE = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Vertices around the face, in order."""

FRONTAL = 8.0
"""Degrees of yaw and of roll in a portrait, by its mesh, above which it is not taken."""

MESHES = """
import sys, cv2, numpy as np, mediapipe as mp
found = []
with mp.solutions.face_mesh.FaceMesh(static_image_mode=True, max_num_faces=1) as net:
    for name in sys.argv[2:]:
        image = cv2.imread(name)
        seen = net.process(cv2.cvtColor(image, cv2.COLOR_BGR2RGB)).multi_face_landmarks
        size = np.array([image.shape[1], image.shape[0], image.shape[1]])
        points = [[p.x, p.y, p.z] for p in seen[0].landmark] if seen else np.full((468, 3), np.nan)
        found.append(np.array(points) * size)
np.save(sys.argv[1], np.array(found))
"""


def read_head(path: Path) -> tuple[Array, npt.NDArray[np.int64]]:
    """Vertices (468, 3) in the frame of `fkp.vision.head`, millimetres, and triangles (T, 3)."""
    lines = [line.split() for line in path.read_text().splitlines()]
    vertices = np.array([line[1:4] for line in lines if line[:1] == ["v"]], float)
    faces = [[int(v.split("/")[0]) - 1 for v in line[1:4]] for line in lines if line[:1] == ["f"]]
    return vertices * [10, -10, -10], np.array(faces)


def surrounded(
    head: Array, triangles: npt.NDArray[np.int64], mesh: Array
) -> tuple[Array, Array, npt.NDArray[np.int64]]:
    """Vertices (V, 3), their places in the portrait (V, 2), and triangles, with the sheet."""
    outline = list(OUTLINE)
    middle, centre = head[outline].mean(0), mesh[outline].mean(0)
    vertices, places, sheet = [head], [mesh], []
    before, n = np.array(outline), len(outline)
    for ring, (out, back) in enumerate(RINGS):
        around = middle + out * (head[outline] - middle)
        around[:, 2] = head[outline, 2] + back
        vertices.append(around)
        places.append(centre + out * (mesh[outline] - centre))
        now = len(head) + ring * n + np.arange(n)
        ahead, then = np.roll(before, -1), np.roll(now, -1)
        sheet += [np.stack([before, ahead, now], 1), np.stack([ahead, then, now], 1)]
        before = now
    return np.concatenate(vertices), np.concatenate(places), np.concatenate([*sheet, triangles])


def render(
    portrait: Image, vertices: Array, places: Array, triangles: npt.NDArray[np.int64], turn: Array
) -> Image:
    """The head (V, 3) with its texture, turned, before the default camera; far triangles first."""
    camera = Camera().matrix(SIZE, SIZE)
    space = vertices @ turn.T + [0, 0, AWAY]
    flat = (space[:, :2] / space[:, 2:] * camera[0, 0] + camera[:2, 2]).astype(np.float32)
    image = np.full((SIZE, SIZE, 3), portrait.mean((0, 1)), np.uint8)
    source = places.astype(np.float32)
    for triangle in triangles[np.argsort(-space[triangles, 2].mean(1))]:
        to = flat[triangle]
        (a, b), (c, d) = to[1] - to[0], to[2] - to[0]
        (e, f), (g, h) = source[triangle][1:] - source[triangle][0]
        if (a * d - b * c) * (e * h - f * g) <= 0:  # its back
            continue
        x0, y0 = np.maximum(np.floor(to.min(0)).astype(int) - 1, 0)
        x1, y1 = np.minimum(np.ceil(to.max(0)).astype(int) + 2, SIZE)
        if x1 <= x0 or y1 <= y0:
            continue
        corner = np.array([x0, y0], np.float32)
        warp = cv2.getAffineTransform(source[triangle], to - corner)
        size = (int(x1 - x0), int(y1 - y0))
        piece = cv2.warpAffine(portrait, warp, size, borderMode=cv2.BORDER_REPLICATE)
        mask = np.zeros(size[::-1], np.uint8)
        cv2.fillConvexPoly(mask, np.round((to - corner) * 16).astype(np.int32), 1, shift=4)
        image[y0:y1, x0:x1][mask > 0] = piece[mask > 0]
    return image


def portraits(folder: Path, peers: str, most: int) -> list[tuple[Image, Array]]:
    """Frontal portraits, and where the mesh (468, 2) lies in each."""
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".jpg", ".webp"))
    paths = paths[:: max(1, len(paths) // (3 * most))]
    with tempfile.TemporaryDirectory() as temporary:
        file = Path(temporary) / "mesh.npy"
        command = [peers, "-c", MESHES, str(file), *map(str, paths)]
        subprocess.run(command, check=True, capture_output=True)
        meshes = np.load(file)
    found = []
    for path, mesh in zip(paths, meshes, strict=True):
        across = mesh[263] - mesh[33]  # from the outer corner of the right eye to that of the left
        lean, turn = np.degrees(np.arctan2(across[1:], across[0]))
        image = cv2.imread(str(path))
        if image is not None and max(abs(lean), abs(turn)) < FRONTAL:
            found.append((np.asarray(image, np.uint8), mesh[:, :2]))
    return found[:most]


def main() -> None:
    """Print mean errors by yaw and by pitch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("head", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--peers", required=True)
    parser.add_argument("--faces", type=int, default=12)
    parser.add_argument("--keep", type=Path, help="leave the pictures here")
    given = parser.parse_args()
    head, triangles = read_head(given.head)
    network, camera = fkp.load(), Camera().matrix(SIZE, SIZE)
    errors: dict[tuple[int, int], list[Array]] = defaultdict(list)
    missed = 0
    for n, (portrait, mesh) in enumerate(portraits(given.pictures, given.peers, given.faces)):
        vertices, places, every = surrounded(head, triangles, mesh)
        for yaw, pitch in itertools.product(range(-40, 41, 20), range(-20, 21, 10)):
            image = render(portrait, vertices, places, every, rotation(yaw, pitch, 0))
            if given.keep:
                cv2.imwrite(str(given.keep / f"{n:02d}_{yaw}_{pitch}.jpg"), image)
            faces = network.annotate(image)
            if not len(faces):
                missed += 1
                continue
            found = head_pose(faces.points[0], camera)[:3]
            errors[yaw, pitch].append(found - [yaw, pitch, 0])
    every_error = np.concatenate(list(errors.values()))
    print(f"{len(every_error)} pictures, {missed} faces not found, degrees")
    print(
        "mean absolute error: yaw {:.1f} pitch {:.1f} roll {:.1f}".format(*abs(every_error).mean(0))
    )
    for which, name in enumerate(("yaw", "pitch")):
        for value in sorted({key[which] for key in errors}):
            own = np.concatenate([e for key, e in errors.items() if key[which] == value])
            print(
                f"{name} {value:4}: mean absolute error {abs(own[:, which]).mean():4.1f}, "
                f"mean error {own[:, which].mean():5.1f}"
            )


if __name__ == "__main__":
    main()
