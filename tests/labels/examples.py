"""A small sound source of each label format, about the same drawn faces."""

import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.output.datasets import YoloFolder
from fkp.annotate.output.parquet import write_parquet
from fkp.annotate.output.rows import Columns
from fkp.annotate.output.text import JsonRows
from fkp.annotate.output.tool_rows import OpenFaceRows
from fkp.keypoints import FKP4, IBUG68, KAGGLE15, MTFL5, WFLW98, Faces, Scheme
from tests.helpers import write_course, write_kaggle, write_pictures

COUNT = 4
SIDE = 128

Points = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Example:
    """A source, and what is in it: points (N, K, 2) of a scheme. ragged: some are missing."""

    path: Path
    scheme: Scheme
    points: Points


def picture_names(count: int = COUNT) -> list[str]:
    """The pictures of `write_pictures`."""
    return [f"pictures/Ann_{chr(97 + i // 2)}_{i % 2:04d}.png" for i in range(count)]


def five_points(four: Points) -> Points:
    """The points of MTFL (N, 5, 2) from those of the course (N, 4, 2)."""
    left, right, nose, mouth = four.transpose(1, 0, 2)
    wide = np.array([SIDE / 9, 0])
    five: Points = np.array([right, left, nose, mouth - wide, mouth + wide])
    return five.transpose(1, 0, 2)


def many_points(four: Points, scheme: Scheme) -> Points:
    """(N, K, 2) points of a larger scheme: about their anchors, or around the face."""
    angles = np.linspace(0, 2 * np.pi, len(scheme), endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], -1)
    points: Points = np.asarray(four.mean(1)[:, None] + SIDE / 3 * circle)
    for group, place in zip(scheme.anchors, five_points(four).transpose(1, 0, 2), strict=True):
        around = circle[list(group)] - circle[list(group)].mean(0)
        points[:, list(group)] = place[:, None] + 4 * around
    return points


def write_csv(path: Path, rows: Sequence[Sequence[object]]) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    return path


