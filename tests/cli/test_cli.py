"""The commands as a user runs them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.helpers import SAMPLES, fkp, write_course, write_kaggle


@pytest.mark.slow
def test_help_imports_little_and_names_the_commands(tmp_path: Path) -> None:
    code = (
        "import atexit, os, sys; from fkp.cli.main import main\n"
        "heavy = {'torch', 'cv2', 'numpy', 'pandas', 'scipy'}\n"
        "atexit.register(lambda: heavy & set(sys.modules) and os._exit(9))\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    for name in ("prepare", "train", "evaluate", "annotate"):
        assert name in done.stdout
        assert fkp(name, "-h", cwd=tmp_path).returncode == 0
    assert fkp("--version", cwd=tmp_path).stdout.startswith("fkp, version")


@pytest.mark.slow
def test_the_courses_path(tmp_path: Path) -> None:
    write_course(tmp_path, 60)
    done = fkp(
        "prepare", "labels.csv", "faces.npy", "-o", "data.csv", "--preview", "s.png", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "60 rows read, 0 left out, 60 written: 4 points (fkp4), crops of 96 px" in done.stdout
    assert (tmp_path / "s.png").stat().st_size > 10000
    done = fkp(
        "train", "data.csv", "--arch", "lecture", "--epochs", "2", "--lr", "0.05", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "best epoch" in done.stdout
    run = tmp_path / "runs" / "data-lecture"
    assert {p.name for p in run.iterdir()} == {
        ".lock", "best.safetensors", "config.json", "results.csv", "report.html", "aug.png",
        "curves.png", "val_predictions.png", "val_best.png", "val_worst.png",
    }  # fmt: skip
    config = json.loads((run / "config.json").read_text())
    assert config["training"]["lr"] == 0.05
    done = fkp("evaluate", run / "best.safetensors", "data.csv", "--json", cwd=tmp_path)
    figures = json.loads(done.stdout)
    assert figures["split"] == "test"
    assert figures["rmse_px"] > 0
    assert set(figures["failure_rate"]) == {"0.08", "0.1"}
    assert list(figures["per_point"]) == [
        "left_eye_center", "right_eye_center", "nose_tip", "mouth_center_bottom_lip",
    ]  # fmt: skip
    photos = SAMPLES
    done = fkp("annotate", photos, "--model", run / "best.safetensors", "--out", "r", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "r" / "keypoints.csv")
    assert "mouth_center_bottom_lip_y" in table.columns
    assert table.loc[table["status"] == "ok", "image"].nunique() == 6


@pytest.mark.slow
def test_a_raw_table_trains_and_evaluates(tmp_path: Path) -> None:
    write_kaggle(tmp_path / "training.csv", 30, size=48)
    done = fkp("train", "training.csv", "--epochs", "1", "--name", "kaggle", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "prepared into" in done.stderr
    done = fkp("evaluate", "runs/kaggle/best.safetensors", "training.csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "distance of the eye centres" in done.stdout
    assert (tmp_path / "training-kaggle-worst.png").exists()


def test_rows_left_out_change_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(
        "nose_tip_x,nose_tip_y,Image\n" + "1,1,1 2 3 4\n" * 5 + "1,x,1 2 3 4\n1,1,1 2 3\n"
    )
    done = fkp("prepare", "t.csv", "-o", "d.csv", "--val", "0", "--test", "0", cwd=tmp_path)
    assert done.returncode == 3
    assert 't.csv row 7, column nose_tip_y: expected a number, got "x"' in done.stderr
    assert "t.csv row 8, column Image: expected 2x2 = 4 pixels, got 3" in done.stderr
    assert len(pd.read_csv(tmp_path / "d.rejected.csv")) == 2


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["prepare", "no.csv", "-o", "d.csv"], 1, "no.csv: no such file"),
        (["prepare", "no.csv", "-o", "d.txt"], 2, "ends in .csv"),
        (["prepare", "no.csv"], 2, "Missing option"),
        (["prepare", "x.csv", "-o", "d.csv", "--max", "a"], 2, "COLUMN=NUMBER"),
        (["train", "no.csv"], 1, "no.csv: no such file"),
        (["train", "no.csv", "--arch", "big"], 2, "big"),
        (["train", "no.csv", "--lr", "-1"], 1, "lr: expected more than 0"),
        (["evaluate", "no.safetensors", "no.csv"], 1, "no.csv: no such file"),
        (["annotate", "."], 1, "no pictures"),
        (["annotate", "x.jpg", "--model", "no.safetensors"], 1, "no such file"),
        (["annotate"], 2, "Missing argument"),
        (["nonsense"], 2, "No such command"),
    ],
)
def test_an_error_is_one_line_and_a_code(
    tmp_path: Path, arguments: list[str], code: int, message: str
) -> None:
    done = fkp(*arguments, cwd=tmp_path)
    assert done.returncode == code
    assert message in done.stderr
    assert done.stdout == ""


@pytest.mark.slow
def test_annotate_tells_what_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_text("x")
    paths = f"{SAMPLES}/coffee.jpg\0bad.jpg\0".encode()
    done = fkp("annotate", "-0", "-", "--out", "r", cwd=tmp_path, data=paths)
    assert done.returncode == 3
    assert "unreadable: bad.jpg: not a picture" in done.stderr
    assert "0 faces in 0, 1 without a face, 1 unreadable" in done.stdout
    facts = json.loads((tmp_path / "r" / "run.json").read_text())
    assert facts["inputs"] == 2
    assert facts["statuses"] == {"no_face": 1, "unreadable": 1}
    again = fkp("annotate", "bad.jpg", "--out", "r", cwd=tmp_path)
    assert again.returncode == 1
    assert "holds results; overwrite them" in again.stderr


@pytest.mark.slow
def test_ctrl_c_leaves_a_usable_network(tmp_path: Path) -> None:
    write_course(tmp_path, 40)
    command = [sys.executable, "-m", "fkp", "train", "labels.csv", "--arch", "lecture"]
    command += ["--epochs", "100000", "--patience", "0", "--name", "long"]
    run = tmp_path / "runs" / "long"
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, "FKP_CACHE": str(tmp_path / "cache")},
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 120
        while not (run / "best.safetensors").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert b"continue with: fkp train --resume runs/long" in err
    assert b"best.safetensors is the best network so far" in err
    assert b"training rows" in out
    assert (run / "curves.png").exists()
    done = fkp("evaluate", run / "best.safetensors", "labels.csv", "--worst", "0", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    write_course(tmp_path, 20)
    command = f"{sys.executable} -m fkp prepare labels.csv -o data.csv | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    assert (tmp_path / "data.csv").exists()


@pytest.mark.slow
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_course(tmp_path, 20)
    (tmp_path / "file").touch()
    for command in (
        ["prepare", "labels.csv", "-o", "file/data.csv"],
        ["train", "labels.csv", "--arch", "lecture", "--runs", "file/runs"],
        ["annotate", str(SAMPLES), "--out", "file/results"],
    ):
        done = fkp(*command, cwd=tmp_path)
        assert done.returncode == 1
        assert "file" in done.stderr
        assert any(word in done.stderr.lower() for word in ("not a directory", "file exists"))
