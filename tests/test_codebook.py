"""The codebook describes every column that is written, and says the truth about it."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fkp.keypoints import SCHEMES
from tests.helpers import SAMPLES, STEADY, encode, fkp_here, write_course, write_kaggle
from tests.published import face68, write_300w

BOOK_PATH = Path(__file__).resolve().parents[1] / "docs" / "reference" / "codebook.json"
BOOK: list[dict[str, Any]] = json.loads(BOOK_PATH.read_text())
PERSON = ("keypoints.csv", "person")
"""What fkp people alone adds."""
NAMES = {name for scheme in SCHEMES.values() for name in scheme.names}


VISIT = [("group.jpg", "rest"), ("group.jpg", "smile"), ("broken.jpg", "frown")]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The tables of every command, by their names in the codebook."""
    work = tmp_path_factory.mktemp("tables")
    for name in ("group.jpg", "coffee.jpg"):
        shutil.copyfile(SAMPLES / name, work / name)
    (work / "broken.jpg").write_bytes(b"no picture")
    all_columns = ("--confidence", "--measures", "--quality", "--iris")
    also = [f"--also={name}" for name in ("openface", "pyfeat", "dlc")]
    photos = ("group.jpg", "coffee.jpg", "broken.jpg", "--jobs", "1", "--no-overlays")
    fkp_here("annotate", *photos, *all_columns, *also, "-o", "photos", cwd=work)
    fkp_here("annotate", "group.jpg", "--also", "kaggle", "-o", "kaggle", cwd=work)
    rows = [f"{name},photos,{expression}" for name, expression in VISIT]
    (work / "list.csv").write_text("\n".join(["image,person,expression", *rows]))
    fkp_here("symmetry", "photos", "--visits", "list.csv", "-o", "symmetry", cwd=work)
    lines = ("--format", "jsonl", "--no-overlays", "-o", "lines")
    fkp_here("annotate", "group.jpg", "broken.jpg", *all_columns, *lines, cwd=work)
    clip = ("video", SAMPLES / "clip.mp4", "--max-frames", "24", "--raw", "--events")
    fkp_here(*clip, *all_columns, "--no-overlays", "-o", "clip", cwd=work)
    hidden = ("group.jpg", "coffee.jpg", "broken.jpg", "short.mp4", "--keep", "group.jpg")
    encode(work / "short.mp4", STEADY[:3])
    fkp_here("hide", *hidden, "--jobs", "1", "-o", "hidden", cwd=work)
    write_course(work, 24, persons=12)
    labels = pd.read_csv(work / "labels.csv").assign(camera="left").astype(object)
    labels.loc[3, "nose_tip_x"] = "abc"
    labels.to_csv(work / "labels.csv", index=False)
    fkp_here("prepare", "labels.csv", "faces.npy", "-o", "data.csv", cwd=work)
    fkp_here("train", "data.csv", "--arch", "lecture", "--epochs", "1", "--name", "run", cwd=work)
    model = work / "runs" / "run" / "best.safetensors"
    fkp_here("audit", "data.csv", "--model", model, cwd=work)
    fkp_here("predict", model, "data.csv", "-o", "predictions.csv", cwd=work)
    write_kaggle(work / "test.csv", 4)
    lookup = pd.DataFrame({"RowId": [1, 2], "ImageId": [1, 4], "FeatureName": "nose_tip_x"})
    lookup.to_csv(work / "lookup.csv", index=False)
    kaggle = ("--kaggle", "lookup.csv", "-o", "submission.csv")
    fkp_here("predict", "bundled", "test.csv", *kaggle, cwd=work)
    write_300w(work / "300w", dict.fromkeys(("helen/testset", "lfpw/testset"), face68()))
    fkp_here("benchmark", "300w", "300w", "-o", "benchmark.csv", cwd=work)
    fkp_here("evaluate", model, "data.csv", "-o", "evaluation", cwd=work)
    fkp_here("align", "group.jpg", "coffee.jpg", "broken.jpg", "-o", "aligned", cwd=work)
    fkp_here("people", "photos", "-o", "people", cwd=work)
    paths = {
        "choices.csv": ["aligned/choices.csv"],
        "people.csv": ["people/people.csv"],
        "faces.csv": ["people/faces.csv"],
        "keypoints.csv": [
            "photos/keypoints.csv",
            "clip/keypoints.csv",
            "clip/raw.csv",
            "people/keypoints.csv",
        ],
        **{name: [f"photos/{name}"] for name in ("openface.csv", "pyfeat.csv", "dlc.csv")},
        "events.csv": ["clip/events.csv"],
        "minutes.csv": ["clip/minutes.csv"],
        "VISIT.csv": ["symmetry/photos/1.csv"],
        **{name: [f"hidden/{name}"] for name in ("hidden.csv", "hidden_faces.csv")},
        "kaggle.csv": ["kaggle/kaggle.csv"],
        "errors-NAME.csv": ["evaluation/errors-run.csv"],
        "results.csv": ["runs/run/results.csv"],
    }
    return {
        file["file"]: [work / path for path in paths.get(file["file"], [file["file"]])]
        for file in BOOK
    }


