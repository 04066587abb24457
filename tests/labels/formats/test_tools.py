"""Labels of other tools: LabelMe, Label Studio, VIA, Supervisely, CVAT, dlib, YOLO."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.reading import read_source
from fkp.labels.table import LabelTable, ReadOptions
from tests.helpers import write_pictures
from tests.labels.examples import EXAMPLES, label_studio_task, picture_names, write_csv, write_json

ZERO = (0.0, 0.0)


def read(path: Path, **options: Any) -> LabelTable:
    return read_source(path, ReadOptions(**options))


def shapes(face: np.ndarray, group: int | None) -> list[dict[str, Any]]:
    return [
        {"label": n, "points": [p], "group_id": group, "shape_type": "point"}
        for n, p in zip(FKP4.names, face.tolist(), strict=True)
    ]


def test_labelme_faces_and_faults(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    names = [Path(name).name for name in picture_names(6)]
    contents: list[list[dict[str, Any]]] = [
        shapes(points[0], None),
        shapes(points[1], 1) + shapes(points[2], 2)[:3],
        shapes(points[0], 1) * 2,
        [{"label": "box", "points": [[1, 2], [3, 4]], "shape_type": "rectangle"}],
        [{"label": "nose_tip", "points": [[1, 10**400]], "shape_type": "point"}],
        [{"label": "nose_tip", "points": [[1, 2, 3]], "shape_type": "point"}],
    ]
    for name, content in zip(names, contents, strict=True):
        path = (tmp_path / "pictures" / name).with_suffix(".json")
        write_json(path, {"version": "5.0", "imagePath": name, "shapes": content})
    write_json(tmp_path / "pictures" / "other.json", {})
    table = read(tmp_path / "pictures")
    assert table.scheme is FKP4
    assert table.images == [names[0], names[1], names[1]]
    assert np.allclose(table.points[:2], points[:2])
    assert np.isnan(table.points[2, 3]).all()
    for reason, word in zip(
        [r.reason for r in table.rejected],
        ["left_eye_center occurs twice", "expected points", "too large", "expected x and y, got 3"],
        strict=True,
    ):
        assert word in reason
    assert len(read(tmp_path / "pictures" / "Ann_a_0000.json").rows) == 1


def test_labelme_apart_from_its_pictures_and_with_pictures_inside(tmp_path: Path) -> None:
    made = EXAMPLES["labelme"](tmp_path)
    (tmp_path / "json").mkdir()
    for path in made.path.glob("*.json"):
        path.rename(tmp_path / "json" / path.name)
    options = ReadOptions(images=tmp_path / "pictures")
    config = PrepareConfig((tmp_path / "json",), tmp_path / "d.csv", val=0, test=0, read=options)
    assert len(prepare(config, lambda done, total: None).samples) == 4
    for path in (tmp_path / "json").iterdir():
        about = json.loads(path.read_text())
        picture = tmp_path / "pictures" / about["imagePath"]
        about["imageData"] = base64.b64encode(picture.read_bytes()).decode()
        write_json(path, about)
        picture.unlink()
    config = PrepareConfig((tmp_path / "json",), tmp_path / "e.csv", val=0, test=0)
    samples = prepare(config, lambda done, total: None).samples
    assert len(samples) == 4
    assert all(path.startswith(str(tmp_path / "e_frames")) for path in samples.paths())


def box(name: str, x: float, y: float, w: float, h: float) -> dict[str, Any]:
    value = {"x": x, "y": y, "width": w, "height": h, "rectanglelabels": ["face"]}
    return {"id": name, "type": "rectanglelabels", "value": value}


def test_label_studio_faces_and_faults(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    tasks = [label_studio_task(n, p) for n, p in zip(picture_names(), points, strict=True)]
    far = label_studio_task("x.png", points[1] + 200)["annotations"][0]["result"]
    two = tasks[1]["annotations"][0]["result"]
    two += [*far, box("a", 0, 0, 100, 100), box("b", 120, 120, 200, 200)]
    tasks[2]["annotations"] = [
        {"was_cancelled": True, "result": []}, *tasks[2]["annotations"], *tasks[0]["annotations"],
    ]  # fmt: skip
    tasks[3]["annotations"][0]["result"][0]["image_rotation"] = 90
    tasks.append({"data": {"text": "none"}, "annotations": []})
    table = read(write_json(tmp_path / "ls.json", tasks))
    assert table.rows.tolist() == [1, 2, 2, 3]
    np.testing.assert_allclose(table.points[1], points[1])
    np.testing.assert_allclose(table.points[2], points[1] + 200)
    assert "1 tasks have several annotations; the first was used" in table.notes
    assert "rotated in Label Studio" in table.rejected[0].reason
    assert "names no picture" in table.rejected[1].reason
    tasks[1]["annotations"][0]["result"] = two[:-2]
    table = read(write_json(tmp_path / "ls.json", tasks))
    assert "several faces need a box" in table.rejected[0].reason


def test_label_studio_s_short_json(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    tasks = []
    for name, p in zip(picture_names(), points, strict=True):
        result = label_studio_task(name, p)["annotations"][0]["result"]
        regions = [{**r["value"], "original_width": 128, "original_height": 128} for r in result]
        tasks.append({"image": f"/data/upload/1/{Path(name).name}", "id": 1, "kp": regions})
    np.testing.assert_allclose(read(write_json(tmp_path / "min.json", tasks)).points, points)


def test_via_as_csv(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    rows: list[list[Any]] = [
        ["filename", "file_size", "file_attributes", "region_count", "region_id",
         "region_shape_attributes", "region_attributes"],
    ]  # fmt: skip
    for name, p in zip(picture_names(), points, strict=True):
        for i, (x, y) in enumerate(p.tolist()):
            shape = {"name": "point", "cx": x, "cy": y}
            about = {"name": FKP4.names[i], "face": "1"}
            rows.append([Path(name).name, 1, "{}", 4, i, json.dumps(shape), json.dumps(about)])
    rows.append(["empty.png", 1, "{}", 0, 0, "{}", "{}"])
    table = read(write_csv(tmp_path / "via.csv", rows))
    np.testing.assert_allclose(table.points, points)
    assert [(r.reason, r.malformed) for r in table.rejected] == [("no points", False)]


def test_via_faces_and_points_without_names(tmp_path: Path) -> None:
    def region(x: float, **about: str) -> dict[str, Any]:
        shape = {"name": "point", "cx": x, "cy": 2 * x}
        return {"shape_attributes": shape, "region_attributes": about}

    two = [region(x, name=n, face=f) for x, n, f in ((1, "a", "1"), (3, "b", "1"), (5, "a", "2"))]
    files = {
        "a": {"filename": "a.png", "regions": two},
        "b": {"filename": "b.png", "regions": {"0": region(7, name="a", face="1")}},
    }
    table = read(write_json(tmp_path / "a.json", files))
    assert table.images == ["a.png", "a.png", "b.png"]
    assert table.points[:, 0, 0].tolist() == [1, 5, 7]
    files = {"a": {"filename": "a.png", "regions": [region(30), region(90)]}}
    assert read(write_json(tmp_path / "b.json", files)).scheme.names == ("p0", "p1")
    three: dict[str, Any] = {"project": {}, "metadata": {}, "view": {}, "file": {}}
    with pytest.raises(LabelError, match="projects of VIA 3"):
        read(write_json(tmp_path / "c.json", three))


def test_supervisely_graphs(tmp_path: Path) -> None:
    nodes = {"n1": {"label": "left_eye"}, "n2": {"label": "right_eye"}}
    classes = [{"title": "face", "shape": "graph", "geometry_config": {"nodes": nodes}}]
    write_json(tmp_path / "meta.json", {"classes": classes})
    graph = {
        "classTitle": "face", "geometryType": "graph",
        "nodes": {"n1": {"loc": [30, 20]}, "n2": {"loc": [10, 20]}},
    }  # fmt: skip
    off = {**graph, "nodes": {"n1": {"loc": [1, 2], "disabled": True}, "n2": {"loc": [5, 6]}}}
    about = {"size": {"width": 64, "height": 64}, "objects": [graph, off]}
    write_json(tmp_path / "ds" / "ann" / "a.jpg.json", about)
    write_json(tmp_path / "ds" / "ann" / "b.jpg.json", {"size": {"width": 6, "height": 6}})
    table = read(tmp_path)
    assert table.scheme.names == ("left_eye", "right_eye")
    assert table.images == ["ds/img/a.jpg"] * 2
    assert np.isnan(table.points[1, 0]).all()
    assert "expected a member objects" in table.rejected[0].reason


def cvat(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "annotations.xml"
    path.write_text(f"<annotations>{body}</annotations>")
    return path


def test_cvat_points_by_label_and_in_one_shape(tmp_path: Path) -> None:
    single = "".join(
        f'<points label="{n}" points="{i},9" group_id="{i // 2}"/>' for i, n in enumerate("abab")
    )
    table = read(cvat(tmp_path, f'<image name="a.png" width="64" height="48">{single}</image>'))
    assert table.points[:, :, 0].tolist() == [[0, 1], [2, 3]]
    assert table.said_size(0) == (64, 48)
    image = '<image name="a.png"><points label="face" points="1,2;3,4;5,6"/></image>'
    empty = '<image name="b.png"/><image name="c.png"><points label="f" points="1,x"/></image>'
    table = read(cvat(tmp_path, image + empty))
    assert table.points.tolist() == [[[1, 2], [3, 4], [5, 6]]]
    assert [r.malformed for r in table.rejected] == [False, True]


def test_cvat_skeletons_with_points_outside(tmp_path: Path) -> None:
    def skeleton(label: str, hidden: int) -> str:
        return (
            f'<skeleton label="{label}"><points label="a" points="1,2" outside="{hidden}"/>'
            '<points label="b" points="3,4" outside="0"/></skeleton>'
        )

    body = skeleton("face", 0) + skeleton("face", 1) + skeleton("hand", 0)
    path = cvat(tmp_path, f'<image name="a.png">{body}</image>')
    table = read(path, category="face")
    assert len(table.rows) == 2
    assert np.isnan(table.points[1, 0]).all()


def test_cvat_tracks_of_a_video(tmp_path: Path) -> None:
    body = "".join(
        f'<points frame="{f}" keyframe="{k}" outside="{o}" points="{f},1;{f},9"/>'
        for f, k, o in ((0, 1, 0), (1, 0, 0), (2, 1, 0), (3, 1, 1))
    )
    path = cvat(
        tmp_path,
        f'<meta><task><source>clip.mp4</source></task></meta><track label="f">{body}</track>',
    )
    table = read(path)
    assert table.images == ["clip.mp4"] * 2
    assert table.frames is not None
    assert table.frames.tolist() == [0, 2]


def test_dlib_numbers_and_faults(tmp_path: Path) -> None:
    def face(parts: str, more: str = "") -> str:
        return f"<box top='1' left='1' width='9' height='9'{more}>{parts}</box>"

    part = "<part name='{:02d}' x='{}' y='{}'/>".format
    body = "".join(
        [
            face(part(0, 30, 5) + part(1, 40, 50)),
            face(part(1, 3, 60)),
            face(part(0, 1, 2), " ignore='1'"),
            face(""),
            face(part(0, 1, 2) * 2),
            face(part(0, "x", 2)),
        ]
    )
    path = tmp_path / "a.xml"
    path.write_text(f"<dataset><images><image file='a\\b.png'>{body}</image></images></dataset>")
    table = read(path)
    assert table.scheme.names == ("p0", "p1")
    assert np.isnan(table.points[1, 0]).all()
    assert [(r.row, r.malformed) for r in table.rejected] == [
        (3, False), (4, False), (5, True), (6, True),
    ]  # fmt: skip


def test_xml_that_is_none_or_too_clever(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text("<dataset><images>")
    with pytest.raises(LabelError, match="not valid XML"):
        read(path)
    path.write_text('<!DOCTYPE d [<!ENTITY a "b">]><dataset><images>&a;</images></dataset>')
    with pytest.raises(LabelError, match="defines entities"):
        read(
            path,
        )
    path.write_text("<root><child/></root>")
    with pytest.raises(LabelError, match="got XML with root <root>"):
        read(path)


def test_yolo_without_names_and_with_faults(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "labels" / "train").mkdir(parents=True)
    (tmp_path / "data.yaml").write_text("kpt_shape: [3, 2]\nflip_idx: [1, 0, 2]\nnames: [x, cat]\n")
    (tmp_path / "labels" / "train" / "a.txt").write_text(
        "0 .5 .5 .2 .2 .1 .2 .3 .4 .5 .6\n1 .5 .5 .2 .2 .1 .2 .3 .4 0 0\n0 .5 .5 .2 .2 .1\n"
    )
    table = read(tmp_path)
    assert table.scheme.flip_order == (1, 0, 2)
    assert table.images == ["images/train/a"] * 2
    assert np.isnan(table.points[1, 2]).all()
    assert [r.reason for r in table.rejected] == ["labels/train/a.txt: expected 6 numbers, got 1"]
    assert len(read(tmp_path, category="cat").rows) == 1
    assert len(read(tmp_path / "data.yaml").rows) == 2
    os.rmdir(tmp_path / "images")  # pictures elsewhere, as after fkp annotate
    assert read(tmp_path).images == ["train/a"] * 2
    os.remove(tmp_path / "data.yaml")
    assert len(read(tmp_path).scheme) == 3
    (tmp_path / "labels" / "train" / "a.txt").write_text("0 .5 .5 .2 .2\n")
    with pytest.raises(LabelError, match="boxes without points"):
        read(tmp_path)
    (tmp_path / "data.yaml").write_text("kpt_shape: 3\n")
    with pytest.raises(LabelError, match=r"data.yaml: expected kpt_shape"):
        read(tmp_path)
