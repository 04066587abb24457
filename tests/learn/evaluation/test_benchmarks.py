"""Published benchmarks: tiny copies of each set, and figures that were worked out by hand."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from click.testing import CliRunner

import fkp
from fkp.cli.main import cli
from fkp.errors import DataError, LabelError, UsageError
from fkp.keypoints import IBUG68, MTFL5, WFLW98, Scheme
from fkp.learn.evaluation.benchmarks import pose, wider
from fkp.learn.evaluation.benchmarks.aflw2000 import read_aflw2000
from fkp.learn.evaluation.benchmarks.cofw import COFW29, read_cofw
from fkp.learn.evaluation.benchmarks.faces import (
    FaceSet,
    FoundPoints,
    find_by_detector,
    find_in_boxes,
)
from fkp.learn.evaluation.benchmarks.landmarks import landmark_table
from fkp.learn.evaluation.benchmarks.merl_rav import read_merl_rav
from fkp.learn.evaluation.benchmarks.report import SubsetScores
from fkp.learn.evaluation.benchmarks.run import run_benchmark
from fkp.learn.evaluation.benchmarks.w300 import read_300w
from fkp.learn.evaluation.benchmarks.wflw import read_wflw
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.vision.detect import YuNetDetector
from tests import published

Array = npt.NDArray[np.float64]
W300 = ("helen/testset", "lfpw/testset", "ibug", "01_Indoor", "02_Outdoor")


def score(
    faces: FaceSet,
    away: list[float] | Array,
    missed: list[bool] | None = None,
    scheme: Scheme | None = None,
) -> dict[str, SubsetScores]:
    """The rows of a table in which face i, or each of its points, is `away` pixels to the right."""
    own = scheme or faces.scheme
    points = faces.scheme.convert(np.nan_to_num(faces.points), own)
    points[..., 0] += np.asarray(away, float).reshape(len(points), -1)
    lost = np.zeros(len(points), bool) if missed is None else np.array(missed)
    points[lost] = np.nan
    found = FoundPoints(points, lost, np.full((len(points), 2), 300.0))
    table = landmark_table(own, faces, found, None if missed is None else "fkp")
    return {row.subset: row for row in table.rows}


def values(row: SubsetScores, *names: str) -> list[float]:
    return [row.values[name] for name in names]


def test_300w(tmp_path: Path) -> None:
    published.write_300w(tmp_path / "data", {part: published.face68() for part in W300})
    mirrored = tmp_path / "data" / "helen" / "testset" / "image_0001_mirror.pts"
    published.write_pts(mirrored, published.face68())
    (faces,) = read_300w(tmp_path)
    assert np.allclose(faces.points, published.face68())  # whose first pixel is 0
    assert [Path(str(p)).parent.name for p in faces.pictures][2:] == ["ibug", *W300[3:]]
    rows = score(faces, [5, 9, 20, 0, 9])
    assert {name: row.faces for name, row in rows.items()} == {
        "common": 2, "challenging": 1, "full": 3, "test": 2,
    }  # fmt: skip
    # 5 and 9 px of 100 px between the corners, 60 px between the centres, a box of 200 px.
    norms = values(rows["common"], "NME (inter-ocular)", "NME (inter-pupil)", "NME (box)")
    assert norms == pytest.approx([7, 7 / 0.6, 3.5])
    # One of two over 8 %; the areas are (1 - 5/8) / 2 and (1 - 5/10 + 1 - 9/10) / 2.
    limits = values(rows["common"], "FR 8", "AUC 8", "FR 10", "AUC 10")
    assert limits == pytest.approx([50, 0.1875, 0, 0.3])
    full = values(rows["full"], "NME (inter-ocular)", "FR 10", "AUC 10")
    assert full == pytest.approx([34 / 3, 100 / 3, 0.2])
    assert values(rows["test"], "NME (inter-ocular)") == pytest.approx([4.5])


def test_a_missed_face_is_a_failure(tmp_path: Path) -> None:
    published.write_300w(tmp_path, dict.fromkeys(W300[:2], published.face68()))
    (faces,) = read_300w(tmp_path)
    row = score(faces, [0, 9], missed=[True, False])["common"]
    assert (row.faces, row.missed) == (2, 1)
    assert values(row, "NME (inter-ocular)", "FR 10") == pytest.approx([9, 50])
    assert row.values["AUC 10"] == pytest.approx(0.1 / 2)


def test_wflw_and_its_subsets(tmp_path: Path) -> None:
    face = np.full((98, 2), 150.0)
    face[[60, 72]] = (100, 100), (200, 100)
    face[[0, 16]] = (50, 60), (150, 260)
    published.write_wflw(tmp_path, [face, face], ["1 0 0 0 0 1", "0 0 0 1 0 0"])
    (faces,) = read_wflw(tmp_path)
    assert np.allclose(faces.points, face)
    rows = score(faces, [6, 12])
    assert list(rows) == ["test", "large pose", "make-up", "blur"]
    whole = values(rows["test"], "NME (inter-ocular)", "FR 10", "AUC 10")
    assert whole == pytest.approx([9, 50, 0.2])
    assert rows["blur"].values["NME (inter-ocular)"] == pytest.approx(6)
    # A network of 68 points is compared at those, still by the corners of the 98.
    fewer = score(faces, [6, 12], scheme=IBUG68)
    assert fewer["make-up"].values["NME (inter-ocular)"] == pytest.approx(12)
    found = FoundPoints(WFLW98.convert(faces.points, IBUG68), np.zeros(2, bool), np.zeros((2, 2)))
    notes = landmark_table(IBUG68, faces, found, None).notes
    assert any("compared at the 68 points" in note for note in notes)
    assert any("2 faces, but the published subset has 2500" in note for note in notes)


def test_cofw_with_both_kinds_of_points(tmp_path: Path) -> None:
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[5, 7] = (255, 128, 0)  # RGB, row 5, column 7
    gray = np.arange(2400, dtype=np.uint8).reshape(40, 60)
    face = np.full((29, 2), 150.0)
    face[[16, 17]] = (100, 100), (160, 100)  # pupils
    face[[8, 9]] = (80, 100), (180, 100)  # outer corners
    covered = np.zeros((2, 29))
    covered[:, 28] = 1
    published.write_cofw(tmp_path, [colours, gray], np.array([face, face]), covered)
    (only,) = read_cofw(tmp_path)
    assert only.scheme == COFW29
    assert np.allclose(only.points, face)
    first, second = only.pictures
    assert not isinstance(first, Path)
    assert first[5, 7].tolist() == [0, 128, 255]  # BGR
    assert np.array_equal(np.asarray(second), gray)
    away = np.full((2, 29), 3.0)
    away[:, 28] = 61  # (28 * 3 + 61) / 29 = 5 px
    row = score(only, away)["test"]
    names = ("NME (inter-pupil)", "NME (inter-ocular)", "NME, uncovered", "FR 10")
    assert values(row, *names) == pytest.approx([100 * 5 / 60, 5, 100 * 3 / 60, 0])
    hidden = np.zeros((2, 68))
    hidden[1, :17] = 1
    published.write_cofw68(tmp_path, np.array([published.face68()] * 2), hidden)
    _, second_set = read_cofw(tmp_path)
    assert np.allclose(second_set.points, published.face68())
    assert second_set.covered is not None
    assert second_set.covered.sum(1).tolist() == [0, 17]
    # Ghiasi and Fowlkes divide by the distance of the eyes' centres, of six points each.
    assert score(second_set, [3, 3])["test"].values["NME (inter-pupil)"] == pytest.approx(5)


@pytest.mark.parametrize("organised", [True, False])
def test_merl_rav_and_its_visibility(tmp_path: Path, organised: bool) -> None:
    raw = published.face68()
    raw[0] = -1, -1  # hidden by the face itself
    raw[8] *= -1  # covered by something
    labels = tmp_path / ("merl_rav_organized" if organised else "merl_rav_labels")
    for pose_name, name in (("frontal", "image00019"), ("righthalf", "image00020_2")):
        place = labels / pose_name / "testset"
        if organised:
            place.mkdir(parents=True)
            published.write_pts(place / f"{name}.pts", raw)
            continue
        (place / "labels").mkdir(parents=True)
        published.write_pts(place / "labels" / f"{name}.pts", raw)
        (place / "labels" / f"{name}.png").unlink()
        picture = f"{name.partition('_')[0]}.jpg"
        published.write_picture(tmp_path / "aflw" / "flickr" / "0" / picture)
    (faces,) = read_merl_rav(tmp_path)
    stems = [Path(str(picture)).stem for picture in faces.pictures]
    assert stems == ["image00019", "image00020_2" if organised else "image00020"]
    assert np.isnan(faces.points[:, 0]).all()
    assert faces.points[0, 8].tolist() == [150, 260]
    away = np.full((2, 68), 5.0)
    away[:, 8] = 72  # (66 * 5 + 72) / 67 = 6 px
    rows = score(faces, away)
    assert list(rows) == ["all", "frontal", "half profile"]
    side = np.sqrt(150 * 200)  # without point 0 the box begins at the eye's corner
    names = ("NME (box)", "NME, uncovered", "FR 7")
    assert values(rows["frontal"], *names) == pytest.approx([600 / side, 500 / side, 0])
    assert rows["all"].values["AUC 7"] == pytest.approx(1 - 6 / side / 0.07)


def test_aflw2000_by_yaw(tmp_path: Path) -> None:
    angles = [(0, -20, 0), (0, 30, 0), (5, 45, 0), (0, -70, 10)]
    published.write_aflw2000(tmp_path, [published.face68()] * 4, angles)
    (faces,) = read_aflw2000(tmp_path)
    assert np.allclose(faces.points, published.face68())
    assert faces.angles is not None
    assert np.allclose(faces.angles, angles)
    rows = score(faces, [2, 6, 4, 12])  # of a box of 200 px: 1, 3, 2 and 6 %
    assert [rows[f"yaw {b}"].values["NME (box)"] for b in ("0-30", "30-60", "60-90")] == (
        pytest.approx([2, 2, 6])
    )
    assert rows["all"].values["NME (box)"] == pytest.approx(3)
    assert rows["mean of yaw bins"].values["NME (box)"] == pytest.approx(10 / 3)


def test_rotations_between_the_two_conventions() -> None:
    def nose_and_top(angles: tuple[float, float, float]) -> tuple[Array, Array]:
        turned = pose.from_pose_para(np.array([angles])).as_matrix()[0]
        return turned[:, 2], turned[:, 1]  # x right, y up, z to the camera

    half, root = 0.5, np.sqrt(0.75)
    assert nose_and_top((0, 30, 0))[0] == pytest.approx([-half, 0, root])  # to the left
    assert nose_and_top((30, 0, 0))[0] == pytest.approx([0, half, root])  # up
    assert nose_and_top((0, 0, 30))[1] == pytest.approx([half, root, 0])  # leans to the right
    # R_x R_y: the nose goes (-sin 60, sin 30 cos 60, cos 30 cos 60).
    assert nose_and_top((30, 60, 0))[0] == pytest.approx([-root, half * half, root * half])
    one = np.full(1, 30.0)
    for own, theirs in (((1, 0, 0), (0, -30, 0)), ((0, 1, 0), (30, 0, 0)), ((0, 0, 1), (0, 0, 30))):
        yaw, pitch, roll = (one * v for v in own)
        assert pose.to_pose_para(pose.from_measures(yaw, pitch, roll))[0] == pytest.approx(theirs)
    several = np.array([[10.0, -80, 30], [-40, 20, -170]])
    assert pose.to_pose_para(pose.from_pose_para(several)) == pytest.approx(several)
    assert pose.angle_errors(np.array([[179.0, 0, 5]]), np.array([[-179.0, 10, 2]])).tolist() == [
        [2, 10, 3]
    ]
    truth = np.array([[0.0, 10, 0], [0, 0, 0]])
    assert pose.rotation_errors(np.array([[0.0, 30, 0], [np.nan] * 3]), truth) == pytest.approx(
        [20, np.nan], nan_ok=True
    )


BOXES = [
    np.array([[10, 10, 20, 20], [100, 10, 20, 20], [10, 100, 20, 20], [11, 10, 20, 20.0]]),
    np.array([[50, 50, 30, 30.0]]),
]
SCORES = [np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.5])]
TRUTH = [np.array([[10, 10, 20, 20], [100, 10, 20, 20.0]]), np.array([[50, 50, 30, 30.0]])]


def test_average_precision_by_hand() -> None:
    # The second face is ignored: its box counts for nothing. The third box is a false alarm, and so
    # is the fourth, which finds the first face again. Precision 1/1 at recall 1/2, then 2/4 at 1.
    easy = [np.array([True, False]), np.array([True])]
    assert wider.average_precision(BOXES, SCORES, TRUTH, easy) == pytest.approx(0.5 + 0.5 * 2 / 4)
    hard = [np.array([True, True]), np.array([True])]
    expected = 2 / 3 * 1 + 1 / 3 * 3 / 5
    assert wider.average_precision(BOXES, SCORES, TRUTH, hard) == pytest.approx(expected)
    nothing = [np.zeros((0, 4)), np.zeros((0, 4))]
    assert wider.average_precision(nothing, [np.zeros(0)] * 2, TRUTH, hard) == 0
    # 10 x 5 of 10 x 10 whole pixels is just half.
    half = [np.array([[0, 0, 9, 4.0]])], [np.ones(1)], [np.array([[0, 0, 9, 9.0]])]
    assert wider.average_precision(*half, [np.array([True])]) == 1


def test_wider_is_read_as_published(tmp_path: Path) -> None:
    events = {"0--Parade": {"0_A": TRUTH[0], "0_B": TRUTH[1]}, "1--Work": {"1_C": TRUTH[1]}}
    counted = {
        "easy": {"0_A": [1], "0_B": [1], "1_C": []},
        "medium": {"0_A": [1, 2], "0_B": [1], "1_C": []},
        "hard": {"0_A": [1, 2], "0_B": [1], "1_C": [1]},
    }
    published.write_wider(tmp_path, events, counted)
    scenes = wider.read_wider(tmp_path)
    assert [Path(str(p)).name for p in scenes.pictures] == ["0_A.jpg", "0_B.jpg", "1_C.jpg"]
    assert all(Path(str(p)).exists() for p in scenes.pictures)
    assert np.array_equal(scenes.boxes[0], TRUTH[0])
    assert [part.tolist() for part in scenes.counted["easy"]] == [[True, False], [True], [False]]
    (tmp_path / "eval_tools" / "ground_truth" / "wider_hard_val.mat").unlink()
    with pytest.raises(DataError, match=r"wider_hard_val\.mat; it is in .* of eval_tools"):
        wider.read_wider(tmp_path)


def astronaut(samples: Path) -> tuple[npt.NDArray[np.uint8], Array]:
    """A portrait, and rough labels by eye: the jaw, the chin, the eyes' outer corners."""
    image = np.asarray(cv2.imread(str(samples / "astronaut.jpg")), np.uint8)
    return image, np.array([[192.0, 102], [256, 104]])


