"""From foreign tables to a data set."""

import random
import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from fkp.errors import DataError, FkpError, LabelError
from fkp.keypoints import FKP4, IBUG68, MTFL5, Scheme
from fkp.labels import check
from fkp.labels.columns import find_points
from fkp.labels.prepare import PrepareConfig, PrepareReport, prepare
from fkp.labels.split import merge_persons, persons_from_names, split_persons
from fkp.labels.store import read_samples
from fkp.labels.table import ReadOptions
from tests.helpers import faces, label_frame, write_course, write_kaggle, write_pictures


def run(*sources: Path, out: Path | None = None, **options: object) -> PrepareReport:
    output = out or sources[0].parent / "out" / "data.csv"
    config = PrepareConfig(tuple(sources), output, **options)  # type: ignore[arg-type]
    return prepare(config, lambda done, total: None)


def test_kaggle_round_trip(tmp_path: Path) -> None:
    points = write_kaggle(tmp_path / "training.csv", 40)
    report = run(tmp_path / "training.csv")
    samples = read_samples(tmp_path / "out" / "data.csv")
    assert samples.crop_mode == "none"
    assert np.allclose(samples.points, points, equal_nan=True, atol=1e-4)
    assert (samples.crops == faces(40)[0]).all()
    assert isinstance(samples.crops, np.memmap)
    assert np.allclose(report.missing, np.isnan(points[:, :, 0]).mean(0))
    assert not (tmp_path / "out" / "data.rejected.csv").exists()


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("layout", ["last", "first", "npz", "float"])
def test_course_form(tmp_path: Path, unit: bool, layout: str) -> None:
    points = write_course(tmp_path, 30, unit)
    array = np.load(tmp_path / "faces.npy")
    if layout == "first":
        np.save(tmp_path / "faces.npy", np.moveaxis(array, -1, 0))
    if layout == "float":
        np.save(tmp_path / "faces.npy", array / 255.0)
    if layout == "npz":
        (tmp_path / "faces.npy").unlink()
        np.savez(tmp_path / "faces.npz", face_images=array)
    report = run(tmp_path / "labels.csv")  # finds the only array beside it
    assert report.samples.scheme is FKP4
    assert np.allclose(report.samples.points, points, atol=1e-3)
    assert (report.samples.crops == faces(30)[0]).all()


def test_as_many_pictures_as_pixels(tmp_path: Path) -> None:
    write_course(tmp_path, 96)
    report = run(tmp_path / "labels.csv", tmp_path / "faces.npy")
    assert (report.samples.crops == faces(96)[0]).all()


def test_course_form_names_what_is_wrong(tmp_path: Path) -> None:
    write_course(tmp_path, 10)
    np.save(tmp_path / "faces.npy", np.zeros((96, 96, 9), np.uint8))
    with pytest.raises(LabelError, match=r"10 rows, but the array has shape \(96, 96, 9\)"):
        run(tmp_path / "labels.csv")
    (tmp_path / "faces.npy").write_text("no array")
    with pytest.raises(DataError, match="expected a NumPy array file"):
        run(tmp_path / "labels.csv")
    (tmp_path / "faces.npy").unlink()
    with pytest.raises(LabelError, match="no array of pictures in the same folder"):
        run(tmp_path / "labels.csv")


def test_pictures_are_cut_upright(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 12)
    samples = run(tmp_path / "labels.csv").samples
    assert samples.crop_mode == "face"
    eyes = samples.scheme.anchor_points(samples.points)[:, :2]
    assert np.abs(eyes[:, 0, 1] - eyes[:, 1, 1]).max() < 8
    for row, (a, b, tx, ty) in enumerate(samples.transforms):
        x, y = points[row].T
        mapped = np.stack([a * x - b * y + tx, b * x + a * y + ty], 1)
        assert np.allclose(mapped, samples.points[row], atol=1e-3)
    # The dark spot of an eye lies under its label.
    x, y = np.rint(samples.points[0, 0]).astype(int)
    assert samples.crops[0, y, x] < 100


