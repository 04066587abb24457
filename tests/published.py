"""Tiny copies of published sets, file by file as they are distributed."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import numpy.typing as npt
import scipy.io

Array = npt.NDArray[np.float64]


def face68() -> Array:
    """68 points whose norms are round: 100 px between the outer eye corners, 60 between the eye
    centres, and a box of 200 x 200.
    """
    face = np.full((68, 2), 150.0)
    face[[0, 16, 8]] = (50, 60), (250, 60), (150, 260)
    face[36:42], face[42:48] = (120, 100), (180, 100)
    face[[36, 39, 42, 45]] = (100, 100), (140, 100), (160, 100), (200, 100)
    return face


def write_picture(path: Path, image: npt.NDArray[np.uint8] | None = None) -> None:
    """A picture; gray and empty, if none is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blank = np.full((300, 300, 3), 128, np.uint8)
    assert cv2.imwrite(str(path), blank if image is None else image)


def write_pts(path: Path, points: Array) -> None:
    """A `.pts` file, and a picture beside it if there is none."""
    lines = "".join(f"{x:.6f} {y:.6f}\n" for x, y in points)
    if not path.with_suffix(".png").exists():
        write_picture(path.with_suffix(".png"))
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}}}\n")


def write_300w(folder: Path, faces: Mapping[str, Array]) -> None:
    """One face (68, 2) in pixels from 0 for each of iBUG's folders, whose files count from 1."""
    for part, face in faces.items():
        write_pts(folder / part / "image_0001.pts", face + 1)


def write_wflw(folder: Path, faces: Sequence[Array], attributes: Sequence[str]) -> None:
    """Faces (98, 2), each in a picture, with their six attributes."""
    lines = []
    for i, (face, flags) in enumerate(zip(faces, attributes, strict=True)):
        name = f"0--Parade/{i}.png"
        write_picture(folder / "WFLW_images" / name)
        numbers = " ".join(f"{v:.6f}" for v in face.reshape(-1))
        lines.append(f"{numbers} 50 60 250 260 {flags} {name}\n")
    place = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
    place.mkdir(parents=True)
    (place / "list_98pt_rect_attr_test.txt").write_text("".join(lines))


def write_cofw(
    folder: Path, images: Sequence[npt.NDArray[np.uint8]], faces: Array, covered: Array
) -> None:
    """COFW_test_color.mat, MATLAB 7.3: pictures (H, W, 3) RGB or (H, W), faces (N, 29, 2)."""
    folder.mkdir(parents=True, exist_ok=True)
    shapes = np.concatenate([faces[..., 0] + 1, faces[..., 1] + 1, covered], axis=1)
    path = folder / "COFW_test_color.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_dataset("IsT", (1, len(images)), h5py.ref_dtype)
        for i, image in enumerate(images):
            cells[0, i] = file.create_dataset(f"#refs#/{i}", data=image.T).ref
        file["phisT"] = shapes.T
        file["bboxesT"] = np.zeros((4, len(images)))
    with path.open("r+b") as header:
        header.write(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM")


def write_cofw68(folder: Path, faces: Array, covered: Array) -> None:
    """The files of cofw68-benchmark: faces (N, 68, 2) from 0, covered (N, 68)."""
    place = folder / "cofw68-benchmark" / "COFW68_Data" / "test_annotations"
    place.mkdir(parents=True)
    for i, (face, flags) in enumerate(zip(faces, covered, strict=True), start=1):
        values = {"Points": face + 1, "Occ": flags[None]}
        scipy.io.savemat(place / f"{i}_points.mat", values)


def write_aflw2000(folder: Path, faces: Sequence[Array], angles: Sequence[Sequence[float]]) -> None:
    """Faces (68, 2) from 0, angles pitch, yaw, roll in degrees."""
    for i, (face, turned) in enumerate(zip(faces, angles, strict=True)):
        write_picture(folder / f"image{i:05d}.jpg")
        shape = np.concatenate([face.T + 1, np.zeros((1, 68))])
        pose = np.concatenate([np.radians(turned), [150, 150, 0, 0.001]])[None]
        scipy.io.savemat(folder / f"image{i:05d}.mat", {"pt3d_68": shape, "Pose_Para": pose})


def cells(values: Sequence[Any]) -> npt.NDArray[np.object_]:
    """A column of MATLAB's cells."""
    column = np.empty((len(values), 1), object)
    for i, value in enumerate(values):
        column[i, 0] = value
    return column


def write_wider(
    folder: Path,
    events: Mapping[str, Mapping[str, Array]],
    counted: Mapping[str, Mapping[str, Sequence[int]]],
    images: Mapping[str, npt.NDArray[np.uint8]] | None = None,
) -> None:
    """Events of pictures with boxes (B, 4) xywh; counted: by setting and picture, the numbers of
    the faces that count, from 1.
    """
    truth = folder / "eval_tools" / "ground_truth"
    truth.mkdir(parents=True)
    names = {
        "event_list": cells(list(events)),
        "file_list": cells([cells(list(pictures)) for pictures in events.values()]),
        "face_bbx_list": cells([cells(list(p.values())) for p in events.values()]),
    }
    scipy.io.savemat(truth / "wider_face_val.mat", names)
    for setting, kept in counted.items():
        lists = [
            cells([np.array(kept[name], float).reshape(-1, 1) for name in pictures])
            for pictures in events.values()
        ]
        scipy.io.savemat(truth / f"wider_{setting}_val.mat", {"gt_list": cells(lists), **names})
    for event, pictures in events.items():
        for name in pictures:
            path = folder / "WIDER_val" / "images" / event / f"{name}.jpg"
            write_picture(path, (images or {}).get(name))
