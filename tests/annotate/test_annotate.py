"""From pictures to a table and overlays."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.faces import face_scores
from fkp.annotate.inputs import find_inputs, read_list
from fkp.annotate.network import TOLERANCE, KeypointNetwork
from fkp.annotate.outcome import Annotated
from fkp.annotate.output.folder import claimed
from fkp.annotate.output.sinks import TableFile, TableStream
from fkp.annotate.output.text import CsvRows, JsonRows
from fkp.annotate.photo.drawing import DrawConfig
from fkp.annotate.photo.local import Local
from fkp.annotate.pipeline import Summary, annotate
from fkp.errors import DataError, FkpError
from fkp.files import temporary_name
from fkp.keypoints import FKP4, IBUG68, KAGGLE15, MTFL5, RADIUS_90, Faces, Prediction, Scheme
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.vision.crop import UPRIGHT_LAYOUT
from fkp.vision.detect import FaceDetector, YuNetDetector

DETECTOR = YuNetDetector()


@pytest.fixture(scope="module")
def network() -> Model:
    """The bundled network."""
    return load_model(find_model("bundled"))


def run(
    paths: list[str],
    out: Path,
    network: KeypointNetwork,
    detector: FaceDetector | None = DETECTOR,
    scheme: Scheme | None = None,
    each: bool = False,
    **options: Any,
) -> tuple[Summary, pd.DataFrame]:
    """Annotate into a folder; the summary and the table."""
    out.mkdir(parents=True, exist_ok=True)
    inputs = find_inputs(paths, exclude=out)
    config = AnnotateConfig(scheme=scheme, **{"drawing": DrawConfig(out / "overlays"), **options})
    rows = CsvRows(scheme or network.scheme, each)
    with TableFile(out / "keypoints.csv", rows) as table:
        engine = Local(network, detector, config)
        summary = annotate(inputs, engine, lambda done, total: None, table)
    return summary, pd.read_csv(out / "keypoints.csv")


def points_of(row: "pd.Series[float]", scheme: Scheme) -> npt.NDArray[np.float64]:
    return np.array(row[scheme.columns].to_numpy(np.float64).reshape(-1, 2), np.float64)


def test_a_known_portrait(tmp_path: Path, samples: Path, network: Model) -> None:
    summary, table = run([str(samples / "astronaut.jpg")], tmp_path, network, scheme=KAGGLE15)
    assert summary.faces == 1
    points = dict(zip(KAGGLE15.names, points_of(table.iloc[0], KAGGLE15), strict=True))
    # Read off the picture by eye.
    for name, place in {
        "right_eye_center": (203, 101), "left_eye_center": (246, 103), "nose_tip": (225, 126),
        "mouth_right_corner": (203, 140), "mouth_left_corner": (243, 141),
    }.items():  # fmt: skip
        assert np.abs(points[name] - place).max() < 5, (name, points[name])


def test_every_sample_picture(tmp_path: Path, samples: Path, network: Model) -> None:
    summary, table = run([str(samples)], tmp_path, network)
    faces = {Path(str(p)).name: int((g["status"] == "ok").sum()) for p, g in table.groupby("image")}
    assert faces == {
        "astronaut.jpg": 1, "coffee.jpg": 0, "group.jpg": 3, "president.jpg": 1,
        "rotated_by_exif.jpg": 1, "speech.jpg": 1, "vice_president.jpg": 1,
    }  # fmt: skip
    assert summary.statuses == {"ok": 6, "no_face": 1}
    assert list(table["image"]) == sorted(table["image"])
    # The same portrait upright, and turned by its EXIF tag: the same points.
    upright, turned = (
        points_of(table[table["image"].str.endswith(name)].iloc[0], IBUG68)
        for name in ("/astronaut.jpg", "rotated_by_exif.jpg")
    )
    assert np.abs(upright - turned).mean() < 1.0
    for name in ("astronaut.jpg", "rotated_by_exif.jpg", "coffee.jpg"):
        overlay = cv2.imread(str(tmp_path / "overlays" / name))
        assert overlay is not None
    drawn = cv2.imread(str(tmp_path / "overlays" / "astronaut.jpg"))
    plain = cv2.imread(str(samples / "astronaut.jpg"))
    assert drawn is not None
    assert plain is not None
    changed = np.abs(drawn.astype(int) - plain).max(2) > 60
    assert changed[60:170, 170:280].any()
    assert changed[300:].mean() < 0.001


def test_one_job_equals_many(tmp_path: Path, samples: Path, network: Model) -> None:
    for jobs in (1, 2):
        run([str(samples)], tmp_path / str(jobs), network, jobs=jobs)
    one, two = (tmp_path / str(jobs) / "keypoints.csv" for jobs in (1, 2))
    assert one.read_bytes() == two.read_bytes()
    for path in (tmp_path / "1" / "overlays").iterdir():
        assert path.read_bytes() == (tmp_path / "2" / "overlays" / path.name).read_bytes()


def test_a_bad_file_is_a_row_with_a_reason(tmp_path: Path, samples: Path, network: Model) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(samples / "astronaut.jpg", photos / "c.jpg")
    (photos / "a.jpg").write_bytes(b"")
    (photos / "b.jpg").write_bytes((samples / "astronaut.jpg").read_bytes()[:20000])
    (photos / "notes.txt").write_text("no picture")
    given = [str(photos), str(photos / "notes.txt"), str(photos / "gone.jpg")]
    summary, table = run(given, tmp_path / "out", network)
    assert list(table["status"]) == ["unreadable", "unreadable", "ok", "unreadable", "unreadable"]
    for row, reason in {0: "empty", 1: "truncated", 3: "not a picture", 4: "no such file"}.items():
        assert reason in table["reason"][row]
    assert summary.statuses == {"ok": 1, "unreadable": 4}
    assert len(summary.failures) == 4
    empty = table.iloc[0][["face", "score", "box_x", *IBUG68.columns]]
    assert empty.isna().all()


def test_nothing_readable_at_all(tmp_path: Path, network: Model) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    summary, table = run([str(tmp_path / "a.jpg")], tmp_path / "out", network)
    assert summary.statuses == {"unreadable": 1}
    assert len(table) == 1


def test_overlays_mirror_the_tree(tmp_path: Path, samples: Path, network: Model) -> None:
    for name in ("a/x.jpg", "b/x.jpg", "b/c/x.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        image = cv2.imread(str(samples / "coffee.jpg"))
        assert image is not None
        cv2.imwrite(str(tmp_path / name), image)
    out = tmp_path / "out"
    run([str(tmp_path / "b"), str(tmp_path / "a")], out, network)
    overlays = sorted(str(p.relative_to(out / "overlays")) for p in out.rglob("*.*g"))
    assert overlays == ["a/x.jpg", "b/c/x.png", "b/x.jpg"]


def test_whole_pictures_as_crops(tmp_path: Path, samples: Path, network: Model) -> None:
    """Without a detector the picture is the crop; the points come back in its own pixels."""
    image = cv2.imread(str(samples / "astronaut.jpg"))
    assert image is not None
    cv2.imwrite(str(tmp_path / "face.png"), image[40:200, 140:300])
    inputs = find_inputs([str(tmp_path / "face.png")])
    out = tmp_path / "out"
    out.mkdir()
    run(list(inputs.paths), out, network, None, MTFL5)
    table = pd.read_csv(out / "keypoints.csv")
    assert table["score"].isna().all()
    assert list(table.loc[0, ["box_x", "box_y", "box_w", "box_h"]]) == [0, 0, 160, 160]
    points = points_of(table.iloc[0], MTFL5) + np.array([140.0, 40.0])
    assert np.abs(points[:2] - [[203, 101], [246, 103]]).max() < 4


def test_the_table_trains(
    tmp_path: Path, samples: Path, network: Model, quiet: Callable[[int, int], None]
) -> None:
    from fkp.labels.prepare import PrepareConfig, prepare

    run([str(samples)], tmp_path, network)
    config = PrepareConfig((tmp_path / "keypoints.csv",), tmp_path / "data.csv")
    report = prepare(config, quiet)
    assert len(report.samples) == 8
    assert report.samples.scheme is IBUG68
    assert [r.reason for r in report.rejected] == ["no face: no_face"]


@dataclass
class Spy:
    """A network that finds the layout itself, and counts its batches."""

    scheme: Scheme = MTFL5
    size: int = 40
    face: float = float("nan")
    scale: float = float("nan")
    calls: int = 0

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        return UPRIGHT_LAYOUT

    def predict(
        self, crops: npt.NDArray[np.uint8], batch: int, least: npt.NDArray[np.float32]
    ) -> Prediction:
        self.calls += 1
        n = len(crops)
        points = np.repeat(UPRIGHT_LAYOUT[None] * self.size - 0.5, n, 0).astype(np.float32)
        face = np.full(n, self.face, np.float32)
        each = np.full((2, n, 5), [[[self.scale]], [[np.nan]]], np.float32)
        return Prediction(points, each[0], face, each[1])


def test_faces_of_many_pictures_share_a_batch_and_map_back(tmp_path: Path, samples: Path) -> None:
    spy, detector = Spy(), DETECTOR
    _, table = run([str(samples)], tmp_path, spy, drawing=None)
    assert spy.calls == 1
    table = table.dropna(subset="face")
    image = cv2.imread(str(samples / "president.jpg"))
    assert image is not None
    found = detector.detect(np.asarray(image, np.uint8))
    row = table[table["image"].str.endswith("president.jpg")].iloc[0]
    mapped = points_of(row, MTFL5)
    # The layout lies on the detector's points as nearly as a similarity can bring it there.
    assert np.allclose(mapped.mean(0), found.anchors[0].mean(0), atol=0.01)
    assert np.abs(mapped - found.anchors[0]).max() < 0.03 * found.boxes[0, 2]
    assert not (tmp_path / "overlays").exists()


def test_the_network_has_its_say_about_what_is_a_face(tmp_path: Path, samples: Path) -> None:
    rows = {}
    for face, name in ((0.99, "confident"), (0.01, "doubtful"), (float("nan"), "silent")):
        paths = [str(samples / "group.jpg")]
        _, rows[name] = run(paths, tmp_path / name, Spy(face=face), drawing=None)
    assert rows["doubtful"]["status"].tolist() == ["no_face"]
    count = len(rows["silent"])
    assert 3 <= count <= len(rows["confident"])
    expected = np.sqrt(0.99 * rows["silent"]["score"])
    assert np.allclose(rows["confident"]["score"][:count], expected, atol=2e-4)
    # The highest score first.
    assert rows["confident"]["score"].is_monotonic_decreasing


def test_scores_of_faces() -> None:
    nan = float("nan")
    detected, face = np.array([0.81, 0.5, nan, nan]), np.array([1.0, nan, 0.3, nan])
    scores = face_scores(detected.astype(np.float32), face.astype(np.float32))
    assert scores[:2] == pytest.approx([0.9, 0.5])
    assert np.isnan(scores[2:]).all()


def test_only_the_best_faces_and_their_confidence(tmp_path: Path, samples: Path) -> None:
    # Scales at which a point lies within the tolerance in 90 % of cases.
    spy = Spy(face=1.0, scale=TOLERANCE * 40 / RADIUS_90)
    paths = [str(samples / "group.jpg")]
    _, table = run(paths, tmp_path, spy, each=True, max_faces=1, drawing=None)
    assert len(table) == 1
    assert table["confidence"][0] == 0.9
    assert [table[f"{name}_confidence"][0] for name in MTFL5.names] == [0.9] * 5
    assert table.columns[-4:].tolist() == ["confidence", "image_width", "image_height", "reason"]


def test_rows_of_json(tmp_path: Path, samples: Path) -> None:
    sink = io.BytesIO()
    assert cv2.imwrite(str(tmp_path / "blank.png"), np.full((90, 120, 3), 80, np.uint8))
    paths = [str(samples / "group.jpg"), str(tmp_path / "blank.png"), os.fsdecode(b"\xff.jpg")]
    table = TableStream(sink, JsonRows(MTFL5, each=True))
    spy = Spy(face=1.0, scale=TOLERANCE * 40 / RADIUS_90)
    engine = Local(spy, DETECTOR, AnnotateConfig())
    annotate(find_inputs(paths), engine, lambda done, total: None, table)
    rows = [json.loads(line) for line in sink.getvalue().splitlines()]
    assert [row["status"] for row in rows[-2:]] == ["no_face", "unreadable"]
    assert rows[-1]["reason"] == "no such file or directory"
    assert rows[-1]["image"] == paths[-1]
    first = rows[0]
    assert (first["image"], first["face"], first["status"]) == (paths[0], 0, "ok")
    assert list(first["points"]) == list(MTFL5.names)
    assert first["confidences"] == dict.fromkeys(MTFL5.names, 0.9)
    _, csv = run(paths[:1], tmp_path, spy, drawing=None)
    assert first["points"]["nose_tip"] == csv.iloc[0][["nose_tip_x", "nose_tip_y"]].tolist()
    assert first["box"][2] == csv["box_w"][0]


def test_inputs(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "sub/c.tiff", "sub/d.txt", ".hidden.jpg", "out/e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "sub" / "up").symlink_to(tmp_path)
    found = find_inputs([str(tmp_path)], exclude=tmp_path / "out")
    assert [os.path.relpath(p, tmp_path) for p in found.paths] == ["a.png", "b.JPG", "sub/c.tiff"]
    assert found.skipped == 2
    named = find_inputs([str(tmp_path / "sub/d.txt"), str(tmp_path / "*.png")])
    assert [Path(p).name for p in named.paths] == ["d.txt", "a.png"]
    (tmp_path / "[x].jpg").touch()
    assert len(find_inputs([str(tmp_path / "[x].jpg")]).paths) == 1
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures"):
        find_inputs([str(tmp_path / "empty")])
    with pytest.raises(DataError, match="no file matches"):
        find_inputs([str(tmp_path / "*.webp")])


def test_lists_of_paths() -> None:
    assert list(read_list(b"a b.jpg\nc.jpg\r\n\n", b"\n")) == ["a b.jpg", "c.jpg"]
    assert list(read_list(b"a\nb.jpg\0c.jpg\0", b"\0")) == ["a\nb.jpg", "c.jpg"]
    (name,) = read_list(b"\xff.jpg", b"\n")
    assert os.fsencode(name) == b"\xff.jpg"


def test_odd_names_survive_the_table(tmp_path: Path) -> None:
    names = ["a,b.jpg", 'q"q.jpg', "new\nline.jpg", "=1+1.jpg", os.fsdecode(b"\xff.jpg")]
    with TableFile(tmp_path / "keypoints.csv", CsvRows(FKP4)) as table:
        for name in names:
            table.write(name, Annotated(Faces.empty(FKP4), 8, 8))
    with (tmp_path / "keypoints.csv").open(encoding="utf-8", errors="surrogateescape") as file:
        read = list(csv.DictReader(file))
    assert [row["image"] for row in read] == names
    assert {row["status"] for row in read} == {"no_face"}


def test_results_are_not_overwritten_by_chance(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with claimed(out), pytest.raises(FkpError, match="another run is writing"), claimed(out):
        pass
    (out / "keypoints.csv").write_text("mine")
    (out / "overlays" / "a").mkdir(parents=True)
    (out / "overlays" / "a" / "x.jpg").touch()
    (out / "other.txt").touch()
    with pytest.raises(FkpError, match="holds results; overwrite them"), claimed(out):
        pass
    assert (out / "keypoints.csv").read_text() == "mine"
    with claimed(out, overwrite=True):
        assert {p.name for p in out.iterdir()} - {".lock"} == {"other.txt", "overlays"}
        assert not any((out / "overlays").iterdir())
    (tmp_path / "file").touch()
    with pytest.raises(FkpError, match="cannot be used"), claimed(tmp_path / "file"):
        pass


def test_what_a_killed_process_left_behind_is_removed(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    (tmp_path / "overlays").mkdir()
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    strays = [
        temporary_name(dead.pid, 3, ".json"),
        f"overlays/{temporary_name(dead.pid, 9, '.jpg')}",
        ".0123abcd-1-4.part.csv",  # of another machine, which is not writing here now
    ]
    others = [temporary_name(os.getpid(), 3, ".json"), ".mine.part", "keypoints.csv.part"]
    for name in (*strays, *others):
        (tmp_path / name).touch()
    with claimed(tmp_path, resume=True):
        left = {p.name for p in tmp_path.rglob("*.part*")}
    assert left == set(others)


def test_crops_are_upright_and_of_one_size(tmp_path: Path, samples: Path, network: Model) -> None:
    drawing = DrawConfig(crops=tmp_path / "crops", crop_size=128)
    run([str(samples)], tmp_path, network, drawing=drawing)
    names = sorted(p.name for p in (tmp_path / "crops").iterdir())
    assert names == [
        "astronaut.jpg.0.png", "group.jpg.0.png", "group.jpg.1.png", "group.jpg.2.png",
        "president.jpg.0.png", "rotated_by_exif.jpg.0.png", "speech.jpg.0.png",
        "vice_president.jpg.0.png",
    ]  # fmt: skip
    assert not (tmp_path / "overlays").exists()
    one, turned = (
        cv2.imread(str(tmp_path / "crops" / f"{name}.jpg.0.png"))
        for name in ("astronaut", "rotated_by_exif")
    )
    assert one is not None
    assert turned is not None
    assert one.shape == (128, 128, 3)
    # The same portrait upright, and turned by its EXIF tag.
    assert np.abs(one.astype(float) - turned).mean() < 12
    # The eyes lie where they do in every crop: darker than the cheeks below them.
    eyes = UPRIGHT_LAYOUT[:2] * 128
    for x, y in eyes.round().astype(int):
        assert one[y - 3 : y + 4, x - 5 : x + 6].min() < one[y + 14 : y + 22, x - 5 : x + 6].mean()


@pytest.mark.parametrize("hidden", ["eyes", "face"])
def test_hidden_faces(tmp_path: Path, samples: Path, network: Model, hidden: str) -> None:
    path = samples / "astronaut.jpg"
    pictures = {}
    for name, what in (("plain", None), ("hidden", hidden)):
        out = tmp_path / name
        drawing = DrawConfig(out / "overlays", crops=out / "crops", blur=what)
        run([str(path)], out, network, drawing=drawing)
        overlay = cv2.imread(str(out / "overlays" / "astronaut.jpg"))
        crop = cv2.imread(str(out / "crops" / "astronaut.jpg.0.png"))
        assert overlay is not None
        assert crop is not None
        pictures[name] = (overlay.astype(float), crop.astype(float))
    change = np.abs(pictures["plain"][1] - pictures["hidden"][1]).max(2)  # of the crop, 256 px
    right, left, _, mouth, _ = (UPRIGHT_LAYOUT * 256).round().astype(int)
    for x, y in (right, left):
        assert np.median(change[y - 8 : y + 9, x - 12 : x + 13]) > 10
    around = change[mouth[1] - 8 : mouth[1] + 9, mouth[0] : mouth[0] + 40]
    assert (np.median(around) > 10) == (hidden == "face")
    elsewhere = np.abs(pictures["plain"][0] - pictures["hidden"][0])[300:]
    assert elsewhere.mean() < 1
