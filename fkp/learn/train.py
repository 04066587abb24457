"""The training loop."""

import math
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from fkp.errors import DataError
from fkp.keypoints import RADIUS_90
from fkp.labels.store import Samples
from fkp.learn import metrics
from fkp.learn.augment import augment, augment_pictures
from fkp.learn.checkpoint import Model
from fkp.learn.config import TrainConfig
from fkp.learn.devices import pick_device, pick_precision
from fkp.learn.framing import Framing
from fkp.learn.losses import LOSSES, doubt, masked_mean
from fkp.learn.networks import build


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch came to; the validation figures are NaN without validation persons."""

    epoch: int  # from 1
    lr: float
    train_loss: float
    val_rmse: float  # crop pixels
    val_nme: float
    images_per_second: float
    seconds: float  # since the start
    best: bool


class Listener:
    """What a caller may want to do as training goes on; the base class does nothing."""

    def step(self, epoch: int, done: int, total: int, loss: float, rate: float) -> None:
        """After each batch: images seen of an epoch's total, running loss, images a second."""

    def epoch(self, result: Epoch, model: Model) -> None:
        """After each epoch; `model` holds the weights that were validated, until the next."""


def train(
    config: TrainConfig,
    samples: Samples,
    framing: Framing,
    listener: Listener,
    negatives: npt.NDArray[np.uint8] | None = None,
    state: Path | None = None,
) -> Model:
    """Train a network on the `train` rows, choosing the best epoch by the `val` rows.

    Without `val` rows the last epoch is taken. Returns the model of that epoch, on the CPU.
    The same seed on the same machine gives the same weights. negatives: (M, S, S) crops that are
    no faces, from which the network learns to tell; state: a file that holds the run after each
    epoch, and from which it goes on if it exists.
    """
    val_part = samples.part("val").labelled()
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = pick_device(config.device)
    torch.backends.cudnn.deterministic = True
    batches = _Batches(config, samples, negatives, device)
    network = build(config.architecture, len(samples.scheme), samples.size)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(config, network, device, batches.steps)
    best = _Best()
    first = _resume(state, run, best) if state is not None and state.exists() else 1

    def model(network: nn.Module) -> Model:
        return Model(
            network, config.architecture, samples.scheme, samples.size, samples.framing, framing,
            config.as_dict(), best.scores, judges_faces=negatives is not None,
        )  # fmt: skip

    started = time.perf_counter()
    for epoch in range(first, config.epochs + 1):
        begun, total, count = time.perf_counter(), 0.0, 0
        network.train()
        for x, y, others in batches.epoch(run.generator):
            total, count = total + run.step(x, y, others) * len(y), count + len(y)
            rate = count / (time.perf_counter() - begun)
            listener.step(epoch, count, batches.rows, total / count, rate)
        if not math.isfinite(total):
            raise DataError(f"the loss is not finite in epoch {epoch}; use a smaller --lr")
        current = model(run.averaged())
        rmse, nme = _validate(current, val_part)
        better = best.offer(epoch, rmse, nme, current.network, always=not len(val_part))
        seconds = time.perf_counter() - started
        listener.epoch(
            Epoch(epoch, run.lr, total / count, rmse, nme, rate, seconds, better), current
        )
        if state is not None:
            _save(state, run, best, epoch)
        if config.patience and epoch - best.epoch >= config.patience:
            break
    network.load_state_dict(best.weights)
    final = model(network.cpu())
    return replace(final, calibration=calibrate(final, val_part))


def calibrate(model: Model, part: Samples) -> float:
    """What to multiply the scales by, so that the 90 % radius holds 90 % of a part's errors."""
    predicted = model.predict(part.images)
    if len(part) == 0 or np.isnan(predicted.scale).all():
        return model.calibration
    distance = np.linalg.norm(predicted.points - part.points, axis=2)
    ratio = distance / (RADIUS_90 * predicted.scale)
    return model.calibration * float(np.nanquantile(ratio, 0.9))


@dataclass(slots=True)
class _Best:
    """The weights that did best on the validation rows, and how well."""

    value: float = math.inf
    epoch: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)

    def offer(self, epoch: int, rmse: float, nme: float, network: nn.Module, always: bool) -> bool:
        """Keep these weights if they are the best so far (or `always`); whether they were kept."""
        value = nme if math.isfinite(nme) else rmse
        if not (value < self.value or always):
            return False
        self.value, self.epoch = value, epoch
        self.weights = {k: v.detach().cpu().clone() for k, v in network.state_dict().items()}
        self.scores.update(epoch=epoch, val_rmse=rmse, val_nme=nme)
        return True


