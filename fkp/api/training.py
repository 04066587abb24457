"""Training and evaluating networks."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

from fkp.annotate.config import AnnotateConfig
from fkp.annotate.pipeline import Progress
from fkp.api.choices import Architecture, Augment, Loss, Norm, Optimizer, Precision, Schedule, Split
from fkp.api.loading import load_trained
from fkp.api.network import Network, load, silent, unheard
from fkp.errors import UsageError
from fkp.learn.evaluation.benchmarks.report import ScoreTable
from fkp.learn.evaluation.benchmarks.run import BENCHMARKS, WIDER, run_benchmark
from fkp.learn.evaluation.benchmarks.wider import LEAST
from fkp.learn.evaluation.evaluate import Evaluation
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.names import BUNDLED, find_model
from fkp.learn.training.augment import AUGMENTATIONS
from fkp.learn.training.config import TrainConfig, from_dict, recipe
from fkp.learn.training.folder import BEST, read_config
from fkp.learn.training.loop import Listener
from fkp.learn.training.run import Pairs, Say, Training, fit, resume
from fkp.learn.training.team import Team
from fkp.vision.detect import FaceDetector, YuNetDetector
from fkp.vision.detectors import find_detector


def train(
    data: str | Path, out: str | Path, *,
    arch: Architecture | None = None, init: str | Path | None = None, freeze: bool | None = None,
    config: str | Path | None = None, epochs: int | None = None, batch: int | None = None,
    optimizer: Optimizer | None = None, lr: float | Literal["auto"] | None = None,
    schedule: Schedule | None = None, momentum: float | None = None,
    weight_decay: float | None = None, loss: Loss | None = None, ema: float | None = None,
    patience: int | None = None, aug: Augment | None = None, flip_pairs: Pairs | None = None,
    compile: bool | None = None, tensorboard: bool = False, device: str | None = None,
    precision: Precision | None = None, threads: int | None = None, seed: int | None = None,
    listener: Listener | None = None, progress: Progress | None = None, say: Say | None = None,
) -> Network:  # fmt: skip
    """Train a network on a data set into the new folder `out`; returns the best one.

    data: a data set of `fkp.prepare`, or a table that it can read. Arguments that are None take the
    network's defaults, see `fkp.learn.training.config`.

    arch: the network (`integral` by default). init: `bundled` or a file whose weights to start
    from; its points may be others. freeze: train only the layers after the features. config: the
    `config.json` of a run, whose settings apply unless an argument overrides them. epochs: None
    chooses by the number of training rows. lr: a number, or `auto` for a range test. ema: decay of
    the averaged weights, 0 for none. patience: stop after this many epochs without improvement, 0
    for never. aug: strength of the augmentation. flip_pairs: pairs of
    names of points that a mirror swaps. threads: CPU threads, 0 for all.

    listener: called after every step and epoch; progress: called with the rows prepared; say:
    called with messages. If stopped by Ctrl-C, the best network so far is kept, and
    `resume_training` continues. Raises FkpError for data or settings that cannot be trained with.
    """
    base = from_dict(read_config(Path(config))["training"]) if config is not None else None
    start = None if init is None else str(find_model(str(init)).resolve())
    if isinstance(lr, str) and lr != "auto":
        raise UsageError(f"lr: expected a number or auto, got {lr}")
    if aug is not None and aug not in AUGMENTATIONS:
        raise UsageError(f"aug: expected one of {', '.join(AUGMENTATIONS)}, got {aug}")
    said: dict[str, object] = {
        "epochs": epochs, "batch": batch, "optimizer": optimizer, "schedule": schedule,
        "lr": None if isinstance(lr, str) else lr, "momentum": momentum, "loss": loss, "ema": ema,
        "weight_decay": weight_decay, "patience": patience, "init": start, "freeze": freeze,
        "compile": compile, "device": device, "precision": precision, "threads": threads,
        "seed": seed,
    }  # fmt: skip
    settings = _settings(base, arch, said)
    if aug is not None:
        settings = replace(settings, augmentation=AUGMENTATIONS[aug])
    training = Training(Path(data), Path(out), settings, lr == "auto", tensorboard, flip_pairs)
    team = Team()
    model = fit(training, listener, progress or silent, say or unheard, team)
    return _network(model, training.path / BEST, team)


def _settings(base: TrainConfig | None, arch: str | None, said: dict[str, object]) -> TrainConfig:
    """The settings of a file, or the network's defaults, with the given changes."""
    if base is None:
        return recipe(arch, **said)
    known = {name: value for name, value in said.items() if value is not None}
    return replace(base, **known, architecture=arch or base.architecture)  # type: ignore[arg-type]


def resume_training(
    run: str | Path,
    *,
    listener: Listener | None = None,
    progress: Progress | None = None,
    say: Say | None = None,
) -> Network:
    """Resume a stopped training, bit for bit as if it had not stopped; returns the best network.

    run: its folder. Raises FkpError if there is none, if it is finished, or if its data has
    changed.
    """
    team = Team()
    model = resume(Path(run), listener, progress or silent, say or unheard, team)
    return _network(model, Path(run) / BEST, team)


def _network(model: Model, path: Path, team: Team) -> Network:
    """The best network, from its file, which the first of several processes wrote."""
    return load(path) if team.leads else Network(model, path, None, AnnotateConfig())


def evaluate(
    model: str | Path | Network,
    data: str | Path,
    *,
    split: Split | None = None,
    norm: Norm | None = None,
    from_images: bool = False,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measure a network's errors on a data set; `.scores.nme` is the mean error. Raises FkpError.

    data: a data set of `fkp.prepare`, or a table that it can read. split: None takes the test rows
    if there are any, otherwise the validation rows, otherwise all. norm: the length by which errors
    are divided: the distance of the outer eye corners (`outer`) or of the eye centres (`pupil`), or
    the size of the `box`; None takes the usual one. from_images: find the faces in the pictures;
    faces not found count as failures. jobs: processes for that, None for one per CPU.
    """
    network = model if isinstance(model, Network) else load(model)
    return network.evaluate(
        data, split=split, norm=norm, from_images=from_images, jobs=jobs, progress=progress
    )


def benchmark(
    name: str, folder: str | Path, *,
    model: str | Path | Network = BUNDLED, detector: FaceDetector | str | None = None,
    detector_model: str | Path | None = None, det_size: int = 640, device: str = "auto",
    progress: Progress | None = None,
) -> list[ScoreTable]:  # fmt: skip
    """The tables that papers print for a published set, `name` in `BENCHMARKS`.

    folder: where the set was unpacked. model: a network, its file, or `bundled`. detector: `fkp`,
    `haar` or one of your own finds the faces in whole pictures, and faces not found count as
    failures; None takes them from the ground-truth boxes, but for `wider` it is `fkp`.
    detector_model: another network in YuNet's layout (ONNX). det_size: long side of the picture
    that the bundled detectors look at. Raises FkpError where the folder does not hold the set, or
    the network finds other points.
    """
    if name not in BENCHMARKS:
        raise UsageError(f"benchmark: expected one of {', '.join(BENCHMARKS)}, got {name}")
    network = (
        model.model if isinstance(model, Network) else load_trained(find_model(str(model)), device)
    )
    file = None if detector_model is None else Path(detector_model)
    if detector is None and (file is not None or name == WIDER):
        detector = "fkp"
    if isinstance(detector, str):
        detector = find_detector(detector, file, det_size)
        if name == WIDER and isinstance(detector, YuNetDetector):
            detector = YuNetDetector(file, det_size, LEAST)
    return run_benchmark(name, Path(folder), network, detector, progress or silent)