def test_faces_by_boxes_and_by_a_detector(tmp_path: Path, samples: Path) -> None:
    """A real portrait with its eyes' corners and its box by eye, in both modes."""
    image, corners = astronaut(samples)
    face = np.tile([222.0, 130], (68, 1))
    face[[0, 16]] = (179, 80), (273, 80)  # the box: brows to chin, ear to ear
    face[8] = 222, 178
    face[[36, 45]] = corners
    published.write_300w(tmp_path, {"ibug": face})
    cv2.imwrite(str(tmp_path / "ibug" / "image_0001.png"), image)
    (faces,) = read_300w(tmp_path)
    model = load_model(find_model("bundled"))
    for found in (
        find_in_boxes(model, faces, lambda done, total: None),
        find_by_detector(model, faces, YuNetDetector(), lambda done, total: None),
    ):
        assert not found.missed[0]
        assert found.sizes_wh[0].tolist() == [image.shape[1], image.shape[0]]
        assert np.linalg.norm(found.points[0, [36, 45]] - corners, axis=1).max() < 6
    elsewhere = face - [0, 75]  # too far for that face to be this one
    published.write_300w(tmp_path, {"ibug": elsewhere})
    (faces,) = read_300w(tmp_path)
    assert find_by_detector(model, faces, YuNetDetector(), lambda done, total: None).missed[0]