def write_json(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def write_lines(path: Path, lines: Sequence[Sequence[object]]) -> Path:
    path.write_text("".join(" ".join(map(str, line)) + "\n" for line in lines))
    return path


def kaggle(folder: Path) -> Example:
    points = write_kaggle(folder / "training.csv", COUNT, size=48, empty=0)
    return Example(folder / "training.csv", KAGGLE15, points)


def course(folder: Path) -> Example:
    points = write_course(folder, COUNT, unit=False)
    return Example(folder / "labels.csv", FKP4, points)


def paths(folder: Path) -> Example:
    return Example(folder / "labels.csv", FKP4, write_pictures(folder, COUNT))


def mtfl(folder: Path) -> Example:
    five = five_points(write_pictures(folder, COUNT))
    lines = [[n, *p[:, 0], *p[:, 1]] for n, p in zip(picture_names(), five, strict=True)]
    return Example(write_lines(folder / "training.txt", lines), MTFL5, five)


def plain_list(folder: Path) -> Example:
    five = five_points(write_pictures(folder, COUNT))
    lines = [
        [name, *p.min(0), *(np.ptp(p, axis=0)), *p.reshape(-1)]
        for name, p in zip(picture_names(), five, strict=True)
    ]
    return Example(write_lines(folder / "list.txt", lines), MTFL5, five)


def celeba(folder: Path) -> Example:
    five = five_points(write_pictures(folder, COUNT)).round()
    names = ["lefteye", "righteye", "nose", "leftmouth", "rightmouth"]
    header = [f"{name}_{axis}" for name in names for axis in "xy"]
    lines = [
        [Path(name).name, *p.astype(int).reshape(-1)]
        for name, p in zip(picture_names(), five, strict=True)
    ]
    path = write_lines(folder / "list_landmarks_celeba.txt", [[COUNT], header, *lines])
    return Example(path, MTFL5, five)


def retinaface(folder: Path) -> Example:
    five = five_points(write_pictures(folder, COUNT))
    lines: list[list[object]] = []
    for name, p in zip(picture_names(), five, strict=True):
        triples = [v for x, y in p for v in (x, y, 0.0)]
        lines += [["#", name], [10, 10, 90, 90, *triples, 0.9]]
    return Example(write_lines(folder / "label.txt", lines), MTFL5, five)


def wflw(folder: Path) -> Example:
    points = many_points(write_pictures(folder, COUNT), WFLW98)
    lines = [
        [*p.reshape(-1), 1, 2, 90, 90, 0, 1, 0, 0, 1, 0, name]
        for name, p in zip(picture_names(), points, strict=True)
    ]
    return Example(write_lines(folder / "list_98pt_rect_attr_train.txt", lines), WFLW98, points)


def openface(folder: Path) -> Example:
    points = many_points(write_pictures(folder, COUNT), IBUG68).round(1)
    rows: list[list[object]] = [
        [
            *("frame", " face_id", " timestamp", " confidence", " success", " gaze_0_x"),
            *(" gaze_0_y", " gaze_0_z", " pose_Tx", " pose_Ty"),
            *(f" {axis}_{i}" for axis in "xy" for i in range(68)),
            *(f" {axis}_{i}" for axis in "XYZ" for i in range(68)),
            "file",
        ]
    ]
    for i, (name, p) in enumerate(zip(picture_names(), points, strict=True)):
        rows.append(
            [i + 1, 0, 0, 0.98, 1, 0.1, 0.2, -0.9, 5, 6, *p.T.reshape(-1), *[9] * 204, name]
        )
    return Example(write_csv(folder / "openface.csv", rows), IBUG68, points)


def pts(folder: Path) -> Example:
    five = five_points(write_pictures(folder, COUNT)).round(4)
    for name, p in zip(picture_names(), five, strict=True):
        body = "\n".join(f"{x} {y}" for x, y in p)
        path = (folder / name).with_suffix(".pts")
        path.write_text(f"version: 1\nn_points: 5\n{{\n{body}\n}}\n")
    return Example(folder / "pictures", MTFL5, five)


def coco(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    images, annotations = [], []
    for i, (name, p) in enumerate(zip(picture_names(), four, strict=True)):
        images.append({"id": i, "file_name": name, "width": SIDE, "height": SIDE})
        flat = [v for x, y in p.tolist() for v in (x, y, 2)]
        annotations.append({"id": i, "image_id": i, "category_id": 7, "keypoints": flat})
    categories = [{"id": 7, "name": "face", "keypoints": list(FKP4.names)}]
    data = {"images": images, "annotations": annotations, "categories": categories}
    return Example(write_json(folder / "instances.json", data), FKP4, four)


def labelme(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    for name, p in zip(picture_names(), four, strict=True):
        about: dict[str, Any] = {
            "version": "5.4", "flags": {}, "imagePath": Path(name).name, "imageData": None,
            "imageWidth": SIDE, "imageHeight": SIDE,
            "shapes": [
                {"label": n, "points": [q], "group_id": None, "shape_type": "point"}
                for n, q in zip(FKP4.names, p.tolist(), strict=True)
            ],
        }  # fmt: skip
        write_json((folder / name).with_suffix(".json"), about)
    return Example(folder / "pictures", FKP4, four)


def label_studio_task(name: str, points: Points) -> dict[str, Any]:
    result = [
        {
            "type": "keypointlabels", "original_width": SIDE, "original_height": SIDE,
            "value": {"x": 100 * x / SIDE, "y": 100 * y / SIDE, "keypointlabels": [label]},
        }
        for label, (x, y) in zip(FKP4.names, points.tolist(), strict=True)
    ]  # fmt: skip
    image = f"/data/upload/1/0a1b2c3d-{Path(name).name}"
    return {"id": 1, "data": {"image": image}, "annotations": [{"result": result}]}


def labelstudio(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    tasks = [label_studio_task(n, p) for n, p in zip(picture_names(), four, strict=True)]
    return Example(write_json(folder / "project.json", tasks), FKP4, four)


def via(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    files = {
        f"{Path(name).name}123": {
            "filename": Path(name).name,
            "size": 123,
            "regions": [
                {
                    "shape_attributes": {"name": "point", "cx": x, "cy": y},
                    "region_attributes": {"name": label},
                }
                for label, (x, y) in zip(FKP4.names, p.tolist(), strict=True)
            ],
            "file_attributes": {},
        }
        for name, p in zip(picture_names(), four, strict=True)
    }
    return Example(write_json(folder / "via.json", {"_via_img_metadata": files}), FKP4, four)


def supervisely(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    project = folder / "project"
    write_json(project / "meta.json", {"classes": [{"title": "nose_tip", "shape": "point"}]})
    (project / "ds0").mkdir()
    (folder / "pictures").rename(project / "ds0" / "img")
    for name, p in zip(picture_names(), four, strict=True):
        objects = [
            {
                "classTitle": n,
                "geometryType": "point",
                "points": {"exterior": [q], "interior": []},
            }
            for n, q in zip(FKP4.names, p.tolist(), strict=True)
        ]
        about = {"size": {"width": SIDE, "height": SIDE}, "objects": objects}
        write_json(project / "ds0" / "ann" / f"{Path(name).name}.json", about)
    return Example(project, FKP4, four)


def dlib(folder: Path) -> Example:
    four = write_pictures(folder, COUNT).round()
    images = "".join(
        f"<image file='{name}'><box top='1' left='2' width='90' height='90'>"
        + "".join(
            f"<part name='{n}' x='{x:.0f}' y='{y:.0f}'/>"
            for n, (x, y) in zip(FKP4.names, p, strict=True)
        )
        + "</box></image>\n"
        for name, p in zip(picture_names(), four, strict=True)
    )
    path = folder / "dlib.xml"
    style = "<?xml-stylesheet type='text/xsl' href='image_metadata_stylesheet.xsl'?>"
    path.write_text(f"<?xml version='1.0'?>{style}<dataset><images>\n{images}</images></dataset>\n")
    return Example(path, FKP4, four)


def cvat(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    images = "".join(
        f'<image id="{i}" name="{Path(name).name}" width="{SIDE}" height="{SIDE}">'
        '<skeleton label="face" z_order="0">'
        + "".join(
            f'<points label="{n}" outside="0" occluded="0" points="{x},{y}"></points>'
            for n, (x, y) in zip(FKP4.names, p.tolist(), strict=True)
        )
        + "</skeleton></image>\n"
        for i, (name, p) in enumerate(zip(picture_names(), four, strict=True))
    )
    path = folder / "annotations.xml"
    path.write_text(
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations><version>1.1</version>'
        f"{images}</annotations>\n"
    )
    return Example(path, FKP4, four)


def yolo(folder: Path) -> Example:
    four = write_pictures(folder, COUNT)
    (folder / "yolo").mkdir()
    (folder / "pictures").rename(folder / "yolo" / "images")
    (folder / "yolo" / "labels").mkdir()
    for name, p in zip(picture_names(), four, strict=True):
        flat = " ".join(f"{x / SIDE:.8f} {y / SIDE:.8f} 2" for x, y in p)
        path = folder / "yolo" / "labels" / f"{Path(name).stem}.txt"
        path.write_text(f"0 0.5 0.5 0.7 0.7 {flat}\n")
    (folder / "yolo" / "data.yaml").write_text(
        "path: .\ntrain: images\nkpt_shape: [4, 3]\nflip_idx: [1, 0, 2, 3]\n"
        f"names:\n  0: face\nkpt_names:\n  0: {json.dumps(FKP4.names)}\n"
    )
    return Example(folder / "yolo", FKP4, four)


def deeplabcut(folder: Path) -> Example:
    four = write_pictures(folder, COUNT).round(4)
    names = [name for name in FKP4.names for _ in "xy"]
    rows: list[list[object]] = [
        ["scorer", *["Ann"] * 8], ["bodyparts", *names], ["coords", *"xyxyxyxy"],
    ]  # fmt: skip
    rows += [[n, *p.reshape(-1)] for n, p in zip(picture_names(), four, strict=True)]
    return Example(write_csv(folder / "CollectedData_Ann.csv", rows), FKP4, four)


def results_of(folder: Path, scheme: Scheme = FKP4) -> tuple[list[tuple[str, Any]], Points]:
    """What annotate finds in the pictures, as records: the faces, and a picture without one."""
    four = write_pictures(folder, COUNT)
    own = four if scheme is FKP4 else many_points(four, scheme)
    records: list[tuple[str, Any]] = []
    for name, p in zip(picture_names(), own, strict=True):
        box = np.array([[*p.min(0), *np.ptp(p, axis=0)]], np.float32)
        sure = np.ones((1, len(scheme)), np.float32)
        found = Faces(scheme, box, np.ones(1, np.float32), p[None].astype(np.float32), sure)
        records.append((name, Annotated(found, SIDE, SIDE)))
    records.append(("none.png", Annotated(Faces.empty(scheme), SIDE, SIDE)))
    records.append(("broken.png", Failure("empty file (0 bytes)")))
    return records, own


def jsonl(folder: Path) -> Example:
    records, points = results_of(folder)
    rows = JsonRows(FKP4)
    path = folder / "keypoints.jsonl"
    path.write_text(rows.header() + "".join(rows.of(name, result) for name, result in records))
    return Example(path, FKP4, points)


def parquet(folder: Path) -> Example:
    records, points = results_of(folder)
    path = folder / "keypoints.parquet"
    write_parquet(path, Columns(FKP4), records)
    return Example(path, FKP4, points)


def own_openface(folder: Path) -> Example:
    records, points = results_of(folder, IBUG68)
    rows = OpenFaceRows(IBUG68)
    path = folder / "openface.csv"
    path.write_text(rows.header() + "".join(rows.of(name, result) for name, result in records))
    return Example(path, IBUG68, points)


def own_yolo(folder: Path) -> Example:
    records, points = results_of(folder)
    (folder / "out" / "yolo").mkdir(parents=True)
    (folder / "pictures").rename(folder / "out" / "yolo" / "images")
    relative = [(Path(name).name, result) for name, result in records]
    YoloFolder(folder / "out" / "yolo", FKP4).write(relative)
    return Example(folder / "out" / "yolo", FKP4, points)


EXAMPLES: dict[str, Callable[[Path], Example]] = {
    "kaggle": kaggle, "course": course, "paths": paths, "mtfl": mtfl, "list": plain_list,
    "celeba": celeba, "retinaface": retinaface, "wflw": wflw, "openface": openface, "pts": pts,
    "coco": coco, "labelme": labelme, "labelstudio": labelstudio, "via": via,
    "supervisely": supervisely, "dlib": dlib, "cvat": cvat, "yolo": yolo, "dlc": deeplabcut,
    "jsonl": jsonl, "parquet": parquet,
}  # fmt: skip
"""By the name of the format."""

OWN: dict[str, Callable[[Path], Example]] = {"openface": own_openface, "yolo": own_yolo}
"""Formats that fkp writes beside its own."""
