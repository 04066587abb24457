"""`fkp people`: from results to sheets, and back from edited sheets."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

import fkp
from fkp.errors import FkpError, LabelError
from tests.helpers import SAMPLES, contents, fkp_here


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two portraits in two lights each, a group, a picture without a face, and a broken one."""
    folder = tmp_path_factory.mktemp("occasion")
    for name in ("president", "astronaut"):
        image = cv2.imread(str(SAMPLES / f"{name}.jpg"))
        assert image is not None
        small = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        for i, gain in enumerate((1.0, 0.9)):
            assert cv2.imwrite(str(folder / f"{name}{i}.png"), np.asarray(small * gain, np.uint8))
    (folder / "bad.jpg").write_bytes(b"no picture")
    fkp.annotate(folder, folder / "results", overlays=False, jobs=1)
    return folder / "results"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_persons_over_photos(results: Path, tmp_path: Path) -> None:
    found = fkp.people(results, tmp_path / "people", jobs=1)
    assert (found.persons, found.faces, found.exit_code, found.edited) == (2, 4, 0, False)
    faces = {Path(row["image"]).name: row["person"] for row in rows(tmp_path / "people/faces.csv")}
    assert faces["president0.png"] == faces["president1.png"] != faces["astronaut0.png"]
    table = pd.read_csv(tmp_path / "people" / "keypoints.csv")
    before = pd.read_csv(results / "keypoints.csv")
    assert list(table.columns) == [*before.columns, "person"]
    pd.testing.assert_frame_equal(table[before.columns.tolist()], before)
    assert table.person.isna().tolist() == (table.status != "ok").tolist()
    page = (tmp_path / "people" / "index.html").read_text()
    assert page.count("<figure") == 4
    assert page.count("data:image/jpeg;base64,/9j/") == 4


def test_edited_sheets_are_taken_back(results: Path, tmp_path: Path) -> None:
    """Names, merges, and a face that is moved; and undone again."""
    out = tmp_path / "people"
    fkp.people(results, out, jobs=1)
    before = contents(out)
    people, faces = rows(out / "people.csv"), rows(out / "faces.csv")
    people[0]["name"] = "Ann"
    faces[-1]["person"] = "guest"
    pd.DataFrame(people).to_csv(out / "people.csv", index=False, sep=";")  # as a spreadsheet may
    pd.DataFrame(faces).to_csv(out / "faces.csv", index=False)
    code, said = fkp_here("people", results, "-o", out, "--jobs", "1", cwd=tmp_path)
    assert code == 0
    assert "applied the edits in" in said
    table = pd.read_csv(out / "keypoints.csv")
    assert set(table.person.dropna()) == {"Ann", people[1]["person"], "guest"}
    assert "Ann (p1)" in (out / "index.html").read_text()
    people = rows(out / "people.csv")
    assert [row["name"] for row in people if row["person"] == "p1"] == ["Ann"]
    for row in people:
        row["name"] = "Ann"
    pd.DataFrame(people).to_csv(out / "people.csv", index=False)
    assert fkp.people(results, out, jobs=1).persons == 1
    fkp.people(results, out, jobs=1, overwrite=True)
    assert contents(out) == before


def test_sheets_of_other_results_are_refused(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "people"
    fkp.people(results, out, jobs=1)
    lines = (out / "faces.csv").read_text().splitlines()
    (out / "faces.csv").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(FkpError, match="1 of their faces are missing"):
        fkp.people(results, out, jobs=1)
    (out / "faces.csv").write_text(lines[0] + "\n" + lines[1].replace(",0,", ",x,", 1) + "\n")
    with pytest.raises(LabelError, match=r"faces\.csv row 2, columns face and fit"):
        fkp.people(results, out, jobs=1)
    (out / "people.csv").write_text("name\nAnn\n")
    with pytest.raises(LabelError, match="expected the columns person, name"):
        fkp.people(results, out, jobs=1)


def test_pictures_that_are_gone_have_no_person(results: Path, tmp_path: Path) -> None:
    picture = results.parent / "president1.png"
    data = picture.read_bytes()
    picture.unlink()
    try:
        code, said = fkp_here("people", results, "-o", tmp_path / "p", "--jobs", "1", cwd=tmp_path)
    finally:
        picture.write_bytes(data)
    assert code == 3
    assert "president1.png: no such file or directory" in said
    gone = [row for row in rows(tmp_path / "p" / "faces.csv") if not row["person"]]
    assert len(gone) == 1
    assert gone[0]["reason"] == "no such file or directory"


def test_faces_of_a_clip(tmp_path: Path) -> None:
    """The clip shows two persons, one after the other."""
    fkp.video(SAMPLES / "clip.mp4", tmp_path / "clip", every=10, overlays=False)
    found = fkp.people(tmp_path / "clip", jobs=1)
    assert found.persons == 2
    assert found.folder == tmp_path / "clip" / "people"
    table = pd.read_csv(found.folder / "keypoints.csv")
    assert (table.groupby("face").person.nunique() == 1).all()
    first, second = (table[part].person.unique() for part in (table.frame < 60, table.frame >= 60))
    assert len(first) == len(second) == 1
    assert first != second


def test_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(FkpError, match="holds no finished run"):
        fkp.people(tmp_path)