def test_the_command_and_its_files(tmp_path: Path, samples: Path) -> None:
    image, _ = astronaut(samples)
    box = np.array([[178.0, 62, 92, 118]])
    kept = {setting: {"a": [1]} for setting in wider.SETTINGS}
    published.write_wider(tmp_path / "wider", {"0--One": {"a": box}}, kept, {"a": image})
    for out in ("t.csv", "t.json"):
        arguments = ["benchmark", "wider", str(tmp_path / "wider"), "--out", str(tmp_path / out)]
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == 0, done.output
    assert "AP, detector: area under the precision-recall curve" in done.output
    assert "1 pictures, but the published part has 3226" in done.output
    table = pd.read_csv(tmp_path / "t.csv")
    assert table["subset"].tolist() == [s for s in wider.SETTINGS for _ in range(2)]
    assert (table["value"] == 100).all()
    assert table["definition"].str.len().min() > 40
    (found,) = json.loads((tmp_path / "t.json").read_text())["tables"]
    assert found["rows"][0]["AP, detector"] == 100
    assert set(found["metrics"]) == {"AP, detector", "AP, with network"}
    (score,) = fkp.benchmark("wider", tmp_path / "wider", detector=YuNetDetector())
    assert score.rows[0].values["AP, detector"] == 100
    with pytest.raises(UsageError, match="expected one of 300w, wflw"):
        fkp.benchmark("lfw", tmp_path)
    arguments = ["benchmark", "wider", str(tmp_path), "--out", "t.txt"]
    assert CliRunner().invoke(cli, arguments).exit_code == 2