class _Batches:
    """Augmented batches of the training rows, on the device."""

    def __init__(
        self,
        config: TrainConfig,
        samples: Samples,
        negatives: npt.NDArray[np.uint8] | None,
        device: torch.device,
    ) -> None:
        part = samples.part("train").labelled()
        if len(part) == 0:
            raise DataError("there are no labelled training rows")
        self.config, self.part, self.device = config, part, device
        self.rows, self.steps = len(part), math.ceil(len(part) / config.batch)
        self.flip, self.size = samples.scheme.flip_order, samples.size
        self.images = torch.from_numpy(np.array(part.images)).to(device)
        self.points = torch.from_numpy(part.points).to(device)
        self.negatives = None if negatives is None else torch.from_numpy(negatives).to(device)

    def epoch(self, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
        """All rows once, in random order: x (B, 1, S, S) float32 in 0..1, y (B, K, 2) as fractions
        of the side (NaN = no label), and crops that are no faces (B / 8, 1, S, S) or None.
        """
        order = torch.randperm(self.rows, generator=generator)
        for rows in torch.split(order, self.config.batch):
            rows = rows.to(self.device)
            x, y = self.images[rows, None].float() / 255, self.points[rows]
            others = None
            if self.negatives is not None:
                count = math.ceil(len(rows) / 8)
                chosen = torch.randint(len(self.negatives), (count,), generator=generator)
                others = self.negatives[chosen.to(self.device), None].float() / 255
            if self.config.augmentation is not None:
                x, y = augment(x, y, self.flip, self.config.augmentation, generator)
                if others is not None:
                    others = augment_pictures(others, self.config.augmentation, generator)
            yield x, y / self.size, others


class _Run:
    """The moving parts of a run: optimiser, schedule, averaged weights, random numbers."""

    def __init__(
        self,
        config: TrainConfig,
        network: nn.Module,
        device: torch.device,
        steps: int,
    ) -> None:
        self.config, self.network, self.device = config, network, device
        self.dtype = dtype = pick_precision(config.precision, device)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.loss = LOSSES[config.loss]
        groups = _decay_groups(network, config.weight_decay)
        self.optimizer: torch.optim.Optimizer
        if config.optimizer == "sgd":
            self.optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
        else:
            self.optimizer = torch.optim.AdamW(groups, lr=config.lr)
        self.scheduler = None
        if config.schedule == "onecycle":
            self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer,
                config.lr,
                total_steps=max(config.epochs * steps, 10),
                pct_start=0.15,
            )
        self.scaler = torch.amp.GradScaler(device.type, enabled=dtype == torch.float16)
        self.average = None
        if config.ema:
            self.average = AveragedModel(network, avg_fn=self._average, use_buffers=True)

    def _average(self, average: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        # A young average follows quickly, so that short runs are not held back by it.
        decay = min(self.config.ema, (1 + int(count)) / (10 + int(count)))
        return average + (new - average) * (1 - decay)

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self, x: Tensor, y: Tensor, others: Tensor | None) -> float:
        """One update on a batch, see _Batches.epoch; returns the loss of the points."""
        crops = x if others is None else torch.cat([x, others])
        with self._autocast():
            output = self.network(crops.contiguous(memory_format=torch.channels_last))
        predicted = output.points[: len(y)]
        loss = points_loss = masked_mean(self.loss, predicted, y)
        if output.log_scale is not None:
            loss = loss + 0.1 * doubt(output.log_scale[: len(y)], predicted, y)
        if output.face is not None and others is not None:
            wanted = torch.zeros_like(output.face)
            wanted[: len(y)] = 1
            judged = functional.binary_cross_entropy_with_logits(output.face, wanted)
            loss = loss + self.config.face_weight * judged
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scheduler is not None:
            self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return float(points_loss.detach())

    def parts(self) -> dict[str, Any]:
        """Everything that has a state to save."""
        parts = {"network": self.network, "optimizer": self.optimizer, "scaler": self.scaler}
        parts |= {"scheduler": self.scheduler, "average": self.average}
        return {name: part for name, part in parts.items() if part is not None}

    def averaged(self) -> nn.Module:
        """The network to validate and keep."""
        return self.network if self.average is None else self.average.module

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)


def _decay_groups(network: nn.Module, decay: float) -> list[dict[str, object]]:
    """Weight decay for matrices and kernels only, not for biases and norms."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _validate(model: Model, part: Samples) -> tuple[float, float]:
    if len(part) == 0:
        return math.nan, math.nan
    scores = metrics.score(model.predict(part.images).points, part.points, part.scheme)
    return scores.rmse, scores.nme


def _save(path: Path, run: _Run, best: _Best, epoch: int) -> None:
    """The whole run after an epoch, for `_resume`."""
    part = path.with_name(f"{path.name}.part")
    state = {
        "epoch": epoch,
        "best": asdict(best),
        "generator": run.generator.get_state(),
        **{name: thing.state_dict() for name, thing in run.parts().items()},
    }
    torch.save(state, part)
    os.replace(part, path)


def _resume(path: Path, run: _Run, best: _Best) -> int:
    """Bring a run to where it was saved; the next epoch."""
    state = torch.load(path, weights_only=True, map_location=run.device)
    for name, thing in run.parts().items():
        thing.load_state_dict(state[name])
    run.generator.set_state(state["generator"].cpu())
    for name, value in state["best"].items():
        setattr(best, name, value)
    return int(state["epoch"]) + 1
