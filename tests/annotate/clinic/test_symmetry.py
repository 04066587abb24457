"""Both sides of faces, at rest and in expressions: what was moved is found, whatever the pose."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

import fkp
from fkp.annotate.clinic.measured import COLUMNS
from fkp.annotate.outcome import Annotated, Failure, Result
from fkp.annotate.output.folder import write_run
from fkp.annotate.output.results import Output
from fkp.annotate.output.sinks import TableFile
from fkp.errors import DataError, FkpError
from fkp.keypoints import FKP4, IBUG68, Faces, Scheme
from fkp.vision.head import HEAD, Camera
from fkp.vision.symmetry import MEASURES, frontal
from tests.faces68 import rotation
from tests.helpers import fkp_here

Array = npt.NDArray[np.float64]
CAMERA = Camera()
MATRIX = CAMERA.matrix(640, 480)
EYES = float(np.linalg.norm(HEAD[[36, 39]].mean(0) - HEAD[[42, 45]].mean(0)))
"""Millimetres between the eye centres of the mean head."""


def seen(head: Array, yaw: float = 0, pitch: float = 0, roll: float = 0, far: float = 700) -> Array:
    """(68, 2): a head as the camera shows it."""
    space = head @ rotation(yaw, pitch, roll).T + [20, -30, far]
    flat = space @ MATRIX.T
    return np.asarray(flat[:, :2] / flat[:, 2:])


def moved(**by: tuple[float, float]) -> Array:
    """The mean head with points moved: p48=(x, y) millimetres."""
    head = HEAD.copy()
    for name, shift in by.items():
        head[int(name[1:]), :2] += shift
    return head


SMILE = moved(p48=(-6.0, -8.0), p54=(1.5, -2.0))
"""The right corner of the mouth goes 10 mm out and up, the left one a quarter of that."""


@pytest.mark.parametrize("pose", [(0, 0, 0), (12, 0, 0), (-12, 8, 25), (0, -12, -40)])
@pytest.mark.parametrize("far", [400, 1500])
def test_what_was_moved_is_found_in_any_pose(pose: tuple[float, float, float], far: float) -> None:
    rest = frontal(seen(HEAD, *pose, far=far), MATRIX)
    smile = frontal(seen(SMILE, *pose, far=far), MATRIX)
    assert rest is not None
    assert smile is not None
    sides = rest.sides() * EYES
    assert sides[:, 0] == pytest.approx(sides[:, 1], abs=0.05)
    assert smile.excursion(rest) * EYES == pytest.approx([10, 2.5], rel=0.05)
    change = dict(zip(MEASURES, (smile.sides() - rest.sides()) * EYES, strict=True))
    assert change["mouth_corner_height"] == pytest.approx([-8, -2], abs=0.4)
    assert change["mouth_corner_width"] == pytest.approx([6, 1.5], abs=0.6)
    for name in ("brow_height", "eye_opening", "nostril_height"):
        assert change[name] == pytest.approx(0, abs=0.05)


def test_each_measure_is_of_its_side() -> None:
    head = moved(p18=(0, -3), p19=(0, -3), p20=(0, -3), p43=(0, 2), p44=(0, 2), p35=(0, -1.5))
    before, after = frontal(seen(HEAD), MATRIX), frontal(seen(head), MATRIX)
    assert before is not None
    assert after is not None
    change = dict(zip(MEASURES, (after.sides() - before.sides()) * EYES, strict=True))
    assert change["brow_height"] == pytest.approx([3, 0], abs=0.15)
    assert change["eye_opening"] == pytest.approx([0, -2], abs=0.15)
    assert change["nostril_height"] == pytest.approx([0, -1.5], abs=0.15)


def test_points_that_are_no_face_have_no_measures() -> None:
    rng = np.random.default_rng(0)
    assert frontal(rng.uniform(0, 300, (68, 2)), MATRIX) is None
    lacking = seen(HEAD)
    lacking[8] = np.nan
    assert frontal(lacking, MATRIX) is None


def results(folder: Path, found: dict[str, Array | str | None], scheme: Scheme = IBUG68) -> Path:
    """A finished run that found these points, nothing, or could not read a picture."""
    folder.mkdir()
    output = Output(scheme, gallery=False)
    with TableFile(output.table(folder), output.rows) as table:
        for name, points in found.items():
            table.write(name, _result(points, scheme))
    write_run(
        folder,
        {"statuses": {"ok": 1}, "faces": 1, "identity": {**output.identity(), "overlays": False}},
    )
    return folder


def _result(points: Array | str | None, scheme: Scheme) -> Result:
    if isinstance(points, str):
        return Failure(points)
    if points is None:
        return Annotated(Faces.empty(scheme), 640, 480)
    both = np.stack([points, points + np.array([150, 0])])[:, : len(scheme)].astype(np.float32)
    scores = np.array([0.9, 0.5], np.float32)
    sure = np.ones(both.shape[:2], np.float32)
    return Annotated(Faces(scheme, np.zeros((2, 4), np.float32), scores, both, sure), 640, 480)


FOUND: dict[str, Array | str | None] = {
    "in/anna/may/rest.jpg": seen(HEAD), "in/anna/may/smile.jpg": seen(SMILE, yaw=8),
    "in/anna/june/smile.jpg": seen(SMILE), "in/anna/june/broken.jpg": "empty file (0 bytes)",
    "in/bea/one/Rest.jpg": seen(HEAD, yaw=25), "in/bea/one/frown.jpg": None,
}  # fmt: skip


def test_a_table_per_visit_and_a_page_per_person(tmp_path: Path) -> None:
    folder = results(tmp_path / "results", FOUND)
    report = fkp.symmetry(folder, tmp_path / "out", ipd=62)
    assert (report.persons, report.visits, report.pictures, report.exit_code) == (2, 3, 6, 3)
    assert dict(report.missing) == {
        "in/anna/june/broken.jpg": "unreadable: empty file (0 bytes)",
        "in/bea/one/frown.jpg": "no face",
    }
    assert report.notes == ("anna, visit june: no picture at rest (rest*), so changes are empty",)
    may = pd.read_csv(tmp_path / "out" / "anna" / "may.csv")
    assert list(may.columns) == list(COLUMNS)
    assert set(may["unit"]) == {"mm"}
    smile = may[may["expression"] == "smile"].set_index("measure")
    corner = smile.loc["mouth_corner_excursion"]
    assert corner["right_change"] == pytest.approx(10 * 62 / EYES, rel=0.05)
    assert corner["change_symmetry"] == pytest.approx(0.25, abs=0.04)
    assert smile.loc["mouth_corner_height", "asymmetry"] == pytest.approx(6 / 61, abs=0.02)
    assert may[may["expression"] == "rest"]["right_change"].isna().all()
    june = pd.read_csv(tmp_path / "out" / "anna" / "june.csv")
    assert june["right_change"].isna().all()
    assert june[june["expression"] == "broken"]["right"].isna().tolist() == [True]
    bea = pd.read_csv(tmp_path / "out" / "bea" / "one.csv")
    assert bea["reason"].str.contains("degrees").tolist() == [True] * 7 + [False]
    page = (tmp_path / "out" / "anna.html").read_text()
    assert page.count("<section>") == 4
    assert "mouth corner excursion" in page
    with pytest.raises(FkpError, match="holds tables"):
        fkp.symmetry(folder, tmp_path / "out")


def test_a_list_names_pictures_and_scales(tmp_path: Path) -> None:
    folder = results(tmp_path / "results", FOUND)
    listed = tmp_path / "list.csv"
    level = seen(HEAD)
    eyes = float(np.linalg.norm(level[[36, 39]].mean(0) - level[[42, 45]].mean(0)))
    iris = eyes * 11.7 / 60
    listed.write_text(
        "image,person,expression,visit,ipd_mm,iris_px\n"
        f"may/rest.jpg,A/1,neutral,first,,{iris}\nmay/smile.jpg,A/1,smile,first,60,\n"
        "june/smile.jpg,A?1,smile,,,\n"
    )
    code, said = fkp_here(
        "symmetry", folder, "--visits", listed, "--rest", "neutral", "-o", "out", cwd=tmp_path
    )
    assert code == 0
    assert "3 pictures of 2 persons in 2 visits" in said
    table = pd.read_csv(tmp_path / "out" / "A_1" / "first.csv")
    wide = table[table["measure"] == "mouth_corner_width"]["right"].to_numpy()
    assert wide[0] == pytest.approx(60 * 0.436, rel=0.02)  # the iris gives the 60 mm as well
    assert wide[1] == pytest.approx(60 * 0.436 + 6 * 60 / EYES, rel=0.03)
    other = pd.read_csv(tmp_path / "out" / "A_1_2" / "1.csv")
    assert set(other["unit"]) == {"eye distance"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image,person\na,b\n", "expression is missing"),
        (
            "image,person,expression\nnone.jpg,A,rest\n",
            'row 2, column image: .* "none.jpg", got none',
        ),
        ("image,person,expression\nsmile.jpg,A,rest\n", 'ends in "smile.jpg", got 2'),
        ("image,person,expression\nmay/rest.jpg,,rest\n", "row 2, column person: expected a name"),
        ("image,person,expression,ipd_mm\nmay/rest.jpg,A,rest,-3\n", "above 0, got '-3'"),
        ("image,person,expression\n", "has no rows"),
    ],
)
def test_a_list_that_cannot_be_used_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    folder = results(tmp_path / "results", FOUND)
    (tmp_path / "list.csv").write_text(text)
    with pytest.raises(DataError, match=said):
        fkp.symmetry(folder, tmp_path / "out", visits=tmp_path / "list.csv")


def test_results_that_cannot_be_used_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(FkpError, match="no finished run"):
        fkp.symmetry(tmp_path / "nowhere", tmp_path / "out")
    four = results(tmp_path / "four", {"a/b.jpg": seen(HEAD)}, FKP4)
    with pytest.raises(FkpError, match="need the 68 points"):
        fkp.symmetry(four, tmp_path / "out")