@pytest.mark.parametrize(
    ("read", "message"),
    [
        (read_300w, "expected iBUG's folders"),
        (read_wflw, r"expected list_98pt_rect_attr_test\.txt, as WFLW is published"),
        (read_cofw, r"expected COFW_test_color\.mat"),
        (read_merl_rav, "expected merl_rav_organized"),
        (read_aflw2000, r"expected image\*\.mat"),
        (wider.read_wider, r"expected wider_face_val\.mat"),
    ],
)
def test_a_folder_without_the_set(
    tmp_path: Path, read: Callable[[Path], object], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_sets_that_are_broken_or_have_other_points(tmp_path: Path) -> None:
    published.write_300w(tmp_path / "a", {"ibug": published.face68()[:5]})
    with pytest.raises(LabelError, match=r"image_0001\.pts: expected 68 points, got 5"):
        read_300w(tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "COFW_test_color.mat").write_text("no MATLAB")
    with pytest.raises(DataError, match="cannot be read as a MATLAB file"):
        read_cofw(tmp_path / "b")
    face = np.random.default_rng(0).uniform(0, 99, (1, 29, 2))
    image = np.zeros((100, 100), np.uint8)
    published.write_cofw(tmp_path / "c", [image], face, np.zeros((1, 29)))
    model = load_model(find_model("bundled"))
    with pytest.raises(DataError, match=r"finds 68 points .* labels 29 \(COFW\)"):
        run_benchmark("cofw", tmp_path / "c", model, None)
    with pytest.raises(DataError, match="no such folder"):
        run_benchmark("cofw", tmp_path / "d", model, None)
    (cofw,) = read_cofw(tmp_path / "c")
    with pytest.raises(DataError, match="cannot be compared"):
        landmark_table(
            MTFL5, cofw, FoundPoints(face[:, :5], np.zeros(1, bool), np.zeros((1, 2))), None
        )
