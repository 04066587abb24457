"""Labels out to other tools and back; predictions, submissions, exports, and what a file is."""

import json
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from fkp.errors import DataError, LabelError, ModelError
from fkp.keypoints import FKP4, KAGGLE15, WFLW98
from fkp.labels.convert import convert
from fkp.labels.prepare import PrepareConfig, prepare, read_source
from fkp.labels.store import Samples, read_samples
from fkp.labels.table import ReadOptions
from fkp.learn.checkpoint import find_model, load_model
from fkp.learn.export import export
from fkp.learn.layers import layers
from fkp.learn.networks import Lecture
from fkp.learn.predict import write_submission
from fkp.vision.onnx import onnx_metadata, run_onnx
from tests.conftest import write_kaggle, write_pictures
from tests.test_cli import fkp


def prepared(folder: Path, source: Path, size: int = 96) -> Samples:
    prepare(PrepareConfig((source,), folder / "data.csv", size=size), lambda done, total: None)
    return read_samples(folder / "data.csv")


@pytest.mark.parametrize(
    ("form", "name"), [("coco", "labels.json"), ("dlc", "CollectedData_x.csv"), ("pts", "faces")]
)
def test_labels_come_back_as_they_went(tmp_path: Path, form: str, name: str) -> None:
    points = write_pictures(tmp_path, 12)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    (tmp_path / "out").mkdir()
    assert convert(samples, form, tmp_path / "out" / name) == []
    scheme = FKP4 if form == "pts" else None
    table = read_source(tmp_path / "out" / name, ReadOptions(scheme=scheme))
    assert len(table.rows) == 12
    assert table.rejected == []
    names = [Path(image).name for image in table.images or []]
    order = [names.index(Path(image).name) for image in samples.image]
    back = table.scheme.convert(table.points, FKP4)[order]
    assert np.abs(back - points).max() < 1e-3
    again = PrepareConfig(
        (tmp_path / "out" / name,), tmp_path / "again.csv", read=ReadOptions(scheme=scheme)
    )
    prepare(again, lambda done, total: None)
    if form == "coco":  # who is in the picture goes along
        assert set(read_samples(tmp_path / "again.csv").group) == set(samples.group)


def test_missing_points_and_several_faces(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 6)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame.loc[1, ["nose_tip_x", "nose_tip_y"]] = np.nan
    images = frame["image"].tolist()
    frame["image"] = [*images[:3], images[2], *images[4:]]
    frame.to_csv(tmp_path / "labels.csv", index=False)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    for form, name in (("coco", "l.json"), ("dlc", "l.csv")):
        assert convert(samples, form, tmp_path / name) == []
        table = read_source(tmp_path / name, ReadOptions())
        found = table.scheme.convert(table.points, FKP4)
        assert found.shape == (6, 4, 2)
        assert np.isnan(found[1, 2]).all()
        assert np.isfinite(found).all(2).sum() == 23
        assert np.allclose(found[[0, 2, 3, 4]], points[[0, 2, 3, 4]], atol=1e-3)
    (rejected,) = convert(samples, "pts", tmp_path / "pts")
    assert rejected.reason == "nose_tip is not labelled; .pts files need all points"
    assert len(list((tmp_path / "pts").glob("*.pts"))) == 5
    assert len(list((tmp_path / "pts").glob("*.png"))) == 5


