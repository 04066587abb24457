"""Training, evaluation and the run folder, on drawn faces."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from fkp.errors import DataError, FkpError
from fkp.keypoints import RADIUS_90
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.labels.store import Samples, read_samples
from fkp.labels.table import ReadOptions
from fkp.learn.evaluation.evaluate import evaluate
from fkp.learn.networks.checkpoint import Model, load_model, save_model
from fkp.learn.networks.framing import measure_framing
from fkp.learn.training.config import TrainConfig, recipe
from fkp.learn.training.folder import RunFolder, new_name
from fkp.learn.training.loop import Epoch, Listener, Origin, train
from fkp.vision.detect import YuNetDetector
from tests.helpers import write_course, write_kaggle, write_pictures


def data(folder: Path, count: int = 80, size: int = 48, **options: object) -> Samples:
    write_course(folder, count, persons=count // 2)
    config = PrepareConfig((folder / "labels.csv",), folder / "data.csv", size=size, **options)  # type: ignore[arg-type]
    prepare(config, lambda done, total: None)
    return read_samples(folder / "data.csv")


def fit(samples: Samples, config: TrainConfig, listener: Listener | None = None) -> Model:
    return train(config, samples, measure_framing(samples, None), listener or Listener())


def mean_face_error(samples: Samples) -> float:
    """Validation RMSE of predicting the mean of the training labels."""
    mean = samples.part("train").points.mean(0)
    return float(np.sqrt(np.square(samples.part("val").points - mean).mean()))


@pytest.mark.parametrize(
    ("architecture", "epochs", "share"), [("integral", 16, 0.7), ("lecture", 40, 0.7)]
)
def test_a_network_learns(tmp_path: Path, architecture: str, epochs: int, share: float) -> None:
    samples = data(tmp_path, 120, val=0.2, test=0)
    changes = {"batch": 16} if architecture == "integral" else {"batch": 8, "lr": 0.1}
    model = fit(samples, recipe(architecture, epochs=epochs, threads=2, **changes))
    result = evaluate(model, samples, "val")
    assert result.scores.rmse < share * mean_face_error(samples)
    assert result.scores.rmse == pytest.approx(model.scores["val_rmse"], rel=1e-3)


@pytest.mark.parametrize("architecture", ["integral", "lecture"])
def test_the_same_seed_gives_the_same_weights(tmp_path: Path, architecture: str) -> None:
    samples = data(tmp_path, 40)
    first, second, other = (
        fit(samples, recipe(architecture, epochs=2, batch=8, seed=seed)) for seed in (0, 0, 1)
    )
    for name, weights in first.network.state_dict().items():
        assert torch.equal(weights, second.network.state_dict()[name]), name
    assert any(
        not torch.equal(w, other.network.state_dict()[n])
        for n, w in first.network.state_dict().items()
    )


def test_missing_points_do_not_disturb(tmp_path: Path) -> None:
    write_kaggle(tmp_path / "training.csv", 30, size=48, empty=0.7)
    config = PrepareConfig((tmp_path / "training.csv",), tmp_path / "data.csv", size=48)
    prepare(config, lambda done, total: None)
    samples = read_samples(tmp_path / "data.csv")
    model = fit(samples, recipe("integral", epochs=1, batch=8))
    assert all(torch.isfinite(w).all() for w in model.network.state_dict().values())


def test_tiny_data_and_no_validation(tmp_path: Path) -> None:
    samples = data(tmp_path, 4, val=0, test=0)
    for batch in (1, 3, 64):
        model = fit(samples.take(np.arange(3)), recipe("integral", epochs=1, batch=batch))
        assert model.scores["epoch"] == 1
    model = fit(samples.take(np.arange(1)), recipe("lecture", epochs=2))
    assert np.isnan(model.scores["val_rmse"])


def test_early_stopping_keeps_the_best(tmp_path: Path) -> None:
    samples = data(tmp_path, 40)
    seen: list[Epoch] = []

    class Recorder(Listener):
        def epoch(self, result: Epoch, model: Model) -> None:
            seen.append(result)

    # A rate at which no weight changes, so that no epoch is better than the first.
    config = recipe("lecture", epochs=60, lr=1e-30, patience=3)
    model = fit(samples, config, Recorder())
    assert len(seen) < 60
    best = min(seen, key=lambda e: e.val_nme)
    assert model.scores["epoch"] == best.epoch
    assert len(seen) - best.epoch == 3


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    samples = data(tmp_path, 40)
    others = np.random.default_rng(0).integers(0, 255, (30, 48, 48), np.uint8)
    config = recipe("integral", epochs=4, batch=16, threads=1)
    framing = measure_framing(samples, None)
    whole = train(config, samples, framing, Listener(), Origin(others))

    origin = Origin(others, state=tmp_path / "run.state")

    class Stop(Listener):
        def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
            if epoch == self.last:
                raise KeyboardInterrupt

        last = 2

    for last in (2, 4):
        Stop.last = last
        with pytest.raises(KeyboardInterrupt):
            train(config, samples, framing, Stop(), origin)
    resumed = train(config, samples, framing, Listener(), origin)
    for name, weights in whole.network.state_dict().items():
        assert torch.equal(weights, resumed.network.state_dict()[name]), name
    assert resumed.scores == whole.scores
    assert resumed.calibration == whole.calibration


def test_the_radius_holds_after_calibration(tmp_path: Path) -> None:
    samples = data(tmp_path, 120, val=0.4, test=0)
    model = fit(samples, recipe("integral", epochs=8, batch=16))
    part = samples.part("val")
    said = model.predict(part.crops)
    inside = np.linalg.norm(said.points - part.points, axis=2) < RADIUS_90 * said.scale
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    assert np.isnan(said.face).all()


def test_a_rate_that_explodes_is_told(tmp_path: Path) -> None:
    with pytest.raises(FkpError, match="smaller learning rate"):
        fit(data(tmp_path, 40), recipe("lecture", lr=1e6, epochs=5))


def test_a_device_that_is_not_there(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        with pytest.raises(DataError, match="not available"):
            fit(data(tmp_path, 10), recipe("lecture", device="cuda"))
    with pytest.raises(DataError, match="device toaster"):
        fit(data(tmp_path, 10), recipe("lecture", device="toaster"))


def test_unlabelled_data_cannot_train(tmp_path: Path) -> None:
    (tmp_path / "test.csv").write_text("ImageId,Image\n" + ("1," + "0 " * 1024 + "\n") * 3)
    prepare(
        PrepareConfig((tmp_path / "test.csv",), tmp_path / "data.csv", size=32, val=0, test=0),
        lambda done, total: None,
    )
    samples = read_samples(tmp_path / "data.csv")
    with pytest.raises(DataError, match="no labelled"):
        measure_framing(samples, None)


class Interrupt(RunFolder):
    """A run that the user stops in its third epoch."""

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        if epoch == 3:
            raise KeyboardInterrupt


def test_an_interrupted_run_keeps_its_best(tmp_path: Path) -> None:
    samples = data(tmp_path, 40)
    config = recipe("lecture", epochs=9)
    folder = Interrupt.create(tmp_path / "run", config, tmp_path / "data.csv", samples)
    folder.write_config()
    with pytest.raises(KeyboardInterrupt):
        fit(samples, config, folder)
    folder.finish(samples, None)
    table = pd.read_csv(tmp_path / "run" / "results.csv")
    assert list(table["epoch"]) == [1, 2]
    model = load_model(tmp_path / "run" / "best.safetensors")
    error = evaluate(model, samples, "val").scores.rmse
    assert error == pytest.approx(table["val_rmse"].min(), rel=1e-3)
    for name in ("curves.png", "val_predictions.png", "config.json"):
        assert (tmp_path / "run" / name).stat().st_size > 100
    with pytest.raises(DataError, match="holds a run"):
        RunFolder.create(tmp_path / "run", config, tmp_path / "data.csv", samples)
    assert new_name(tmp_path, "run") == "run-2"


def test_evaluation_across_framings_and_points(tmp_path: Path) -> None:
    """A network for upright crops of 48 pixels, on whole pictures of 64: the points map back."""
    write_pictures(tmp_path, 100)
    for name, crop, size in (("a", "face", 48), ("b", "none", 64)):
        prepare(
            PrepareConfig(
                (tmp_path / "labels.csv",), tmp_path / f"{name}.csv", crop=crop, size=size,
                val=0.2, test=0, seed=3,
            ),
            lambda done, total: None,
        )  # fmt: skip
    ours, theirs = read_samples(tmp_path / "a.csv"), read_samples(tmp_path / "b.csv")
    model = fit(ours, recipe("integral", epochs=10, batch=16))
    own, other = evaluate(model, ours, "val"), evaluate(model, theirs, "val")
    assert own.notes == []
    assert "framed differently" in other.notes[0]
    assert other.scores.nme < 3 * own.scores.nme + 0.02
    # Left where they were, the points would be off by a quarter of a crop.
    assert other.scores.nme < 0.2


def test_framing_from_labels_and_from_a_detector(tmp_path: Path, samples: Path) -> None:
    frame = "image,a_x,a_y,b_x,b_y\n"
    rows = [f"{n}.jpg,200,110,250,160\n" for n in ("astronaut", "rotated_by_exif")]
    (tmp_path / "labels.csv").write_text(frame + "".join(rows))
    prepare(
        PrepareConfig(
            (tmp_path / "labels.csv",), tmp_path / "data.csv", size=256, crop="none",
            val=0, test=0, read=ReadOptions(images=samples),
        ),
        lambda done, total: None,
    )  # fmt: skip
    nameless = read_samples(tmp_path / "data.csv")
    with pytest.raises(DataError, match="is an eye by its name"):
        measure_framing(nameless, None)
    framing = measure_framing(nameless, YuNetDetector())
    assert framing.measured == "fkp"
    # The eyes of the astronaut, in pixels of her portrait of 512.
    assert np.abs(framing.layout[0] * 512 - [203, 101]).max() < 15
    assert np.abs(framing.layout[1] * 512 - [246, 103]).max() < 15


def test_a_model_that_cannot_be_compared(tmp_path: Path) -> None:
    samples = data(tmp_path, 20)
    model = fit(samples, recipe("lecture", epochs=1))
    save_model(tmp_path / "m.safetensors", model)
    other = tmp_path / "other"
    other.mkdir()
    frame = pd.read_csv(tmp_path / "labels.csv").rename(
        columns=lambda c: c.replace("left_eye", "ear")
    )
    frame.to_csv(other / "labels.csv", index=False)
    np.save(other / "faces.npy", np.load(tmp_path / "faces.npy"))
    prepare(
        PrepareConfig((other / "labels.csv",), other / "data.csv", size=48),
        lambda done, total: None,
    )
    with pytest.raises(DataError, match="cannot be compared"):
        evaluate(model, read_samples(other / "data.csv"))
