"""Several processes that train one network."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fkp.keypoints import FKP4
from fkp.labels.store import read_samples
from fkp.learn.training.augment import Augmentation, augment, sample_changes
from fkp.learn.training.batches import Batches
from fkp.learn.training.run import resume
from fkp.learn.training.team import Team
from tests.helpers import fkp
from tests.learn.training.small import SMALL, Stop, figures, prepared_course


def test_a_share_of_a_batch_is_changed_as_the_whole_is() -> None:
    crops, points = torch.rand(9, 1, 32, 32), torch.rand(9, 4, 2) * 32
    settings = Augmentation()
    changes = sample_changes(9, 32, FKP4.flip_order, settings, torch.Generator().manual_seed(0))
    eyes = FKP4.anchors[0], FKP4.anchors[1]
    whole, moved, hidden = augment(crops.clone(), points, FKP4.flip_order, changes, eyes)
    for first, count in ((0, 4), (4, 5), (9, 0)):
        rows = slice(first, first + count)
        part, own, covered = augment(
            crops[rows].clone(), points[rows], FKP4.flip_order, changes.of(first, count), eyes
        )
        assert torch.equal(covered, hidden[rows])
        assert torch.allclose(part, whole[rows], atol=1e-6)
        assert torch.allclose(own, moved[rows], atol=1e-5)


def test_processes_share_every_batch(tmp_path: Path) -> None:
    samples = read_samples(prepared_course(tmp_path))
    config = replace(SMALL, augmentation=None, batch=7)
    parts = []
    for rank in range(2):
        team = Team()
        team.rank, team.size = rank, 2
        batches = Batches(config, samples, None, torch.device("cpu"), team)
        parts.append(list(batches.epoch(torch.Generator().manual_seed(0))))
    alone = Batches(config, samples, None, torch.device("cpu"), Team())
    for whole, *shares in zip(alone.epoch(torch.Generator().manual_seed(0)), *parts, strict=True):
        assert torch.equal(torch.cat([share.points for share in shares]), whole.points)


@pytest.mark.slow
def test_two_processes_train_as_one(tmp_path: Path) -> None:
    """With plain SGD in float32, where rounding is not made larger."""
    prepared_course(tmp_path, 60)
    arguments = ["data.csv", "--epochs", "2", "--batch", "16", "--optimizer", "sgd"]
    arguments += ["--lr", "0.01", "--precision", "fp32", "--threads", "1"]
    done = fkp("train", *arguments, "--name", "one", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    torchrun = Path(sys.executable).with_name("torchrun")
    done = subprocess.run(
        [torchrun, "--nproc-per-node=2", "-m", "fkp", "train", *arguments, "--name", "two"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 1:") == 1
    one, two = (figures(tmp_path / "runs" / name) for name in ("one", "two"))
    assert np.allclose(one["train_loss"], two["train_loss"], rtol=2e-4)
    assert np.allclose(one["val_nme"], two["val_nme"], rtol=2e-3)
    assert (tmp_path / "runs" / "two" / "report.html").exists()
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["one", "two"]


def child_of_rank(parent: int, rank: int) -> int | None:
    """The process that torchrun started for a rank."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            if f"PPid:\t{parent}\n" in status.read_text():
                environment = status.with_name("environ").read_bytes().split(b"\0")
                if b"RANK=%d" % rank in environment:
                    return int(status.parent.name)
        except OSError:  # it has ended meanwhile
            continue
    return None


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs Linux's /proc")
def test_a_process_that_dies_ends_the_run_and_it_goes_on(tmp_path: Path) -> None:
    prepared_course(tmp_path)
    torchrun = str(Path(sys.executable).with_name("torchrun"))
    command = [torchrun, "--nproc-per-node=2", "-m", "fkp", "train", "data.csv", "--name", "r"]
    command += ["--epochs", "3000", "--batch", "16", "--threads", "1"]
    run = tmp_path / "runs" / "r"
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 90
        while not (run / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        child = child_of_rank(process.pid, 1)
        assert child is not None
        os.kill(child, signal.SIGKILL)
        _, err = process.communicate(timeout=90)
    assert process.returncode != 0
    assert "another process of the training has ended" in err or "fkp: terminated" in err
    assert "resume" in err
    epochs = len(figures(run))
    with pytest.raises(KeyboardInterrupt):
        resume(run, Stop(epochs + 2))
    assert len(figures(run)) == epochs + 1