def test_pictures_without_files_get_some(tmp_path: Path) -> None:
    write_kaggle(tmp_path / "training.csv", 10, size=96, empty=0.1)
    samples = prepared(tmp_path, tmp_path / "training.csv")
    convert(samples, "coco", tmp_path / "labels.json")
    table = read_source(tmp_path / "labels.json", ReadOptions())
    assert np.allclose(table.points, samples.points, atol=1e-3, equal_nan=True)
    picture = cv2.imread(str(tmp_path / str((table.images or [])[4])), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert np.array_equal(picture, samples.images[4])
    convert(samples, "kaggle", tmp_path / "kaggle.csv")
    back = read_source(tmp_path / "kaggle.csv", ReadOptions())
    assert back.pixels is not None
    assert np.array_equal(back.pixels, samples.images)
    assert np.allclose(back.points, samples.points, atol=1e-3, equal_nan=True)


def test_what_cannot_be_converted_is_told(tmp_path: Path) -> None:
    write_pictures(tmp_path, 6)
    samples = prepared(tmp_path, tmp_path / "labels.csv")
    with pytest.raises(DataError, match="Kaggle's 15 points cannot be had"):
        convert(samples, "kaggle", tmp_path / "k.csv")
    next((tmp_path / "pictures").iterdir()).unlink()
    with pytest.raises(LabelError, match="file not found; 1 pictures of the data are gone"):
        convert(samples, "coco", tmp_path / "l.json")
    done = fkp("convert", "data.csv", "--to", "coco", "-o", "data.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "is the data itself" in done.stderr


def write_test_csv(path: Path, count: int, first: int) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{first + i}," + " ".join(map(str, rng.integers(0, 255, 96 * 96))) for i in range(count)
    ]
    path.write_text("ImageId,Image\n" + "\n".join(rows) + "\n")


def test_a_submission_to_kaggle(tmp_path: Path) -> None:
    write_test_csv(tmp_path / "test.csv", 3, first=10)
    lookup = "RowId,ImageId,FeatureName,Location\n"
    lookup += "1,12,nose_tip_x,\n2,10,mouth_center_bottom_lip_y,\n3,12,left_eye_center_y,\n"
    (tmp_path / "IdLookupTable.csv").write_text(lookup)
    model = load_model(find_model("bundled"))
    prepare(
        PrepareConfig((tmp_path / "test.csv",), tmp_path / "data.csv", val=0, test=0),
        lambda done, total: None,
    )
    samples = read_samples(tmp_path / "data.csv")
    assert samples.other["ImageId"].tolist() == ["10", "11", "12"]
    done = fkp("predict", "bundled", "test.csv", "-o", "all.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    done = fkp(
        "predict", "bundled", "test.csv", "-o", "s.csv", "--kaggle", "IdLookupTable.csv",
        cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    points = pd.read_csv(tmp_path / "all.csv")
    flat = points.drop(columns=["image", "source", "source_row"]).to_numpy().reshape(3, 68, 2)
    wanted = model.scheme.convert(flat, KAGGLE15)
    table = pd.read_csv(tmp_path / "s.csv")
    assert table["RowId"].tolist() == [1, 2, 3]
    expected = [wanted[2, 10, 0], wanted[0, 14, 1], wanted[2, 0, 1]]
    assert np.allclose(table["Location"], np.clip(expected, 0, 96), atol=0.01)
    for text, reason in (
        (lookup.replace("12", "99"), "ImageId 99 is not among"),
        (lookup.replace("nose_tip_x", "ear_x"), "ear_x is no coordinate"),
        ("a,b\n1,2\n", "with a column RowId"),
        (lookup.replace("3,12", "x,12"), "expected whole numbers"),
        (lookup.replace("3,12", ",12"), "row 4, column RowId: is empty"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises((DataError, LabelError), match=reason):
            write_submission(tmp_path / "s.csv", model, samples, tmp_path / "bad.csv")


@pytest.mark.parametrize("form", ["onnx", "torchscript", "openvino"])
def test_an_exported_network_gives_the_same_points(tmp_path: Path, form: str) -> None:
    if form != "torchscript":
        pytest.importorskip(form)
    model = load_model(find_model("bundled"), trainable=True)
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    path = tmp_path / {"onnx": "m.onnx", "torchscript": "m.pt", "openvino": "m.xml"}[form]
    done = export(model, path, form, crops)
    assert done.difference < 0.01
    assert done.outputs == ("points", "scale", "face")
    assert {p.suffix for p in tmp_path.iterdir()} <= {path.suffix, ".bin"}
    if form == "onnx":
        found = run_onnx(path, crops)
        said = model.predict(crops)
        assert np.abs(found["points"] - said.points).max() < 0.01
        assert np.allclose(found["scale"], said.scale, rtol=1e-3)
        assert np.allclose(found["face"], said.face, atol=1e-4)
        meta = json.loads(onnx_metadata(path)["fkp"])
        assert meta["size"] == 112
        assert np.allclose(meta["layout"], model.layout)


def test_an_export_that_differs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(find_model("bundled"), trainable=True)
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    monkeypatch.setattr(torch.jit, "load", lambda path: lambda x: (torch.zeros(len(x), 68, 2),))
    with pytest.raises(ModelError, match="differs by"):
        export(model, tmp_path / "m.pt", "torchscript", crops)
    assert not (tmp_path / "m.pt").exists()


def test_layers_of_the_course(tmp_path: Path) -> None:
    found = layers(Lecture(4, 96), 96)
    convolutions = [layer for layer in found if layer.kind.startswith("conv")]
    assert [layer.output for layer in convolutions] == [(6, 92, 92), (16, 42, 42), (32, 19, 19)]
    assert convolutions[0].formula == "(96 + 2*0 - 5) / 1 + 1 = 92"
    assert convolutions[0].parameters == 6 * 25 + 6
    assert convolutions[1].multiply_adds == 16 * 42 * 42 * 6 * 25
    assert found[-1].parameters == 32 * 9 * 9 * 8 + 8
    done = fkp("info", "bundled", cwd=tmp_path)
    assert "68 points (ibug68)" in done.stdout
    assert "845,017 parameters" in done.stdout
    header = json.loads(fkp("info", "bundled", "--json", cwd=tmp_path).stdout)
    assert header["scheme"]["name"] == "ibug68"
    write_pictures(tmp_path, 6)
    done = fkp("info", "labels.csv", cwd=tmp_path)
    assert "labels.csv: a table of labels, not prepared: 6 rows" in done.stdout
    done = fkp("info", "nothing.csv", cwd=tmp_path)
    assert done.returncode == 1
    assert "nothing.csv: no such file" in done.stderr


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
