"""Label forms of other tools: .pts folders, COCO, DeepLabCut, WFLW, LabelMe."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from fkp.annotate.outcome import Annotated
from fkp.annotate.output.results import Output
from fkp.annotate.output.sinks import TableFile
from fkp.errors import LabelError
from fkp.keypoints import FKP4, IBUG68, WFLW98, Faces
from fkp.labels.prepare import PrepareConfig, prepare, read_source
from fkp.labels.store import read_samples
from fkp.labels.table import ReadOptions
from tests.helpers import write_pictures

NAMES = [f"pictures/Ann_{chr(97 + i // 2)}_{i % 2:04d}.png" for i in range(6)]


def write_pts(path: Path, points: list[list[float]], said: int | None = None) -> None:
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    path.write_text(f"version: 1\nn_points: {said or len(points)}\n{{\n{body}\n}}\n")


def test_a_folder_of_pts_files(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    folder = tmp_path / "pictures"
    for i, name in enumerate(NAMES):
        write_pts((tmp_path / name).with_suffix(".pts"), (points[i] + 1).tolist())
    write_pts(folder / "Ann_c_0001.pts", [[1, 2]], said=3)
    (folder / "Ann_c_0000.pts").write_text("version: 1\nn_points: 1\n{\n1 two\n}\n")
    write_pts(folder / "lonely.pts", points[0].tolist())
    table = read_source(folder, ReadOptions(scheme=FKP4, origin=1))
    assert table.scheme is FKP4
    assert np.allclose(table.points, points[:4], atol=1e-5)
    assert table.images == [Path(name).name for name in NAMES[:4]]
    reasons = [r.reason for r in table.rejected]
    assert "Ann_c_0000.pts: expected two numbers a line" in reasons[0]
    assert reasons[1] == "Ann_c_0001.pts: n_points says 3, there are 1"
    assert reasons[2] == "lonely.pts: expected one picture of that name, found none"
    config = PrepareConfig((folder,), tmp_path / "data.csv", read=ReadOptions(FKP4, origin=1))
    assert len(prepare(config, lambda done, total: None).samples) == 4
    assert any("--origin 1" in note for note in read_source(folder, ReadOptions(FKP4)).notes)
    (tmp_path / "empty").mkdir()
    with pytest.raises(LabelError, match=r"a folder of .pts files, got a folder without"):
        read_source(tmp_path / "empty", ReadOptions())


def test_coco_keypoints(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    flat = [np.concatenate([p, np.full((4, 1), 2)], 1).reshape(-1).tolist() for p in points]
    flat[1][3:6] = [0, 0, 0]
    annotations = [
        {"id": i, "image_id": i, "category_id": 7, "keypoints": f} for i, f in enumerate(flat)
    ]
    annotations[4]["keypoints"] = [1, 2, 2]
    annotations[5]["image_id"] = 99
    annotations.append({"id": 9, "image_id": 0, "category_id": 8})
    data = {
        "images": [{"id": i, "file_name": name} for i, name in enumerate(NAMES)],
        "annotations": annotations,
        "categories": [{"id": 7, "keypoints": list(FKP4.names)}, {"id": 8, "name": "car"}],
    }
    path = tmp_path / "instances.json"
    path.write_text(json.dumps(data))
    table = read_source(path, ReadOptions())
    assert table.scheme is FKP4
    assert table.images == NAMES[:4]
    assert np.isnan(table.points[1, 1]).all()
    assert np.allclose(table.points[[0, 2, 3]], points[[0, 2, 3]])
    assert [(r.row, r.reason) for r in table.rejected] == [
        (5, "ValueError: expected 12 numbers, got 3"), (6, "KeyError: 99"),
    ]  # fmt: skip
    path.write_text('{"images": 3}')
    with pytest.raises(LabelError, match="not COCO keypoints"):
        read_source(path, ReadOptions())


@pytest.mark.parametrize("split_path", [False, True])
def test_deeplabcut_labels(tmp_path: Path, split_path: bool) -> None:
    points = write_pictures(tmp_path, 4)
    names = [n for n in FKP4.names for _ in "xy"]
    first = 2 if split_path else 1
    gap = [""] * (first - 1)
    lines = [
        ["scorer", *gap, *["Ann"] * 8], ["bodyparts", *gap, *names], ["coords", *gap, *"xyxyxyxy"],
    ]  # fmt: skip
    for i in range(4):
        cells = [f"{v:.4f}" for v in points[i].reshape(-1)]
        if i == 1:
            cells[2:4] = ["", ""]
        if i == 2:
            cells = [""] * 8
        if i == 3:
            cells[0] = "what"
        lines.append([*(NAMES[i].split("/") if split_path else [NAMES[i]]), *cells])
    path = tmp_path / "CollectedData_Ann.csv"
    path.write_text("\n".join(",".join(line) for line in lines) + "\n")
    table = read_source(path, ReadOptions())
    assert table.scheme is FKP4
    assert table.images == NAMES[:2]
    assert np.isnan(table.points[1, 1]).all()
    assert np.allclose(table.points[0], points[0], atol=1e-4)
    assert [(r.row, r.malformed) for r in table.rejected] == [(6, False), (7, True)]


@pytest.mark.parametrize("schema", ["coco", "dlc"])
def test_what_annotate_writes_for_others_is_read_again(tmp_path: Path, schema: str) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 90, (1, 68, 2)).astype(np.float32)
    sure = np.ones((1, 68), np.float32)
    faces = Faces(IBUG68, np.ones((1, 4), np.float32), np.ones(1, np.float32), points, sure)
    output = Output(IBUG68, also=(schema,), gallery=False)
    with TableFile(tmp_path / "keypoints.csv", output.rows) as table:
        table.write("a.png", Annotated(faces, 100, 100))
        table.write("b.png", Annotated(Faces.empty(IBUG68), 100, 100))
    output.finish(tmp_path, str(tmp_path), 1)
    name = "coco.json" if schema == "coco" else "dlc.csv"
    read = read_source(tmp_path / name, ReadOptions())
    assert read.scheme is IBUG68
    assert read.images == ["a.png"]
    assert np.allclose(read.points, points, atol=1e-3)


def wflw_line(points: np.ndarray, image: str) -> str:
    return " ".join(f"{v:.6f}" for v in points.reshape(-1)) + f" 1 2 3 4 0 1 0 0 1 0 {image}\n"


def test_wflw_lines(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 100, (3, 98, 2))
    (tmp_path / "WFLW_images").mkdir()
    names = ["a b.png", "b.png", "c.png"]
    for name in names:
        assert cv2.imwrite(str(tmp_path / "WFLW_images" / name), np.zeros((128, 128), np.uint8))
    text = "".join(wflw_line(p, n) for p, n in zip(points, names, strict=True))
    text += "1 2 3\n" + wflw_line(points[0], "d.png").replace(f"{points[0, 0, 0]:.6f}", "x", 1)
    (tmp_path / "list.txt").write_text(text)
    table = read_source(tmp_path / "list.txt", ReadOptions())
    assert table.scheme is WFLW98
    assert np.allclose(table.points, points, atol=1e-5)
    assert table.images == names
    assert table.other["expression"] == ["1"] * 3
    assert [r.row for r in table.rejected] == [4, 5]
    config = PrepareConfig((tmp_path / "list.txt",), tmp_path / "d.csv", val=0, test=0)
    prepare(config, lambda done, total: None)
    samples = read_samples(tmp_path / "d.csv")
    assert samples.other["occlusion"].tolist() == ["1"] * 3


def test_labelme_files(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    names = [f"Ann_{c}_{i:04d}.png" for c in "ab" for i in range(2)]

    def shapes(face: np.ndarray, group: int | None) -> list[dict[str, object]]:
        return [
            {"label": n, "points": [p.tolist()], "group_id": group, "shape_type": "point"}
            for n, p in zip(FKP4.names, face, strict=True)
        ]

    contents: list[dict[str, object]] = [
        {"shapes": shapes(points[0], None), "imagePath": names[0]},
        {"shapes": shapes(points[1], 1) + shapes(points[2], 2)[:3], "imagePath": names[1]},
        {"shapes": shapes(points[0], 1) * 2, "imagePath": names[2]},
        {"shapes": shapes(points[3], 1), "imagePath": "gone.png"},
    ]
    for name, content in zip(names, contents, strict=True):
        path = (tmp_path / "pictures" / name).with_suffix(".json")
        path.write_text(json.dumps({"version": "5.0", **content}))
    (tmp_path / "pictures" / "other.json").write_text("{}")
    table = read_source(tmp_path / "pictures", ReadOptions())
    assert table.scheme is FKP4
    assert table.images == [names[0], names[1], names[1]]
    assert np.allclose(table.points[:2], points[:2])
    assert np.isnan(table.points[2, 3]).all()
    reasons = [r.reason for r in table.rejected]
    assert "the point left_eye_center stands twice" in reasons[0]
    assert "its picture gone.png is not there" in reasons[1]
    one = read_source(tmp_path / "pictures" / "Ann_a_0000.json", ReadOptions())
    assert len(one.rows) == 1