def entry(column: str, known: set[str]) -> str:
    """What the codebook calls a column."""
    if column in known:
        return column
    numbered = re.sub(r"^([xyXYZ]_)\d+$", r"\1<0-67>", column)
    for name in NAMES if numbered == column else ():
        if column.startswith(f"{name}_") and f"<point>{column[len(name) :]}" in known:
            return f"<point>{column[len(name) :]}"
    return numbered if numbered in known else "<other>"


@pytest.mark.slow
@pytest.mark.parametrize("file", BOOK, ids=lambda file: str(file["file"]))
def test_columns(file: dict[str, Any], tables: dict[str, list[Path]]) -> None:
    described = {column["name"]: column for column in file["columns"]}
    for path in tables[file["file"]]:
        header = 2 if file["file"] == "dlc.csv" else 0
        table = pd.read_csv(path, header=header)
        table.columns = [re.sub(r"\.\d+$", "", str(name)) for name in table.columns]
        entries = [entry(name, set(described)) for name in table.columns]
        of_people = path.parent.name == "people"
        expected = [name for name in described if of_people or (file["file"], name) != PERSON]
        assert list(dict.fromkeys(entries)) == expected, path
        for i, name in enumerate(entries):
            check(table.iloc[:, i], described[name], f"{path}: {table.columns[i]}")


def check(values: "pd.Series[Any]", column: dict[str, str], what: str) -> None:
    """Range and emptiness, as far as they are told in the same few words."""
    said = column["range"]
    assert column["empty"] != "never" or values.notna().all(), what
    values = values.dropna()
    if chosen := re.findall(r"`([^`]+)`", said):
        assert set(values.astype(str)) <= set(chosen), what
    if said.startswith(("0, 1", "1, 2")):
        assert set(values) <= set(range(int(said[0]), 1 << 20)), what
    least = {"0 to 1": 0.0, "0 and more": 0.0, "over 0": np.nextafter(0, 1)}
    if said in least and len(values):
        assert values.min() >= least[said], what
        assert said != "0 to 1" or values.max() <= 1, what


def test_rows_without_a_face_are_as_described(tables: dict[str, list[Path]]) -> None:
    (photos, *_), (book, *_) = tables["keypoints.csv"], BOOK
    table = pd.read_csv(photos)
    found, none, broken = (
        table[table.image == name] for name in ("group.jpg", "coffee.jpg", "broken.jpg")
    )
    described = {column["name"]: column["empty"] for column in book["columns"]}
    for name in table.columns:
        empty = described[entry(name, set(described))]
        if empty.startswith("no face in this row"):
            assert found[name].notna().all(), name
            assert none[name].isna().all(), name
    assert broken[["image_width", "image_height"]].isna().all(axis=None)
    assert broken.reason.notna().all()


def test_keys_of_json_lines_are_described(tables: dict[str, list[Path]]) -> None:
    folder = tables["data.csv"][0].parent / "lines"
    lines = (folder / "keypoints.jsonl").read_text().splitlines()
    keys = {key for line in lines for key in json.loads(line)}
    page = (BOOK_PATH.parent / "results.md").read_text()
    assert {key for key in keys if f"`{key}`" not in page} == set()
