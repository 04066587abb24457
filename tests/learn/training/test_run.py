"""How trainings begin and resume, and what they leave."""

import json
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

from fkp.cli.main import cli
from fkp.errors import DataError, FkpError
from fkp.keypoints import FKP4, IBUG68, MTFL5, Scheme
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.schemes import covering
from fkp.labels.store import Samples, read_samples
from fkp.learn.networks.architectures import build
from fkp.learn.networks.checkpoint import Model, find_model, load_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.networks.integral import Depthwise
from fkp.learn.networks.transfer import initialise
from fkp.learn.training.augment import AUGMENTATIONS, Augmentation
from fkp.learn.training.config import from_dict, recipe
from fkp.learn.training.folder import read_config
from fkp.learn.training.loop import Epoch, Listener, Origin, train
from fkp.learn.training.losses import Averages
from fkp.learn.training.lr_range import find_lr
from fkp.learn.training.run import Training, fit, resume
from fkp.learn.training.team import Team
from tests.helpers import fkp
from tests.learn.training.small import SMALL, Stop, figures, prepared_course


def test_a_resumed_run_leaves_the_files_of_one_never_stopped(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    fit(Training(data, tmp_path / "whole", SMALL))
    with pytest.raises(KeyboardInterrupt):
        fit(Training(data, tmp_path / "cut", SMALL), Stop(2))
    assert (tmp_path / "cut" / "state.pt").exists()
    with pytest.raises(KeyboardInterrupt):
        resume(tmp_path / "cut", Stop(4))
    # What was written after the state is written again.
    with (tmp_path / "cut" / "results.csv").open("a") as file:
        file.write("4,0.1,0.1,0.1,0.1,1,1,True\n")
    resume(tmp_path / "cut")
    assert figures(tmp_path / "whole").equals(figures(tmp_path / "cut"))
    whole, cut = ((tmp_path / name / "best.safetensors").read_bytes() for name in ("whole", "cut"))
    assert whole == cut
    assert not (tmp_path / "cut" / "state.pt").exists()
    with pytest.raises(DataError, match="this run is already finished"):
        resume(tmp_path / "cut")


def test_a_run_stopped_before_its_first_epoch_begins_anew(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fit(Training(data, tmp_path / "run", replace(SMALL, epochs=1)), Stop(1))
    resume(tmp_path / "run")
    assert (tmp_path / "run" / "report.html").exists()


def test_what_cannot_be_resumed_is_told(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    with pytest.raises(DataError, match=r"config\.json: no such file"):
        resume(tmp_path / "nothing")
    with pytest.raises(KeyboardInterrupt):
        fit(Training(data, tmp_path / "run", SMALL), Stop(2))
    state = tmp_path / "run" / "state.pt"
    good = state.read_bytes()
    state.write_bytes(good[: len(good) // 2])
    with pytest.raises(FkpError, match=r"state\.pt: the run cannot be resumed"):
        resume(tmp_path / "run")
    state.write_bytes(good)
    frame = pd.read_csv(data)
    frame["nose_tip_x"] = frame["nose_tip_x"] + 1
    frame.to_csv(data, index=False)
    with pytest.raises(DataError, match="has changed since"):
        resume(tmp_path / "run")


@pytest.mark.slow
def test_kills_at_any_moment_change_nothing(tmp_path: Path) -> None:
    """SIGKILL, three times in one run; the last time it may end."""
    prepared_course(tmp_path)
    train_command = ["train", "data.csv", "--epochs", "12", "--batch", "8", "--threads", "1"]
    assert fkp(*train_command, "--name", "whole", cwd=tmp_path).returncode == 0
    command = [*train_command, "--name", "killed"]
    run = tmp_path / "runs" / "killed"
    for wanted in (1, 4, 7):
        with subprocess.Popen(
            [sys.executable, "-m", "fkp", *command], cwd=tmp_path,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as process:  # fmt: skip
            deadline = time.monotonic() + 300
            table = run / "results.csv"
            while time.monotonic() < deadline and process.poll() is None:
                if table.exists() and table.read_text().count("\n") > wanted:
                    break
                time.sleep(0.01)
            process.kill()
        command = ["train", "--resume", "runs/killed"]
    done = fkp(*command, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert figures(tmp_path / "runs" / "whole").equals(figures(run))
    names = [f"runs/{name}/best.safetensors" for name in ("whole", "killed")]
    whole, killed = ((tmp_path / name).read_bytes() for name in names)
    assert whole == killed


@pytest.mark.slow
def test_a_configuration_reads_back(tmp_path: Path) -> None:
    config = replace(SMALL, lr=0.01, augmentation=Augmentation(rotation=5), loss="l1")
    assert from_dict(json.loads(json.dumps(config.as_dict()))) == config
    assert from_dict(replace(config, augmentation=None).as_dict()).augmentation is None
    with pytest.raises(DataError, match="not a training configuration"):
        from_dict({"colour": "red"})
    data = prepared_course(tmp_path)
    arguments = ["--epochs", "1", "--loss", "smooth_l1", "--aug", "light", "--batch", "8"]
    done = fkp("train", data, "--name", "a", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    again = ["--config", "runs/a/config.json", "--name", "b", "--seed", "3"]
    done = fkp("train", data, *again, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second = (
        read_config(tmp_path / "runs" / name / "config.json")["training"] for name in "ab"
    )
    assert {**first, "seed": 3} == second
    assert second["loss"] == "smooth_l1"
    assert second["augmentation"]["rotation"] == 10
    done = fkp("train", "--resume", "runs/a", "--epochs", "3", cwd=tmp_path)
    assert done.returncode == 2
    assert "--resume cannot be combined with other options: epochs" in done.stderr
    (tmp_path / "bad.json").write_text("[]")
    done = fkp("train", data, "--config", "bad.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "not the config.json of a run" in done.stderr


def test_the_report_is_one_whole_page(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    fit(Training(data, tmp_path / "run & more", replace(SMALL, epochs=2)))
    page = (tmp_path / "run & more" / "report.html").read_text()
    assert "fkp train: run &amp; more" in page
    assert page.count("data:image/png;base64,") == 4
    assert "<td>nose_tip<td>" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


@pytest.mark.slow
def test_the_range_test_finds_a_rate_that_learns(tmp_path: Path) -> None:
    samples = read_samples(prepared_course(tmp_path, 80))
    for architecture, low, high in (("integral", 1e-4, 3e-2), ("lecture", 3e-3, 2)):
        config = recipe(architecture, batch=16, threads=1)
        test = find_lr(config, samples, Origin(), Team(), tmp_path / "lr.png")
        assert low < test.chosen < high, architecture
        assert test.losses[np.searchsorted(test.rates, test.chosen)] < test.losses[0]
        assert test.losses.min() < 0.8 * test.losses[0]
        again = find_lr(config, samples, Origin(), Team(), None)
        assert again.chosen == test.chosen
    assert (tmp_path / "lr.png").stat().st_size > 5000


def test_a_bundled_network_begins_on_other_points() -> None:
    bundled = load_model(find_model("bundled"), trainable=True)
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    own = Scheme.from_names([*FKP4.names, "chin_dimple"])
    network = build("integral", len(own), 112)
    assert initialise(network, own, bundled) == 4
    start = replace(bundled, network=network, scheme=own)
    expected = bundled.scheme.convert(bundled.predict(crops).points, FKP4)
    found = start.predict(crops).points[:, :4]
    # An average of maps is not the map of an average, but near it.
    assert np.abs(found - expected).max() < 2.5
    assert np.abs(found - expected)[:, 2:].max() < 0.1
    with pytest.raises(DataError, match="init: the network integral of 112 px does not fit"):
        initialise(build("lecture", 4, 96), FKP4, bundled)
    with pytest.raises(DataError, match="does not fit"):
        initialise(build("large", 4, 96), FKP4, bundled)


def test_weights_that_do_not_fit_leave_no_folder(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    said: list[str] = []
    config = recipe("integral", epochs=1, batch=16, init=str(find_model("bundled")))
    with pytest.raises(DataError, match="does not fit"):
        fit(Training(data, tmp_path / "run", replace(config, architecture="large")))
    assert not (tmp_path / "run").exists()
    fit(Training(data, tmp_path / "run", config), say=said.append)
    assert said[0] == "init: 4 of 4 points start with that network's weights"
    assert "112 px, these have 32" in said[1]


def test_a_network_begins_where_another_ended(tmp_path: Path) -> None:
    samples = read_samples(prepared_course(tmp_path))
    framing = measure_framing(samples, None)
    seen: list[Epoch] = []

    class Record(Listener):
        def epoch(self, result: Epoch, model: Model) -> None:
            seen.append(result)

    config = recipe("lecture", epochs=3, batch=8, threads=1)
    first = train(config, samples, framing, Listener())
    # At a rate of nothing it stays where it began.
    still = replace(config, lr=1e-12, epochs=1)
    train(still, samples, framing, Record(), Origin(start=first))
    assert seen[0].val_rmse == pytest.approx(first.scores["val_rmse"], rel=1e-4)


def test_frozen_features_stay(tmp_path: Path) -> None:
    samples = read_samples(prepared_course(tmp_path))
    framing = measure_framing(samples, None)
    for architecture in ("integral", "lecture"):
        config = recipe(architecture, epochs=1, batch=8, threads=1)
        start = train(config, samples, framing, Listener())
        frozen = replace(config, freeze=True, epochs=2)
        after = train(frozen, samples, framing, Listener(), Origin(start=start))
        changed = {
            name.split(".")[0]
            for name, value in after.network.state_dict().items()
            if not name.endswith("num_batches_tracked")
            and not torch.equal(value, start.network.state_dict()[name])
        }
        assert changed
        assert not changed & {"stem", "stage1", "stage2", "stage3", "features"}


def test_random_features_are_not_frozen(tmp_path: Path) -> None:
    data = prepared_course(tmp_path)
    with pytest.raises(DataError, match="freeze keeps the features"):
        fit(Training(data, tmp_path / "run", replace(SMALL, freeze=True)))
    assert not (tmp_path / "run").exists()


def mixed(folder: Path) -> Samples:
    """Eight faces labelled with 68 points, and the same with five, as two sources."""
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    points = load_model(find_model("bundled")).predict(crops).points
    sources: list[Path] = []
    for scheme in (IBUG68, MTFL5):
        own = folder / scheme.name
        own.mkdir()
        np.save(own / "faces.npy", crops)
        flat = IBUG68.convert(points, scheme).reshape(8, -1)
        frame = pd.DataFrame(flat, columns=scheme.columns)
        frame.assign(person=[f"{scheme.name}{i}" for i in range(8)]).to_csv(
            own / "labels.csv", index=False
        )
        sources += [own / "labels.csv", own / "faces.npy"]
    config = PrepareConfig(tuple(sources), folder / "data.csv", crop="none", val=0.25, test=0)
    prepare(replace(config, size=112), lambda done, total: None)
    return read_samples(folder / "data.csv")


def test_sources_keep_their_own_points(tmp_path: Path) -> None:
    samples = mixed(tmp_path)
    assert samples.schemes == (IBUG68, MTFL5)
    assert samples.target is IBUG68
    assert len(samples.scheme) == 73
    assert samples.scheme.flip_order is not None
    many, few = (samples.source == str(tmp_path / n / "labels.csv") for n in ("ibug68", "mtfl5"))
    known = np.asarray(np.isfinite(samples.points).all(2))
    assert known[many].sum(1).tolist() == [68] * 8
    assert known[few].sum(1).tolist() == [5] * 8
    assert np.isfinite(samples.anchor_points()).all()
    assert np.allclose(samples.anchor_points()[many], samples.anchor_points()[few], atol=1e-3)
    indices = samples.target.point_indices(samples.scheme)
    averages = Averages(indices, torch.device("cpu"))
    found = torch.rand(3, 68, 2)
    expected = IBUG68.convert(found.numpy(), samples.scheme)
    assert np.allclose(averages.points(found), expected, atol=1e-6)
    scales = averages.each(torch.rand(3, 68))
    assert torch.isnan(scales).sum(1).tolist() == [2] * 3  # the two eye centres
    # A network that is right about everything has no loss, whichever points a source has.
    bundled = load_model(find_model("bundled"), trainable=True)
    said = bundled.scheme.convert(bundled.predict(samples.crops).points, samples.scheme)
    assert np.nanmax(np.abs(said - samples.points)) < 1.0
    config = recipe("integral", epochs=1, batch=8, lr=1e-5, threads=1)
    framing = measure_framing(samples, None)
    model = train(config, samples, framing, Listener(), Origin(start=bundled))
    assert model.scheme is IBUG68
    assert model.scores["val_nme"] < 0.15


def test_schemes_that_only_overlap_are_joined() -> None:
    own = Scheme.from_names(["left_eye_center", "right_eye_center", "left_ear", "right_ear"])
    joined = covering([FKP4, own])
    assert joined.names == (*FKP4.names, "left_ear", "right_ear")
    assert joined.flip_order == (1, 0, 2, 3, 5, 4)
    assert covering([MTFL5, IBUG68, FKP4]) is IBUG68
    with_ibug = covering([IBUG68, own])
    assert len(with_ibug) == 72
    assert with_ibug.can_convert(own)
    assert joined.anchors[:3] == ((1,), (0,), (2,))


def test_the_gradient_of_the_depthwise_convolution() -> None:
    layer = Depthwise(6)
    x = torch.randn(2, 6, 10, 10, requires_grad=True)
    target = torch.randn(2, 6, 10, 10)
    results: list[tuple[torch.Tensor, torch.Tensor]] = []
    for forward in (layer.forward, lambda x: torch.nn.Conv2d.forward(layer, x)):
        x.grad = layer.weight.grad = None
        (forward(x) - target).square().sum().backward()  # type: ignore[no-untyped-call]
        assert x.grad is not None
        assert layer.weight.grad is not None
        results.append((x.grad.clone(), layer.weight.grad.clone()))
    for own, torchs in zip(*results, strict=True):
        assert torch.allclose(own, torchs, rtol=1e-4, atol=1e-4)


def test_tensorboard_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    data = prepared_course(tmp_path)
    fit(Training(data, tmp_path / "run", replace(SMALL, epochs=1), tensorboard=True))
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert b"validation/nme" in events.read_bytes()


def test_the_signal_that_ends_a_job_leaves_a_state(tmp_path: Path) -> None:
    prepared_course(tmp_path)
    command = [
        sys.executable,
        "-m",
        "fkp",
        "train",
        "data.csv",
        "--name",
        "job",
        "--epochs",
        "5000",
    ]
    run = tmp_path / "runs" / "job"
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        deadline = time.monotonic() + 300
        while not (run / "state.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=300)
    assert process.returncode == 143, err
    assert b"continue with: fkp train --resume runs/job" in err
    assert (run / "state.pt").exists()


def test_levels_of_augmentation(tmp_path: Path) -> None:
    data = str(prepared_course(tmp_path))
    found = {}
    for name in ("none", "light", "full"):
        arguments = ["train", data, "--aug", name, "--epochs", "1", "--runs", str(tmp_path)]
        done = CliRunner().invoke(cli, [*arguments, "--name", name])
        assert done.exit_code == 0, done.output
        said = read_config(tmp_path / name / "config.json")["training"]
        found[name] = from_dict(said).augmentation
    assert found == AUGMENTATIONS
