"""The training loop."""

import math
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from fkp.errors import DataError
from fkp.labels.store import Samples
from fkp.learn import metrics
from fkp.learn.augment import augment
from fkp.learn.checkpoint import Model
from fkp.learn.config import TrainConfig
from fkp.learn.devices import pick_device, pick_precision
from fkp.learn.framing import Framing
from fkp.learn.losses import LOSSES, masked_mean
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


def train(config: TrainConfig, samples: Samples, framing: Framing, listener: Listener) -> Model:
    """Train a network on the `train` rows, choosing the best epoch by the `val` rows.

    Without `val` rows the last epoch is taken. Returns the model of that epoch, on the CPU.
    The same seed on the same machine gives the same weights.
    """
    train_part, val_part = samples.part("train").labelled(), samples.part("val").labelled()
    if len(train_part) == 0:
        raise DataError("there are no labelled training rows")
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    device = pick_device(config.device)
    torch.backends.cudnn.deterministic = True
    dtype = pick_precision(config.precision, device)
    network = build(config.architecture, len(samples.scheme), samples.size)
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(config, network, device, dtype, math.ceil(len(train_part) / config.batch))
    images = torch.from_numpy(np.array(train_part.images)).to(device)
    points = torch.from_numpy(train_part.points).to(device)
    flip = samples.scheme.flip_order

    started, best_value, best_epoch = time.perf_counter(), math.inf, 0
    best: dict[str, Tensor] = {}
    scores: dict[str, float] = {}
    for epoch in range(1, config.epochs + 1):
        begun, total, count = time.perf_counter(), 0.0, 0
        network.train()
        for rows in run.batches(len(images)):
            # x: (B, 1, S, S) float32 in 0..1; y: (B, K, 2) float32 crop pixels, NaN = no label
            x, y = images[rows, None].float() / 255, points[rows]
            if config.augmentation is not None:
                x, y = augment(x, y, flip, config.augmentation, run.generator)
            loss = run.step(x, y / samples.size)
            total, count = total + loss * len(rows), count + len(rows)
            rate = count / (time.perf_counter() - begun)
            listener.step(epoch, count, len(images), total / count, rate)
        if not math.isfinite(total):
            raise DataError(f"the loss is not finite in epoch {epoch}; use a smaller --lr")
        model = Model(
            run.averaged(), config.architecture, samples.scheme, samples.size, samples.framing,
            framing, config.as_dict(), scores,
        )  # fmt: skip
        rmse, nme = _validate(model, val_part)
        value = nme if math.isfinite(nme) else rmse
        better = value < best_value or not len(val_part)
        if better:
            best_value, best_epoch = value, epoch
            best = {k: v.detach().cpu().clone() for k, v in model.network.state_dict().items()}
            scores.update(epoch=epoch, val_rmse=rmse, val_nme=nme)
        seconds = time.perf_counter() - started
        result = Epoch(epoch, run.lr, total / count, rmse, nme, rate, seconds, better)
        listener.epoch(result, model)
        if config.patience and epoch - best_epoch >= config.patience:
            break
    network.load_state_dict(best)
    return Model(
        network.cpu(), config.architecture, samples.scheme, samples.size, samples.framing,
        framing, config.as_dict(), scores,
    )  # fmt: skip


class _Run:
    """The moving parts of a run: optimiser, schedule, averaged weights, random numbers."""

    def __init__(
        self,
        config: TrainConfig,
        network: nn.Module,
        device: torch.device,
        dtype: torch.dtype,
        steps: int,
    ) -> None:
        self.config, self.network, self.device, self.dtype = config, network, device, dtype
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

    def batches(self, count: int) -> Iterator[Tensor]:
        """All row numbers once, in random order."""
        order = torch.randperm(count, generator=self.generator)
        for rows in torch.split(order, self.config.batch):
            yield rows.to(self.device)

    def step(self, x: Tensor, y: Tensor) -> float:
        """One update; x: (B, 1, S, S), y: (B, K, 2) as fractions of the side. Returns the loss."""
        x = x.contiguous(memory_format=torch.channels_last)
        with self._autocast():
            predicted = self.network(x)
        loss = masked_mean(self.loss, predicted.float(), y)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scheduler is not None:
            self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return float(loss.detach())

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
    scores = metrics.score(model.predict(part.images), part.points, part.scheme)
    return scores.rmse, scores.nme
