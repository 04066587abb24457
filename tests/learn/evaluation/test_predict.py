"""Predictions as a submission to Kaggle."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fkp.errors import DataError, LabelError
from fkp.keypoints import KAGGLE15
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import read_samples
from fkp.learn.evaluation.predict import write_submission
from fkp.learn.networks.checkpoint import find_model, load_model
from tests.helpers import fkp


def write_test_csv(path: Path, count: int, first: int) -> None:
    rng = np.random.default_rng(0)
    rows = [
        f"{first + i}," + " ".join(map(str, rng.integers(0, 255, 96 * 96))) for i in range(count)
    ]
    path.write_text("ImageId,Image\n" + "\n".join(rows) + "\n")


@pytest.mark.slow
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
        (lookup.replace("12", "99"), "ImageId 99 is not in the data"),
        (lookup.replace("nose_tip_x", "ear_x"), "ear_x is not a coordinate"),
        ("a,b\n1,2\n", "with a column RowId"),
        (lookup.replace("3,12", "x,12"), "expected integers"),
        (lookup.replace("3,12", ",12"), "row 4, column RowId: expected a value"),
    ):
        (tmp_path / "bad.csv").write_text(text)
        with pytest.raises((DataError, LabelError), match=reason):
            write_submission(tmp_path / "s.csv", model, samples, tmp_path / "bad.csv")
