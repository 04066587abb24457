"""What other tools read of the results."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.annotate.outcome import Annotated, Failure
from fkp.annotate.output import gallery
from fkp.annotate.output.results import Output
from fkp.annotate.output.rows import Columns, Record
from fkp.annotate.output.sinks import TableFile
from fkp.annotate.output.text import TABLES
from fkp.annotate.output.tool_rows import DeepLabCutRows
from fkp.errors import FkpError, UsageError
from fkp.keypoints import FKP4, IBUG68, KAGGLE15, Faces, Scheme

ODD = ["a,b.jpg", 'q"q.jpg', "new\nline.jpg", "=1+1.jpg", os.fsdecode(b"\xff.jpg"), "x" * 255]


def some_faces(count: int, scheme: Scheme = IBUG68) -> Faces:
    """Faces around a point each, the first point of the first one missing."""
    rng = np.random.default_rng(count)
    k = len(scheme)
    boxes = np.array([[40 + 90 * i, 30.25, 60.5, 80] for i in range(count)], np.float32)
    inside = rng.uniform(0.1, 0.9, (count, k, 2)) * boxes[:, None, 2:]
    points = (boxes[:, None, :2] + inside).astype(np.float32)
    if count:
        points[0, 0] = np.nan
    sure = rng.uniform(0.5, 1, (count, k)).astype(np.float32)
    return Faces(scheme, boxes, np.linspace(0.9, 0.6, count, dtype=np.float32), points, sure)


def records(scheme: Scheme = IBUG68) -> list[Record]:
    """Two faces, none, one, and a file that cannot be read, under odd names."""
    return [
        (ODD[0], Annotated(some_faces(2, scheme), 400, 300)),
        (ODD[1], Annotated(Faces.empty(scheme), 640, 480, "animated")),
        (ODD[4], Annotated(some_faces(1, scheme), 300, 200)),
        (ODD[2], Failure("empty file (0 bytes)")),
        (ODD[4], Annotated(some_faces(1, scheme), 300, 200)),  # given twice
        (ODD[5], Annotated(some_faces(1, scheme), 300, 200)),
        (ODD[3], Annotated(some_faces(3, scheme), 500, 300)),
    ]


def finished(out: Path, output: Output, given: list[Record]) -> Path:
    """The results of a run, where it found `given`."""
    out.mkdir(exist_ok=True)
    with TableFile(output.table(out), output.rows) as table:
        for image, result in given:
            table.write(image, result)
    output.finish(out, os.getcwd(), 1)
    output.tidy(out)
    return output.last_table(out)


@pytest.mark.parametrize("format", TABLES)
@pytest.mark.parametrize("each", [False, True])
def test_rows_can_be_read_again(tmp_path: Path, format: str, each: bool) -> None:
    rows = TABLES[format](IBUG68, each, None)
    given = records()
    path = tmp_path / "rows"
    with TableFile(path, rows) as table:
        for image, result in given:
            table.write(image, result)
    again = list(rows.read(path))
    assert [image for image, _ in again] == [image for image, _ in given]
    for (_, was), (_, now) in zip(given, again, strict=True):
        if isinstance(was, Failure):
            assert now == was
            continue
        assert isinstance(now, Annotated)
        assert (now.width, now.height, now.note) == (was.width, was.height, was.note)
        np.testing.assert_allclose(now.faces.points, was.faces.points, atol=6e-4)
        np.testing.assert_allclose(now.faces.boxes, was.faces.boxes, atol=6e-3)
        np.testing.assert_allclose(now.faces.scores, was.faces.scores, atol=6e-5)
        for one, other in zip(was.faces.confidence, now.faces.confidence, strict=True):
            expected = one if each else np.full_like(one, one.mean())
            np.testing.assert_allclose(other, expected, atol=6e-4)


def test_openface(tmp_path: Path) -> None:
    finished(tmp_path, Output(IBUG68, also=("openface",), gallery=False), records())
    table = pd.read_csv(tmp_path / "openface.csv", encoding_errors="replace")
    points = [f"{axis}_{i}" for axis in "xy" for i in range(68)]
    first = ["frame", "face_id", "timestamp", "confidence", "success"]
    assert list(table.columns[:5]) == first
    assert list(table.columns[11 : 11 + 136]) == points
    assert not any(name.startswith(("gaze", "AU", "eye_lmk", "p_")) for name in table.columns)
    assert list(table["frame"]) == [1, 1, 2, 3, 4, 5, 6, 7, 7, 7]
    assert list(table["face_id"]) == [0, 1, 0, 0, 0, 0, 0, 0, 1, 2]
    assert list(table["success"]) == [1, 1, 0, 1, 0, 1, 1, 1, 1, 1]
    lost = table[table["success"] == 0]
    assert (lost[["confidence", *points]] == 0).all(axis=None)
    faces = some_faces(2)
    assert np.isnan(table["x_0"][0])
    np.testing.assert_allclose(
        table.loc[0, points[1:68]].astype(float), faces.points[0, 1:, 0], atol=0.06
    )
    np.testing.assert_allclose(
        table.loc[1, points[68:]].astype(float), faces.points[1, :, 1], atol=0.06
    )
    with pytest.raises(FkpError, match="68 points of ibug68, not these 4 of fkp4"):
        Output(FKP4, also=("openface",))


def test_pyfeat(tmp_path: Path) -> None:
    finished(tmp_path, Output(IBUG68, also=("pyfeat",), gallery=False), records())
    table = pd.read_csv(tmp_path / "pyfeat.csv", encoding_errors="replace")
    assert list(table.columns[:6]) == [
        "FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore", "x_0",
    ]  # fmt: skip
    assert list(table.columns[-3:]) == ["y_67", "input", "frame"]
    assert list(table["frame"]) == [0, 0, 1, 2, 3, 4, 5, 6, 6, 6]
    assert table["FaceRectX"].isna().tolist() == [f in (1, 3) for f in table["frame"]]
    with pytest.raises(FkpError, match="68 points of ibug68, not these 15 of kaggle15"):
        Output(KAGGLE15, also=("pyfeat",))


def test_deeplabcut_reads_three_header_rows(tmp_path: Path) -> None:
    finished(tmp_path, Output(FKP4, also=("dlc",), gallery=False), records(FKP4))
    # As DeepLabCut itself reads its files.
    table = pd.read_csv(
        tmp_path / "dlc.csv", index_col=0, header=[0, 1, 2], encoding_errors="replace"
    )
    assert table.columns.names == ["scorer", "bodyparts", "coords"]
    assert set(table.columns.get_level_values(0)) == {"fkp"}
    assert len(table) == 7
    nose = table["fkp"]["nose_tip"]
    assert list(nose.columns) == ["x", "y", "likelihood"]
    face = some_faces(2, FKP4)
    assert nose.iloc[0].tolist() == pytest.approx(
        [*face.points[0, 2], face.confidence[0, 2]], abs=6e-4
    )
    assert nose.iloc[[1, 3]].isna().all(axis=None)
    header = DeepLabCutRows(FKP4).header().splitlines()
    assert [line.split(",")[0] for line in header] == ["scorer", "bodyparts", "coords"]


def test_coco_is_what_pycocotools_reads(tmp_path: Path) -> None:
    coco_tools = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")
    finished(tmp_path, Output(IBUG68, also=("coco",), gallery=False), records())
    truth = coco_tools.COCO(str(tmp_path / "coco.json"))
    assert len(truth.getImgIds()) == 7
    (category,) = truth.loadCats(truth.getCatIds())
    assert category["keypoints"] == list(IBUG68.names)
    assert len(category["skeleton"]) == len(IBUG68.edges)
    annotations = truth.loadAnns(truth.getAnnIds(imgIds=[1]))
    assert [a["num_keypoints"] for a in annotations] == [67, 68]
    assert annotations[0]["keypoints"][:3] == [0, 0, 0]
    statuses = {i["file_name"]: i["status"] for i in truth.loadImgs(truth.getImgIds())}
    assert statuses[ODD[2]] == "unreadable"
    sizes = [(i["width"], i["height"]) for i in truth.loadImgs(truth.getImgIds())]
    assert sizes[:4] == [(400, 300), (640, 480), (300, 200), (0, 0)]  # other tools ask for them
    assert statuses[ODD[1]] == "no_face"
    # A perfect detector of these labels scores 1 by COCO's own measure.
    found = [
        {key: a[key] for key in ("image_id", "category_id", "keypoints", "score")}
        for a in truth.loadAnns(truth.getAnnIds())
    ]
    scores = evaluation.COCOeval(truth, truth.loadRes(found), "keypoints")
    scores.params.kpt_oks_sigmas = np.full(68, 0.05)
    scores.evaluate()
    scores.accumulate()
    scores.summarize()
    assert scores.stats[0] == pytest.approx(1)


def test_yolo_has_a_file_beside_each_picture(tmp_path: Path) -> None:
    output = Output(IBUG68, also=("yolo",), gallery=False)
    given = [(str(Path("sub", name)), result) for name, result in records()[:2]]
    given.append(("c.jpg", Failure("empty")))
    finished(tmp_path, output, given)
    labels = tmp_path / "yolo" / "labels"
    assert sorted(str(p.relative_to(labels)) for p in labels.rglob("*.txt")) == [
        "sub/a,b.txt", 'sub/q"q.txt',
    ]  # fmt: skip
    rows = np.loadtxt(labels / "sub" / "a,b.txt")
    assert rows.shape == (2, 5 + 3 * 68)
    assert (rows >= 0).all()
    assert (rows[:, 1:5] <= 1).all()
    faces = some_faces(2)
    box = faces.boxes[1]
    middle = (box[:2] + 0.5 + box[2:] / 2) / [400, 300]
    np.testing.assert_allclose(rows[1, 1:5], [*middle, *(box[2:] / [400, 300])], atol=1e-5)
    np.testing.assert_allclose(rows[1, 5::3] * 400 - 0.5, faces.points[1, :, 0], atol=1e-3)
    assert rows[0, 5:8].tolist() == [0, 0, 0]
    assert (rows[1, 7::3] == 2).all()
    text = (tmp_path / "yolo" / "data.yaml").read_text()
    assert "kpt_shape: [68, 3]" in text
    flips = [int(v) for v in text.split("flip_idx: [")[1].split("]")[0].split(",")]
    assert tuple(flips) == IBUG68.flip_order
    with pytest.raises(FkpError, match=r"a.jpg and a.png would share a.txt"):
        output.check_names(["a.jpg", "b.jpg", "a.png"])


def test_kaggle_is_what_prepare_reads(tmp_path: Path, samples: Path) -> None:
    from fkp.labels.prepare import PrepareConfig, prepare

    image = samples / "astronaut.jpg"
    command = [sys.executable, "-m", "fkp", "annotate", str(image), "--out", str(tmp_path / "out")]
    subprocess.run([*command, "--also", "kaggle", "--no-overlays", "-q"], check=True)
    table = pd.read_csv(tmp_path / "out" / "kaggle.csv")
    assert list(table.columns[:31]) == [*KAGGLE15.columns, "Image"]
    assert len(table["Image"][0].split()) == 96 * 96
    config = PrepareConfig((tmp_path / "out" / "kaggle.csv",), tmp_path / "data.csv", val=0, test=0)
    report = prepare(config, lambda done, total: None)
    assert report.samples.scheme is KAGGLE15
    crop, points = report.samples.crops[0], report.samples.points[0]
    assert crop.shape == (96, 96)
    # The right eye of the crop, right of its middle as it is the subject's, is a dark spot.
    x, y = points[KAGGLE15.names.index("right_eye_center")].round().astype(int)
    assert 25 < x < 48
    assert crop[y - 2 : y + 3, x - 3 : x + 4].min() < crop.mean() - 20


def test_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = finished(tmp_path, Output(IBUG68, format="parquet", gallery=False), records())
    assert path == tmp_path / "keypoints.parquet"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["keypoints.parquet"]
    table = pd.read_parquet(path)
    assert list(table.columns) == [column.name for column in Columns(IBUG68).all()]
    assert table["image"].tolist()[3] == "\\xff.jpg"
    assert table["status"].tolist()[2:6] == ["no_face", "ok", "unreadable", "ok"]
    assert table["p1_x"].dtype == np.float32
    assert table["p1_x"][1] == pytest.approx(some_faces(2).points[1, 1, 0], abs=6e-4)
    assert table["image_width"].tolist()[:3] == [400, 400, 640]
    for wrong in (
        Output(IBUG68, format="parquet"), Output(IBUG68, also=("coco",)),
        Output(IBUG68, "jsonl", ("openface",)), Output(IBUG68, also=("openface", "pyfeat")),
    ):  # fmt: skip
        with pytest.raises(UsageError, match="rows of one table"):
            wrong.stream.header()
    assert Output(IBUG68, also=("openface",)).stream.header().startswith("frame,face_id")


def cards(page: str) -> list[list[Any]]:
    """The data of a gallery."""
    lines = page.split("const CARDS = [\n")[1].split("];", maxsplit=1)[0]
    return [json.loads(line.rstrip(",")) for line in lines.splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_gallery_shows_every_face_and_failure(here: Path) -> None:
    picture = np.full((300, 400, 3), 90, np.uint8)
    (here / "overlays").mkdir()
    assert cv2.imwrite(str(here / "overlays" / "a,b.jpg"), picture)
    given = [*records(), ("</script>.jpg", Annotated(some_faces(1), 300, 200))]
    finished(here, Output(IBUG68), given)
    page = (here / "index.html").read_text(encoding="utf-8")
    shown = cards(page)
    assert [card[1] for card in shown].count("ok") == 9
    assert shown[0][:3] == ["a,b.jpg", "ok", 0]
    assert shown[0][5] == "overlays/a,b.jpg"
    assert shown[0][6].startswith("/9j/")  # a JPEG
    assert shown[2][1:4] == ["no_face", None, None]
    unreadable = next(card for card in shown if card[1] == "unreadable")
    assert unreadable[4:] == ["empty file (0 bytes)", None, None, []]
    assert page.count("</script>") == 1
    assert "http" not in page.replace("http://www.w3.org", "")


def test_of_too_many_the_doubtful_are_in_the_gallery(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery, "AT_MOST", 5)
    finished(here, Output(IBUG68), records())
    page = (here / "index.html").read_text(encoding="utf-8")
    assert "const TOTAL = 10;" in page
    shown = cards(page)
    assert [card[1] for card in shown].count("ok") == 3
    assert {"no_face", "unreadable"} <= {card[1] for card in shown}
    every = [
        float(f.mean())
        for _, r in records()
        if isinstance(r, Annotated)
        for f in r.faces.confidence
    ]
    kept = sorted(card[3] for card in shown if card[3] is not None)
    assert kept == pytest.approx(sorted(every)[:3], abs=2e-3)


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_every_form_says_how_a_face_is_turned(tmp_path: Path, format: str) -> None:
    eyes = np.array([[60, 20], [20, 20], [40, 40], [40, 60]], np.float32)  # left, right, nose, lip
    turned = np.stack([60 - eyes[:, 1], eyes[:, 0]], axis=1)  # by 90 degrees
    unknown = np.full((4, 2), np.nan, np.float32)
    boxes, sure = np.zeros((3, 4), np.float32), np.ones((3, 4), np.float32)
    points = np.stack([turned, eyes, unknown])
    faces = Faces(FKP4, boxes, np.ones(3, np.float32), points, sure)
    none = Annotated(Faces.empty(FKP4), 100, 100)
    path = finished(
        tmp_path,
        Output(FKP4, format, gallery=False),
        [("a", Annotated(faces, 100, 100)), ("b", none)],
    )
    if format == "parquet":
        read = pd.read_parquet(path)
    else:
        read = pd.read_csv(path) if format == "csv" else pd.read_json(path, lines=True)
    assert read["rotation"].fillna(-1).tolist() == [90, 0, -1, -1]
