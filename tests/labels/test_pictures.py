"""Where the pictures of a table are found."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest

from fkp.errors import LabelError
from fkp.keypoints import FKP4
from fkp.labels.pictures import Pictures, find_pictures
from fkp.labels.table import LabelTable, ReadOptions


def place(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)


def find(root: Path, names: list[str], images: Path | None = None) -> Pictures:
    n = len(names)
    table = LabelTable(
        "labels.csv", FKP4, np.zeros((n, 4, 2)), np.arange(2, n + 2), images=names, folder=root
    )
    return find_pictures(table, ReadOptions(images=images))


@pytest.mark.parametrize(
    "spelled",
    [
        "images/s1/a.jpg", "images\\s1\\a.jpg", "./images/../images/s1/a.jpg",
        "/home/other/project/images/s1/a.jpg", "C:\\Users\\x\\images\\s1\\a.jpg",
        "\\\\server\\share\\images\\s1\\a.jpg", "file:///data/images/s1/a.jpg",
        "https://host/files/images/s1/a.jpg?x=1", "s3://bucket/images/s1/a.jpg",
        "/data/local-files/?d=images/s1/a.jpg", "IMAGES/S1/A.JPG", "s1/a.jpg", "images/s1/a",
    ],
)  # fmt: skip
def test_paths_from_elsewhere(tmp_path: Path, spelled: str) -> None:
    place(tmp_path, "images/s1/a.jpg", "images/s2/b.jpg")
    other = spelled.replace("s1", "s2").replace("S1", "S2").replace("a.", "b.")
    other = other.replace("A.JPG", "B.JPG") if other.isupper() else other
    names = [spelled] if "." not in spelled[-4:] else [spelled, other]
    found = find(tmp_path, names)
    first = found.path(0)
    assert first is not None
    assert first.resolve() == tmp_path / "images/s1/a.jpg"
    below = find(tmp_path, names, tmp_path / "images").path(0)
    assert below is not None
    assert below.resolve() == first.resolve()


def test_accents_in_two_forms(tmp_path: Path) -> None:
    name = "Zoë/Müller.jpg"
    place(tmp_path, unicodedata.normalize("NFD", name))
    assert find(tmp_path, [unicodedata.normalize("NFC", name)]).path(0) is not None


def test_uploads_of_label_studio(tmp_path: Path) -> None:
    place(tmp_path, "images/a.jpg")
    found = find(tmp_path, ["/data/upload/3/0123abcd-a.jpg"])
    assert found.names == ["images/a.jpg"]
    assert "found by the last parts of their paths" in found.notes[0]


def test_another_folder_with_the_same_names_is_not_taken(tmp_path: Path) -> None:
    """A row's picture is missing, and another person's has the same name."""
    place(tmp_path, "s1/001.jpg", "s2/001.jpg", "s2/002.jpg")
    found = find(tmp_path, ["s1/001.jpg", "s1/002.jpg", "s2/001.jpg"])
    assert found.names == ["s1/001.jpg", None, "s2/001.jpg"]
    assert "no such file" in found.problems[1]


def test_a_whole_tree_may_have_moved(tmp_path: Path) -> None:
    place(tmp_path, "copy/s1/001.jpg", "copy/s2/001.jpg")
    found = find(tmp_path, ["/raw/s1/001.jpg", "/raw/s2/001.jpg"])
    assert found.names == ["copy/s1/001.jpg", "copy/s2/001.jpg"]
    with pytest.raises(LabelError, match="file not found"):
        find(tmp_path, ["/raw/s3/001.jpg"])


def test_two_paths_never_share_a_file(tmp_path: Path) -> None:
    place(tmp_path, "flat/001.jpg", "flat/002.jpg")
    names = ["/d/s1/001.jpg", "/d/s2/001.jpg", "/d/s1/002.jpg"]
    found = find(tmp_path, names, tmp_path / "flat")
    assert found.names == [None, None, "002.jpg"]
    assert "also matches another path" in found.problems[0]


def test_names_in_several_folders_are_not_guessed(tmp_path: Path) -> None:
    place(tmp_path, "x/deep/001.jpg", "y/deep/001.jpg")
    with pytest.raises(LabelError, match=r"it may be x/deep/001\.jpg or y/deep/001\.jpg"):
        find(tmp_path, ["001.jpg"])
    (tmp_path / "y/deep/001.jpg").write_text("x/deep/001.jpg")  # a copy is no other picture
    assert find(tmp_path, ["001.jpg"]).names == ["x/deep/001.jpg"]


def test_the_table_s_own_folder_comes_first(tmp_path: Path) -> None:
    place(tmp_path, "images/a.jpg", "copy/images/a.jpg")
    assert find(tmp_path, ["images/a.jpg"]).path(0) == tmp_path / "images/a.jpg"


def test_nothing_found_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"row 2, column image: file not found: a.jpg \(looked in"):
        find(tmp_path, ["a.jpg"])
