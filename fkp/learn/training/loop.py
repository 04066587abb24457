"""The training loop."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fkp.errors import FkpError
from fkp.keypoints import RADIUS_90
from fkp.labels.store import Samples
from fkp.learn.evaluation import metrics
from fkp.learn.networks.architectures import build
from fkp.learn.networks.base import Architecture
from fkp.learn.networks.checkpoint import Model
from fkp.learn.networks.devices import pick_device
from fkp.learn.networks.framing import Framing
from fkp.learn.networks.transfer import freeze, initialise, keep_frozen_still
from fkp.learn.training.batches import Batches
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.stepper import Stepper
from fkp.learn.training.team import Team
from fkp.vision.process import settle


@dataclass(frozen=True, slots=True)
class Epoch:
    """The result of an epoch; validation scores are NaN without validation rows."""

    epoch: int  # from 1
    lr: float
    train_loss: float
    val_rmse: float  # crop pixels
    val_nme: float
    images_per_second: float
    seconds: float  # training time so far
    best: bool  # on the validation rows so far; False without validation rows

    @property
    def kept(self) -> bool:
        """Whether its weights are kept: the best so far, or, without validation rows, the last."""
        return self.best or math.isnan(self.val_rmse)


class Listener:
    """Callbacks during a training; the base class does nothing."""

    def begin(self, rows: int, epochs: int) -> None:
        """Before the first step, with the numbers of training rows and epochs."""

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """After each batch: images done of the epoch's total, mean loss, images per second."""

    def epoch(self, result: Epoch, model: Model) -> None:
        """After each epoch; `model` holds the validated weights until the next epoch."""

    def resumed(self, epoch: int) -> None:
        """Before the first step of a resumed run, with its last completed epoch."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a training starts from, besides its data.

    negatives: (M, S, S) uint8 crops of other things than faces, for the face head.
    hidden: (N, K) bool, for each row of the samples: labelled points that are not visible.
    start: a model whose weights to start from. state: the file that holds the run after each epoch;
    if it exists, the run resumes from it.
    """

    negatives: npt.NDArray[np.uint8] | None = None
    hidden: npt.NDArray[np.bool_] | None = None
    start: Model | None = None
    state: Path | None = None


def train(
    config: TrainConfig,
    samples: Samples,
    framing: Framing,
    listener: Listener,
    origin: Origin | None = None,
    team: Team | None = None,
) -> Model:
    """Train a network on the `train` rows, and choose the best epoch by the `val` rows.

    Returns the model of that epoch (without `val` rows, of the last one) on the CPU. The same seed
    on the same machine gives the same weights, even if the run was stopped and resumed. The
    processes of a team train together and return the same. Raises FkpError if the training
    diverges; an epoch with weights that are not finite is never the best.
    """
    origin, team = origin or Origin(), team or Team()
    config = config.for_rows(len(samples.rows("train")))
    val_part = samples.labelled("val")
    device = pick_device(team.device(config.device))
    stepper, batches = prepare_training(config, samples, origin, device, team)
    listener.begin(batches.rows, config.epochs)
    best, first, before = _Best(), 1, 0.0
    if origin.state is not None and origin.state.exists():
        progress = stepper.restore(origin.state)
        first, before = progress["epoch"] + 1, progress["seconds"]
        best = _Best(**progress["best"])
        listener.resumed(first - 1)
    with_others = origin.negatives is not None
    covers = config.augmentation is not None and config.augmentation.cover > 0

    def model(network: Architecture) -> Model:
        return Model(
            network, config.architecture, samples.target, samples.size, samples.crop_mode, framing,
            config.as_dict(), best.scores, estimates_faces=with_others, estimates_visibility=covers,
        )  # fmt: skip

    started = time.perf_counter() - before
    for epoch in range(first, config.epochs + 1):
        if config.patience and epoch - 1 - best.epoch >= config.patience:
            break
        loss, rate = _epoch(epoch, stepper, batches, listener)
        current = model(stepper.averaged())
        if not (math.isfinite(loss) and _is_finite(current.network)):
            raise _diverged(epoch, config, best.epoch)
        scores = _validate(current, val_part) if team.leads else (math.nan, math.nan)
        rmse, nme = team.agree(list(scores), device)
        if len(val_part) and not math.isfinite(rmse):
            raise _diverged(epoch, config, best.epoch)
        kept = best.offer(epoch, rmse, nme, current.network, always=not len(val_part))
        better = kept and len(val_part) > 0
        seconds = time.perf_counter() - started
        listener.epoch(Epoch(epoch, stepper.lr, loss, rmse, nme, rate, seconds, better), current)
        if origin.state is not None and team.leads:
            progress = {"epoch": epoch, "seconds": seconds, "best": asdict(best)}
            stepper.save(origin.state, progress)
    stepper.network.load_state_dict(best.weights)
    final = model(stepper.network.cpu())
    return replace(final, calibration=calibrate(final, val_part))


