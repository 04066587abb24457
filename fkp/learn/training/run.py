"""A training run: from a table of labels to a folder with a network."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fkp.errors import DataError
from fkp.keypoints import Scheme
from fkp.labels.cache import prepared
from fkp.labels.cut import Progress
from fkp.labels.schemes import subset
from fkp.labels.store import Samples, read_samples
from fkp.learn.networks.architectures import build
from fkp.learn.networks.checkpoint import Model, load_model
from fkp.learn.networks.devices import pick_device
from fkp.learn.networks.framing import measure_framing
from fkp.learn.networks.transfer import initialise
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.folder import BEST, STATE, Listeners, RunFolder
from fkp.learn.training.loop import Listener, Origin, train
from fkp.learn.training.lr_range import find_lr
from fkp.learn.training.team import Team
from fkp.learn.training.tensorboard import Board
from fkp.locks import locked
from fkp.vision.detect import YuNetDetector

Pairs = tuple[tuple[str, str], ...]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Training:
    """Settings of a run: data, training, and the folder of its files.

    data: a data set of `prepare`, or a table that it can read; path: a folder without a run.
    find_lr: choose the learning rate by a range test. flip_pairs: points that a mirror swaps.
    """

    data: Path
    path: Path
    config: TrainConfig
    find_lr: bool = False
    tensorboard: bool = False
    flip_pairs: Pairs | None = None


def fit(
    training: Training,
    listener: Listener | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
    team: Team | None = None,
) -> Model:
    """Train, and return the best model; its file, table, pictures and report are in `path`.

    One process, or one team, writes there at a time. If stopped by Ctrl-C, it keeps the best model
    so far and raises KeyboardInterrupt; `resume` continues from there. Raises FkpError for data or
    settings that cannot be trained with.
    """
    with _joined(team, training.config) as ours:
        return _fit(training, listener, progress, say, ours)


def _fit(
    training: Training, listener: Listener | None, progress: Progress, say: Say, team: Team
) -> Model:
    config = training.config
    if config.freeze and not config.init:
        raise DataError(
            "freeze keeps the features of a trained network; choose one to start from (init)"
        )
    pick_device(team.device(config.device))  # fails before any work
    samples = _samples(training.data, training.flip_pairs, progress, say, team)
    config = config.for_rows(len(samples.rows("train")))
    start = load_model(Path(config.init), trainable=True) if config.init else None
    if start is not None:
        _check_start(config, samples, start, say)
    with ExitStack() as stack:
        folder = None
        if team.leads:
            training.path.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(training.path))
            folder = RunFolder.create(training.path, config, training.data, samples)
        if training.find_lr:
            plot = training.path / "lr.png"
            config = replace(
                config, lr=find_lr(config, samples, Origin(start=start), team, plot).chosen
            )
            say(f"learning rate {config.lr:.3g}, by a range test ({plot})")
        if folder is not None:
            folder.about |= {"training": config.as_dict(), "flip_pairs": training.flip_pairs}
            folder.show_augmentation(config, samples)
            folder.write_config()  # from now on the run can be resumed
        board = training.tensorboard
        model = _run(folder, training.path, config, samples, start, board, listener, team)
    _compare_with_mean(model, samples, say)
    return model


@contextmanager
def _joined(team: Team | None, config: TrainConfig) -> Iterator[Team]:
    """Connect the processes that train together within the block."""
    team = team or Team()
    team.join(team.device(config.device))
    try:
        yield team
    finally:
        team.leave()


def _check_start(
    config: TrainConfig, samples: Samples, start: Model, say: Callable[[str], None]
) -> None:
    """Report how many points are initialised; raises DataError on a mismatch, before the folder
    exists.
    """
    points = samples.target
    known = initialise(build(config.architecture, len(points), samples.size), points, start)
    say(f"init: {known} of {len(points)} points start with that network's weights")
    if start.size != samples.size:
        say(
            f"init: that network was trained on crops of {start.size} px, these have "
            f"{samples.size} px; data prepared with size {start.size} suits it better"
        )


def resume(
    path: Path,
    listener: Listener | None = None,
    progress: Progress = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
    team: Team | None = None,
) -> Model:
    """Resume a stopped run, bit for bit as if it had not stopped.

    Raises FkpError if there is none, if another process is writing there, or if the data has
    changed.
    """
    config = RunFolder.reopen(path).config
    with _joined(team, config) as ours, ExitStack() as stack:
        if ours.leads:
            stack.enter_context(locked(path))
        folder = RunFolder.reopen(path)  # check again, now that no other process writes there
        pairs = folder.about.get("flip_pairs")
        pick_device(ours.device(config.device))
        flip_pairs = None if pairs is None else tuple((str(a), str(b)) for a, b in pairs)
        samples = _samples(Path(folder.about["data"]), flip_pairs, progress, say, ours)
        folder.check(samples)
        begun = (path / STATE).exists()
        start = load_model(Path(config.init), trainable=True) if config.init and not begun else None
        board = (path / "tensorboard").is_dir()
        own = folder if ours.leads else None
        model = _run(own, path, config, samples, start, board, listener, ours)
    _compare_with_mean(model, samples, say)
    return model


def _run(
    folder: RunFolder | None,
    path: Path,
    config: TrainConfig,
    samples: Samples,
    start: Model | None,
    board: bool,
    listener: Listener | None,
    team: Team,
) -> Model:
    listeners: list[Listener] = []
    if folder is not None:
        listeners += [folder, *([listener] if listener else []), *([Board(path)] if board else [])]
    framing = measure_framing(samples, YuNetDetector())
    origin = Origin(start=start, state=path / STATE)
    try:
        model = train(config, samples, framing, Listeners(listeners), origin, team)
    except KeyboardInterrupt as error:
        if folder is not None and folder.epochs:
            folder.finish(samples, None)
            error.add_note(f"{path / BEST} is the best network so far")
        raise
    return folder.finish(samples, model) if folder is not None else model


def _samples(
    data: Path,
    flip_pairs: Pairs | None,
    progress: Progress,
    say: Callable[[str], None],
    team: Team,
) -> Samples:
    """The data set; the first of several processes prepares it."""
    if not team.leads:
        team.wait()
    path = prepared(data, progress)
    if team.leads:
        team.wait()
    if path != data:
        say(f"{data} prepared into {path}")
    samples = read_samples(path)
    if flip_pairs is not None:
        schemes = tuple(Scheme.from_names(own.names, flip_pairs) for own in samples.schemes)
        samples = replace(samples, schemes=schemes)
    if not len(samples.rows("train")):
        raise DataError(f"{data}: no labelled training rows")
    samples = without_unlabelled(samples, say)
    if samples.scheme.flip_order is None:
        say(
            "pictures are not mirrored: the names of the points do not tell left from right "
            "(set flip_pairs)"
        )
    return samples


def without_unlabelled(samples: Samples, say: Say) -> Samples:
    """The data without the points that no training row labels, which cannot be learnt."""
    known = np.isfinite(samples.points[samples.rows("train")]).all(2).any(0)
    if known.all():
        return samples
    names = np.array(samples.scheme.names)
    say(
        f"no training row labels {', '.join(names[~known])}: left out, the network will not find "
        "them"
    )
    schemes = (
        subset(scheme, names[known].tolist())
        for scheme in samples.schemes
        if set(scheme.names) & set(names[known].tolist())
    )
    return replace(samples, schemes=tuple(schemes), points=samples.points[:, known])


def _compare_with_mean(model: Model, samples: Samples, say: Say) -> None:
    """Warn if the network is no better than the mean of the training labels."""
    train, val = (samples.points[samples.rows(name)] for name in ("train", "val"))
    if not len(val):
        return
    mean = np.nanmean(train, axis=0, dtype=np.float64)
    plain = float(np.sqrt(np.nanmean(np.square(val - mean))))
    if not model.scores["val_rmse"] < plain:
        say(
            "the network is no better than the mean of the training labels (validation RMSE "
            f"{model.scores['val_rmse']:.3f} px against {plain:.3f} px): train for more epochs, "
            "try another learning rate, or check the labels"
        )