def test_numbered_columns_and_origin(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(20, 100, (4, 68, 2))
    for i in range(4):
        cv2.imwrite(str(tmp_path / f"a{i}.png"), rng.integers(0, 255, (128, 128), np.uint8))
    frame = pd.DataFrame(points.reshape(4, -1))
    frame.index = pd.Index([f"a{i}.png" for i in range(4)])
    frame.to_csv(tmp_path / "frames.csv")
    report = run(
        tmp_path / "frames.csv", crop="none", size=128, val=0, test=0, read=ReadOptions(origin=1)
    )
    assert report.samples.scheme is IBUG68
    assert np.allclose(report.samples.points, points - 1, atol=1e-3)


def test_point_columns() -> None:
    for header, names in {
        ("file", "a_x", "a_y", "b_x", "b_y", "c_x"): ("a", "b"),
        ("x1", "y1", "x0", "y0", "x2", "y2"): ("p0", "p1", "p2"),
        ("n", "x_0", "x_1", "y_0", "y_1"): ("p0", "p1"),
        ("", "0", "1", "2", "3"): ("p0", "p1"),
        ("nose.x", "nose.y"): ("nose",),
    }.items():
        found = find_points(header)
        assert found is not None
        assert found.names == names
        assert all(header[x].strip("xX") != header[y] for x, y in found.columns)
    assert find_points(["image", "score", "0"]) is None


def test_mtfl(tmp_path: Path) -> None:
    images, points = faces(3, 96)
    for i, image in enumerate(images):
        cv2.imwrite(str(tmp_path / f"n_{i}.jpg"), image)
    side = np.array([8.0, 0.0])
    right, left, nose, mouth = points[:, 1], points[:, 0], points[:, 2], points[:, 3]
    five = np.stack([right, left, nose, mouth - side, mouth + side], 1)
    lines = [
        " ".join([f"n_{i}.jpg", *map(str, five[i, :, 0]), *map(str, five[i, :, 1])])
        for i in range(3)
    ]
    path = tmp_path / "training.txt"
    path.write_text("\n".join([*lines[:2], lines[2] + " 1 2 1 3", "n_9.jpg 1 2 3", ""]))
    report = run(path, crop="none", val=0, test=0)
    assert report.samples.scheme is MTFL5
    assert np.allclose(report.samples.points, five, atol=1e-3)
    assert [(r.row, "words" in r.reason) for r in report.rejected] == [(4, True)]


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    write_pictures(tmp_path, 30)
    frame = pd.read_csv(tmp_path / "labels.csv", dtype=str, keep_default_na=False)
    frame.loc[2, "nose_tip_x"] = "abc"
    frame.loc[4, "image"] = "pictures/gone.png"
    frame.loc[6, FKP4.columns] = ""
    (tmp_path / "pictures" / "Ann_e_0000.png").write_bytes(b"broken")
    frame.to_csv(tmp_path / "labels.csv", index=False)
    report = run(tmp_path / "labels.csv")
    assert len(report.samples) == 26
    listed = pd.read_csv(tmp_path / "out" / "data.rejected.csv").sort_values("row")
    assert list(listed["row"]) == [4, 6, 8, 10]
    for word, reason in zip(
        ["abc", "no such file", "no point is labelled", "not a picture"],
        listed["reason"],
        strict=True,
    ):
        assert word in reason
    assert [r.malformed for r in sorted(report.rejected, key=lambda r: r.row)] == [
        True, True, False, True,
    ]  # fmt: skip
    assert report.rows_read == 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"  \n", "the file is empty"),
        (b"image,a_x,a_y,a_x\nq.png,1,2,3\n", "two columns are named a_x"),
        (b"image,a_x,a_y\nq\xe9.png,1,2\n", "row 2: expected UTF-8 text, got the byte 0xe9"),
        (b"image,a_x,a_y\n", "the table has no rows"),
        (b"image,a,b\nq.png,1,2\n", "expected point columns"),
        (b"image,a_x,a_y\nq.png,1\n", "row 2: expected 3 fields, got 2"),
        (b"image,a_x,a_y\nq.png,1,2\n", "file not found"),
        (b"image,a_x,a_y\nq.png,1,b\n", "no row can be used; the first: .*, got .b."),
        (b"1,2,3\n4,5,6\n", "expected point columns"),
    ],
)
def test_a_useless_file_is_one_clear_line(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels.csv"
    path.write_bytes(content)
    with pytest.raises(FkpError, match=message) as caught:
        run(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_sources_that_are_no_files(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no such file"):
        run(tmp_path / "absent.csv")
    with pytest.raises(LabelError, match="this folder has none"):
        run(tmp_path)
    write_course(tmp_path, 10)
    run(tmp_path / "labels.csv", out=tmp_path / "data.csv", val=0, test=0)
    with pytest.raises(LabelError, match="prepared already"):
        run(tmp_path / "data.csv")


def test_semicolons_quotes_and_a_byte_order_mark(tmp_path: Path) -> None:
    write_pictures(tmp_path, 2)
    path = tmp_path / "labels.csv"
    lines = path.read_text().replace(",", ";").splitlines()
    lines[1] = '"' + lines[1].replace(";", '";"') + '"'
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert len(run(path, val=0, test=0).samples) == 2


def test_suspicious_rows_are_flagged_and_dropped_on_demand(tmp_path: Path) -> None:
    points = write_course(tmp_path, 30, unit=False)
    points[3, [0, 1]] = points[3, [1, 0]]
    points[5] = points[5].mean(0)
    points[7, 3] = points[7, 3] - [0, 60]
    points[7, 2] = points[7, 2] - [0, 40]
    label_frame(points, FKP4).to_csv(tmp_path / "labels.csv", index=False)
    report = run(tmp_path / "labels.csv")
    assert report.samples.flags[3] == check.SWAPPED
    assert report.samples.flags[5] == check.COLLAPSED
    assert report.samples.flags[7] != ""
    assert (report.samples.flags != "").sum() == 3
    assert len(report.samples) == 30
    fewer = run(tmp_path / "labels.csv", drop_suspicious=True)
    assert len(fewer.samples) == 27
    assert {r.row for r in fewer.rejected} == {5, 7, 9}


def test_limits(tmp_path: Path) -> None:
    write_pictures(tmp_path, 6)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame["spread"] = [0.1, 0.9, 0.2, np.nan, 0.3, 0.4]
    frame.to_csv(tmp_path / "labels.csv", index=False)
    options = ReadOptions(limits=(("spread", 0.35),))
    report = run(tmp_path / "labels.csv", val=0, test=0, read=options)
    assert list(report.samples.source_row) == [2, 4, 5, 6]
    assert not any(r.malformed for r in report.rejected)


def test_two_sources_share_their_points_and_persons(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_course(tmp_path / name, 20, persons=10)
        array = np.load(tmp_path / name / "faces.npy")
        np.save(tmp_path / name / "faces.npy", array // (1 if name == "a" else 2))
    samples = run(tmp_path / "a/labels.csv", tmp_path / "b/labels.csv", val=0.3).samples
    assert len(samples) == 40
    for person in set(samples.person):
        assert len(set(samples.split[samples.person == person])) == 1
        assert (samples.person == person).sum() == 4


def test_what_annotate_writes_is_a_table(tmp_path: Path, samples: Path) -> None:
    columns = "image,frame,timestamp,face,status,score,box_x,box_y,box_w,box_h"
    (tmp_path / "keypoints.csv").write_text(
        f"{columns},{','.join(FKP4.columns)},reason\n"
        "astronaut.jpg,,,0,ok,9,180,60,90,90,243,112,206,113,226,132,225,152,\n"
        "coffee.jpg,,,,no_face,,,,,,,,,,,,,,\n"
    )
    report = run(
        tmp_path / "keypoints.csv", val=0, test=0, read=ReadOptions(images=samples), crop="face"
    )
    assert len(report.samples) == 1
    assert report.samples.scheme is FKP4
    assert [(r.row, r.malformed) for r in report.rejected] == [(3, False)]


def test_the_split_is_by_person_and_seeded() -> None:
    persons = [f"p{i % 100}" for i in range(1000)]
    split = split_persons(persons, 0.1, 0.2, seed=1)
    assert split == split_persons(persons, 0.1, 0.2, seed=1)
    assert split != split_persons(persons, 0.1, 0.2, seed=2)
    assert abs(split.count("val") - 100) <= 10
    assert abs(split.count("test") - 200) <= 10
    for person in set(persons):
        assert len({s for p, s in zip(persons, split, strict=True) if p == person}) == 1
    more = split_persons([*persons, "new"], 0.1, 0.2, seed=1)
    assert sum(a != b for a, b in zip(split, more, strict=False)) <= 20


def test_one_person_cannot_be_split() -> None:
    with pytest.raises(DataError, match="cannot be split"):
        split_persons(["a", "a"], 0.1, 0.1, 0)
    assert set(split_persons(["a", "a"], 0, 0, 0)) == {"train"}
    assert set(split_persons(["a", "b", "c"], 0.01, 0.01, 0)) == {"train", "val", "test"}


def test_identical_pictures_are_one_person() -> None:
    assert merge_persons(["a", "b", "c", "d"], ["1", "1", "2", "2"]) == ["a", "a", "c", "c"]
    assert merge_persons(["a", "b", "c"], ["1", "2", "1"]) == ["a", "b", "a"]
    assert len(set(merge_persons(["a", "b", "b", "c"], ["1", "1", "2", "2"]))) == 1


def test_persons_by_name() -> None:
    lfw = [f"x/{name}_{i:04d}.jpg" for name in "abcdefghijklmnopqrstuvwxyz" for i in (1, 2)]
    persons, _ = persons_from_names(lfw, None)
    assert persons is not None
    assert len(set(persons)) == 26
    assert persons_from_names([f"IMG_{i}.jpg" for i in range(100)], None)[0] is None
    persons, how = persons_from_names(["s01/a.jpg", "s02/a.jpg", "q"], r"s(\d+)/")
    assert persons == ["01", "02", "q"]
    assert "1 names without" in how
    with pytest.raises(DataError, match="not a regular expression"):
        persons_from_names(["a"], "(")
    with pytest.raises(DataError, match="matches no name"):
        persons_from_names(["a"], "z+")


def test_a_data_set_that_does_not_fit_its_crops(tmp_path: Path) -> None:
    write_course(tmp_path, 10)
    run(tmp_path / "labels.csv", out=tmp_path / "data.csv", val=0, test=0)
    np.save(tmp_path / "data.npy", np.zeros((9, 96, 96), np.uint8))
    with pytest.raises(DataError, match=r"10 rows, but .* 9 crops"):
        read_samples(tmp_path / "data.csv")
    (tmp_path / "data.npy").unlink()
    with pytest.raises(DataError, match=r"data\.npy: .*no such file"):
        read_samples(tmp_path / "data.csv")
    (tmp_path / "data.npy").write_bytes(b"junk")
    with pytest.raises(DataError, match="expected a NumPy array"):
        read_samples(tmp_path / "data.csv")


def test_own_flip_pairs_are_kept(tmp_path: Path) -> None:
    images, points = faces(6)
    frame = label_frame(points, Scheme("x", ("a", "b", "c", "d")))
    frame.to_csv(tmp_path / "labels.csv", index=False)
    np.save(tmp_path / "faces.npy", images)
    options = ReadOptions(flip_pairs=(("a", "b"),))
    run(tmp_path / "labels.csv", out=tmp_path / "data.csv", val=0, test=0, read=options)
    assert read_samples(tmp_path / "data.csv").scheme.flip_order == (1, 0, 2, 3)


def test_pictures_in_two_places_are_not_guessed(tmp_path: Path) -> None:
    write_pictures(tmp_path, 4)
    path = tmp_path / "labels.csv"
    path.write_text(path.read_text().replace("pictures/", ""))
    shutil.copytree(tmp_path / "pictures", tmp_path / "other")
    with pytest.raises(LabelError, match="set images=FOLDER"):
        run(path, val=0, test=0)
    samples = run(path, val=0, test=0, read=ReadOptions(images=tmp_path / "pictures")).samples
    assert len(samples) == 4
    (tmp_path / "other" / "Ann_a_0000.png").unlink()
    report = run(path, val=0, test=0)
    assert len(report.samples) == 4
    assert f"{path}: pictures from {tmp_path / 'pictures'}" in report.notes


def test_fractions_of_pictures(tmp_path: Path) -> None:
    points = write_pictures(tmp_path, 4)
    frame = pd.read_csv(tmp_path / "labels.csv")
    frame[FKP4.columns] /= 128
    frame.to_csv(tmp_path / "labels.csv", index=False)
    samples = run(tmp_path / "labels.csv", crop="none", size=128, val=0, test=0).samples
    assert np.allclose(samples.points, points, atol=1e-3)


def test_a_column_image_may_hold_names(tmp_path: Path) -> None:
    write_pictures(tmp_path, 4)
    path = tmp_path / "labels.csv"
    path.write_text(path.read_text().replace("image,", "Image,", 1))
    assert len(run(path, val=0, test=0).samples) == 4


def test_an_array_that_lies_about_its_size(tmp_path: Path) -> None:
    write_course(tmp_path, 10)
    data = (tmp_path / "faces.npy").read_bytes()
    lie = data.replace(b"(96, 96, 10), }", b"(99999, 99999, 10), }", 1)
    (tmp_path / "faces.npy").write_bytes(lie)
    with pytest.raises(DataError, match="expected a NumPy array file"):
        run(tmp_path / "labels.csv")


def test_damaged_tables_are_errors_not_crashes(tmp_path: Path) -> None:
    """Random damage to each form: a data set or an FkpError of one line, nothing else."""
    for name in ("kaggle", "course", "paths"):
        (tmp_path / name).mkdir()
    write_kaggle(tmp_path / "kaggle" / "labels.csv", 4, size=32)
    write_course(tmp_path / "course", 4)
    write_pictures(tmp_path / "paths", 4)
    rng = random.Random(0)
    junk = [b",", b"\n", b'"', b"nan", b"1e999", b"\0", b"\xff", b" ", b"abc", b";", b"9" * 30]
    outcomes: Counter[str] = Counter()
    for name in ("kaggle/labels.csv", "course/labels.csv", "course/faces.npy", "paths/labels.csv"):
        whole = (tmp_path / name).read_bytes()
        for _ in range(40):
            data = bytearray(whole)
            for _ in range(rng.choice([1, 3, 20])):
                at = rng.randrange(min(len(data), rng.choice([150, 3000, 10**9])) or 1)
                data[at : at + rng.choice([0, 1, 100])] = rng.choice(junk)
            (tmp_path / name).write_bytes(data)
            message = "read"
            try:
                run((tmp_path / name).parent / "labels.csv", size=32, val=0, test=0)
            except FkpError as error:
                message = str(error)
            assert "\n" not in message
            outcomes["read" if message == "read" else "refused"] += 1
        (tmp_path / name).write_bytes(whole)
    assert min(outcomes["read"], outcomes["refused"]) > 10
