"""Trainings that diverge, lack disk or labels, or are killed: what is said, and what stays."""

import errno
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file

from fkp.cli.main import cli
from fkp.errors import DataError, FkpError
from fkp.files import temporary_name
from fkp.keypoints import FKP4, IBUG68, KAGGLE15
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.schemes import subset
from fkp.learn.networks.checkpoint import Model, load_model
from fkp.learn.training.config import recipe
from fkp.learn.training.folder import is_finished
from fkp.learn.training.loop import Epoch, Listener
from fkp.learn.training.run import Training, fit, resume
from tests.helpers import write_course

SMALL = recipe("lecture", epochs=3, batch=16, threads=1, patience=0)


def prepared(folder: Path, val: float = 0.2, count: int = 24) -> Path:
    """A small data set of the course's form."""
    folder.mkdir(exist_ok=True)
    write_course(folder, count, persons=count // 2)
    data = folder / "data.csv"
    config = PrepareConfig((folder / "labels.csv",), data, size=32, val=val, test=0)
    prepare(config, lambda done, total: None)
    return data


class Break(Listener):
    """Makes weights infinite after the first epoch."""

    def epoch(self, result: Epoch, model: Model) -> None:
        if result.epoch == 1:
            with torch.no_grad():
                next(model.network.parameters()).fill_(torch.inf)


def test_a_diverged_epoch_is_never_the_best(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    with pytest.raises(
        FkpError, match=r"diverged in epoch 2.*try 0\.01, or auto.*epoch 1, is kept"
    ):
        fit(Training(data, tmp_path / "run", SMALL), Break())
    weights = load_file(tmp_path / "run" / "best.safetensors")
    assert all(torch.isfinite(value).all() for value in weights.values())
    assert pd.read_csv(tmp_path / "run" / "results.csv")["epoch"].tolist() == [1]
    # What estimates the errors can diverge, although the points themselves do not.
    wild = recipe("integral", epochs=2, batch=8, threads=1, lr=10.0)
    with pytest.raises(FkpError, match="diverged in epoch"):
        fit(Training(data, tmp_path / "wild", wild))
    assert not (tmp_path / "wild" / "best.safetensors").exists()


def test_a_network_that_learnt_nothing_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    enough = recipe("lecture", epochs=40, batch=8, threads=1, patience=0)
    fit(Training(prepared(tmp_path, count=80), tmp_path / "run", enough), say=said.append)
    assert not any("no better than the mean" in line for line in said)
    still = recipe("integral", epochs=1, batch=8, threads=1, lr=1e-9)
    fit(Training(tmp_path / "data.csv", tmp_path / "still", still), say=said.append)
    assert "no better than the mean of the training labels" in said[-1]


@pytest.mark.parametrize("name", ["state.pt", "results.csv", "best.safetensors", "config.json"])
def test_a_full_disk_is_told_and_the_run_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    data, run = prepared(tmp_path), tmp_path / "run"
    fit(Training(data, tmp_path / "whole", SMALL))
    replace, writes = os.replace, {"left": 1 if name != "config.json" else 0}

    def full(source: Path, target: Path) -> None:
        if target.name == name:
            if writes["left"] == 0:
                raise OSError(errno.ENOSPC, "No space left on device", str(target))
            writes["left"] -= 1
        replace(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises((OSError, FkpError), match=r"(?i)no space left"):
        fit(Training(data, run, SMALL))
    monkeypatch.undo()
    assert not [p for p in run.iterdir() if ".part" in p.name]
    if name == "config.json":
        fit(Training(data, run, SMALL))  # there was no run yet
    else:
        resume(run)
    whole, own = ((tmp_path / n / "best.safetensors").read_bytes() for n in ("whole", "run"))
    assert whole == own


def test_a_point_that_no_row_labels_is_left_out(tmp_path: Path) -> None:
    data = prepared(tmp_path)
    frame = pd.read_csv(data)
    frame[["nose_tip_x", "nose_tip_y"]] = np.nan
    frame.to_csv(data, index=False)
    said: list[str] = []
    model = fit(Training(data, tmp_path / "run", SMALL), say=said.append)
    assert model.scheme.names == tuple(name for name in FKP4.names if name != "nose_tip")
    assert model.scheme.flip_order == (1, 0, 2)
    assert any("no training row labels nose_tip: left out" in line for line in said)
    assert load_model(tmp_path / "run" / "best.safetensors").scheme == model.scheme
    # A run that is resumed leaves it out as well.
    (tmp_path / "run" / "report.html").unlink()
    assert resume(tmp_path / "run").scheme == model.scheme
    frame[[*FKP4.columns]] = np.nan
    frame.to_csv(data, index=False)
    with pytest.raises(DataError, match="no labelled training rows"):
        fit(Training(data, tmp_path / "none", SMALL))


def test_some_of_a_scheme_s_points() -> None:
    assert subset(KAGGLE15, KAGGLE15.names) is KAGGLE15
    lips = subset(IBUG68, [f"p{i}" for i in (*range(36, 68), 30)])
    assert lips.names[:2] == ("p30", "p36")
    assert lips.flip_order is not None
    assert lips.names[lips.flip_order[1]] == "p45"
    assert lips.outer_eyes == (1, 10)
    assert all(lips.anchors)
    half = subset(IBUG68, [f"p{i}" for i in range(37, 68)])
    assert half.flip_order is None  # of p45 the mirror image is gone
    assert half.outer_eyes is None
    assert half.anchors[0] == ()


def test_without_validation_rows_nothing_is_the_best(tmp_path: Path) -> None:
    data = prepared(tmp_path, val=0)
    arguments = ["train", str(data), "--arch", "lecture", "--epochs", "2", "--runs", str(tmp_path)]
    done = CliRunner().invoke(cli, [*arguments, "--name", "run"])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.output
    assert "*" not in done.output
    assert "network of the last epoch, 2: there are no validation rows" in done.output
    table = (tmp_path / "run" / "results.csv").read_text()
    assert "nan" not in table
    assert pd.read_csv(tmp_path / "run" / "results.csv")["val_rmse"].isna().all()
    model = load_model(tmp_path / "run" / "best.safetensors")
    assert model.scores["epoch"] == 2
    assert "the last; there were no validation rows" in (tmp_path / "run/report.html").read_text()


def test_what_a_killed_process_left_is_cleared_up(tmp_path: Path) -> None:
    data, run = prepared(tmp_path), tmp_path / "run"
    fit(Training(data, run, SMALL))
    kept = sorted(os.listdir(run))
    dead = os.fork()
    if dead == 0:
        os._exit(0)
    os.waitpid(dead, 0)
    strays = (temporary_name(dead, 0, ".pt"), temporary_name(dead, 7, ".csv"))
    own = temporary_name(os.getpid(), 0, ".csv")
    for name in (*strays, own, "state.pt"):
        (run / name).touch()
    assert is_finished(run)
    assert sorted(os.listdir(run)) == sorted([*kept, own])
    with pytest.raises(DataError, match="already finished"):
        resume(run)
