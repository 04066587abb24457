"""Training steps: what changes during a run, and its state on disk."""

import io
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel

from fkp.errors import DataError, FkpError
from fkp.files import replacing
from fkp.keypoints import PointIndices
from fkp.learn.networks.base import Architecture
from fkp.learn.networks.devices import pick_precision
from fkp.learn.training.batches import Batch
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.losses import LOSSES, Averages, doubt, masked_mean, visibility
from fkp.learn.training.team import Team

_BROKEN = (OSError, RuntimeError, ValueError, LookupError, TypeError, EOFError, UnpicklingError)


class Stepper:
    """What changes during a run: network, optimiser, schedule, averaged weights, random numbers.

    indices: for each labelled point, the network's points whose mean it is; steps: per epoch.
    """

    def __init__(
        self,
        config: TrainConfig,
        network: Architecture,
        indices: PointIndices,
        device: torch.device,
        steps: int,
        team: Team,
    ) -> None:
        self.config, self.network, self.device, self.team = config, network, device, team
        self.forward = team.wrap(network)
        if config.compile:
            self.forward = torch.compile(self.forward)  # type: ignore[assignment]
        self.dtype = pick_precision(config.precision, device)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.loss, self.averages = LOSSES[config.loss], Averages(indices, device)
        self.optimizer = _optimizer(config, network)
        self.scheduler = None
        if config.schedule == "onecycle":
            self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
                self.optimizer,
                config.lr,
                total_steps=max(config.epochs * steps, 10),
                pct_start=0.15,
            )
        self.scaler = torch.amp.GradScaler(device.type, enabled=self.dtype == torch.float16)
        self.average = None
        if config.ema:
            self.average = AveragedModel(network, avg_fn=self._average, use_buffers=True)

    def _average(self, average: Tensor, new: Tensor, count: Tensor | int) -> Tensor:
        # At first the average follows quickly, so that it does not slow short runs down.
        decay = min(self.config.ema, (1 + int(count)) / (10 + int(count)))
        return average + (new - average) * (1 - decay)

    @property
    def lr(self) -> float:
        return float(self.optimizer.param_groups[0]["lr"])

    def step(self, batch: Batch) -> float:
        """Make one update; returns the loss of the points in this process's part of the batch."""
        crops = batch.crops if batch.others is None else torch.cat([batch.crops, batch.others])
        with self._autocast():
            output = self.forward(crops.contiguous(memory_format=torch.channels_last))
        n = len(batch)
        predicted = self.averages.points(output.points[:n])
        loss = points_loss = masked_mean(self.loss, predicted, batch.points, self.team)
        if output.log_scale is not None:
            scales = self.averages.each(output.log_scale[:n])
            loss = loss + 0.1 * doubt(scales, predicted, batch.points, self.team)
        if output.visible is not None:
            seen = self.averages.each(output.visible[:n])
            loss = loss + self.config.visible_weight * visibility(
                seen, batch.points, batch.hidden, self.team
            )
        if output.face is not None and batch.others is not None:
            wanted = torch.zeros_like(output.face)
            wanted[:n] = 1
            face_loss = functional.binary_cross_entropy_with_logits(output.face, wanted)
            loss = loss + self.config.face_weight * face_loss
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scheduler is not None:
            self.scheduler.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return float(points_loss.detach())

    def averaged(self) -> Architecture:
        """The network to validate and keep."""
        if self.average is None:
            return self.network
        network = self.average.module
        assert isinstance(network, Architecture)
        return network

    def _autocast(self) -> AbstractContextManager[object]:
        if self.dtype == torch.float32:
            return nullcontext()
        return torch.autocast(self.device.type, dtype=self.dtype)

    def _parts(self) -> dict[str, Any]:
        """The parts whose state is saved."""
        parts = {"network": self.network, "optimizer": self.optimizer, "scaler": self.scaler}
        parts |= {"scheduler": self.scheduler, "average": self.average}
        return {name: part for name, part in parts.items() if part is not None}

    def save(self, path: Path, progress: dict[str, Any]) -> None:
        """Write the whole run after an epoch, with `progress`: plain values and tensors.

        Raises OSError if the disk is full; the previous state is kept.
        """
        state = {
            "progress": progress,
            "generator": self.generator.get_state(),
            **{name: thing.state_dict() for name, thing in self._parts().items()},
        }
        data = io.BytesIO()  # torch's own writer hides the reason of a failed write
        torch.save(state, data)
        with replacing(path) as part:
            part.write_bytes(data.getbuffer())

    def restore(self, path: Path) -> dict[str, Any]:
        """Restore a saved run; returns the progress that was saved with it. Raises FkpError."""
        try:
            state = torch.load(path, weights_only=True, map_location=self.device)
            for name, thing in self._parts().items():
                thing.load_state_dict(state[name])
            self.generator.set_state(state["generator"].cpu())
            return dict(state["progress"])
        except _BROKEN as error:
            reason = str(error).splitlines()[0]
            raise FkpError(f"{path}: the run cannot be resumed from it: {reason}") from error


def _optimizer(config: TrainConfig, network: nn.Module) -> torch.optim.Optimizer:
    """The optimiser; weight decay applies to matrices and kernels, not to biases and norms."""
    learning = [p for p in network.parameters() if p.requires_grad]
    if not learning:
        raise DataError("all weights are frozen")
    groups = [
        {"params": [p for p in learning if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in learning if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum)
    return torch.optim.AdamW(groups, lr=config.lr)