def prepare_training(
    config: TrainConfig, samples: Samples, origin: Origin, device: torch.device, team: Team
) -> tuple[Stepper, Batches]:
    """A new network with its optimiser, and its batches."""
    settle()
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    torch.backends.cudnn.deterministic = True
    batches = Batches(config, samples, origin.negatives, device, team, origin.hidden)
    network = build(config.architecture, len(samples.target), samples.size)
    if origin.start is not None:
        initialise(network, samples.target, origin.start)
    if config.freeze:
        freeze(network)
    if origin.negatives is None and network.face_head is not None:
        network.face_head.requires_grad_(False)  # it has nothing to learn from
    team.share(network)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    indices = samples.target.point_indices(samples.scheme)
    return Stepper(config, network, indices, device, batches.steps, team), batches


def _epoch(
    epoch: int, stepper: Stepper, batches: Batches, listener: Listener
) -> tuple[float, float]:
    """One pass over the training rows: mean loss and images per second."""
    begun, total, count, rate = time.perf_counter(), 0.0, 0, 0.0
    team = stepper.team
    stepper.network.train()
    keep_frozen_still(stepper.network)
    for batch in batches.epoch(stepper.generator):
        loss = _together(stepper.step, batch, team)
        total, count = total + loss * len(batch), count + len(batch)
        rate = count * team.size / (time.perf_counter() - begun)
        listener.step(epoch, count * team.size, batches.rows, total / max(count, 1), rate)
    sums = team.total(torch.tensor([total, count], dtype=torch.float64, device=batches.device))
    return float(sums[0] / sums[1]), rate


def _is_finite(network: nn.Module) -> bool:
    return all(bool(torch.isfinite(value).all()) for value in network.state_dict().values())


def _diverged(epoch: int, config: TrainConfig, best: int) -> FkpError:
    kept = f"; the best network so far, of epoch {best}, is kept" if best else ""
    return FkpError(
        f"the training diverged in epoch {epoch}: weights or predictions are no longer finite. "
        f"Start again with a smaller learning rate (it was {config.lr:g}; try {config.lr / 10:g}, "
        f"or auto){kept}"
    )


def _together(step: Callable[..., float], batch: object, team: Team) -> float:
    """Make a step; raises FkpError if another process of the team has ended."""
    try:
        return step(batch)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        if team.size == 1:
            raise
        raise FkpError(
            f"process {team.rank} of {team.size}: another process of the training has ended; "
            "resume the run to continue after the last whole epoch"
        ) from error


def calibrate(model: Model, part: Samples) -> float:
    """The factor on the scales that makes the 90 % radius hold 90 % of a part's points."""
    predicted = model.predict(part.crops)
    if len(part) == 0 or np.isnan(predicted.scale).all():
        return model.calibration
    indices = model.scheme.point_indices(part.scheme)
    labelled = [k for k, own in enumerate(indices) if len(own) == 1]
    found = [indices[k][0] for k in labelled]
    distance = np.linalg.norm(predicted.points[:, found] - part.points[:, labelled], axis=2)
    ratio = distance / (RADIUS_90 * predicted.scale[:, found])
    if np.isnan(ratio).all():
        return model.calibration
    return model.calibration * float(np.nanquantile(ratio, 0.9))


@dataclass(slots=True)
class _Best:
    """The best weights so far, and their validation scores."""

    value: float = math.inf
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    scores: dict[str, Any] = field(default_factory=dict)

    def offer(self, epoch: int, rmse: float, nme: float, network: nn.Module, always: bool) -> bool:
        """Keep these weights if they are the best so far, or `always`; returns whether they were
        kept.
        """
        value = nme if math.isfinite(nme) else rmse
        if not (value < self.value or always):
            return False
        self.value, self.epoch = value, epoch
        self.weights = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
        self.scores.update(epoch=epoch, val_rmse=rmse, val_nme=nme)
        return True


def _validate(model: Model, part: Samples) -> tuple[float, float]:
    """RMSE and NME; NaN without rows, or if predictions are not finite."""
    points = model.predict(part.crops).points
    if len(part) == 0 or not np.isfinite(points).all():
        return math.nan, math.nan
    predicted = model.scheme.convert(points, part.scheme)
    scores = metrics.score(predicted, part.points, part.scheme, lengths=metrics.lengths(part))
    return scores.rmse, scores.nme
