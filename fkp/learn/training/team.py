"""Processes that train one network together, started by `torchrun`."""

import os
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from fkp.errors import FkpError

PATIENCE = timedelta(minutes=30)
"""Timeout of waiting for the others, which may be preparing a large table."""


class Team:
    """The processes of a run: a single one, or those that torchrun has started, one per device."""

    def __init__(self) -> None:
        self.rank = int(os.environ.get("RANK", "0"))
        self.size = int(os.environ.get("WORLD_SIZE", "1"))

    @property
    def leads(self) -> bool:
        """Whether this process is the one that writes files and prints."""
        return self.rank == 0

    def device(self, name: str) -> str:
        """The device for this process: with `auto` or `cuda`, each has a GPU of its own."""
        if self.size > 1 and name in ("auto", "cuda") and torch.cuda.is_available():
            return f"cuda:{os.environ.get('LOCAL_RANK', '0')}"
        return name

    def join(self, device: str) -> None:
        """Connect to the others: NCCL between GPUs, gloo between CPUs. Raises FkpError."""
        if self.size == 1 or distributed.is_initialized():
            return
        backend = "nccl" if device.startswith("cuda") else "gloo"
        if device.startswith("cuda"):
            torch.cuda.set_device(torch.device(device))
        try:
            distributed.init_process_group(backend, timeout=PATIENCE)
        except (RuntimeError, ValueError) as error:
            raise FkpError(f"the {self.size} processes cannot connect: {error}") from error

    def leave(self) -> None:
        """Disconnect from the others."""
        if self.size > 1 and distributed.is_initialized():
            distributed.destroy_process_group()

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()

    def total(self, value: Tensor) -> Tensor:
        """Sum over all processes, without a gradient."""
        if self.size > 1:
            value = value.detach().clone()
            distributed.all_reduce(value)
        return value

    def agree(self, values: list[float], device: torch.device) -> list[float]:
        """The leader's values, copied to all processes."""
        if self.size == 1:
            return values
        said = torch.tensor(values, dtype=torch.float32, device=device)
        distributed.broadcast(said, 0)
        return [float(v) for v in said]

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network for the forward pass, with gradients averaged over the processes."""
        return network if self.size == 1 else DistributedDataParallel(network)

    def share(self, network: nn.Module) -> None:
        """Make batch norms take their statistics over the whole batch, not over this part."""
        if self.size > 1:
            for module in list(network.modules()):
                for name, child in module.named_children():
                    if type(child) is nn.BatchNorm2d:
                        setattr(module, name, _SharedBatchNorm.like(child))


class _Sum(torch.autograd.Function):
    """Sum over all processes; the gradient is summed too, as the loss of each depends on it."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        value = value.clone()
        distributed.all_reduce(value)
        return value

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].contiguous().clone()
        distributed.all_reduce(total)
        return total


class _SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm over the crops of all processes; torch's own needs GPUs."""

    @classmethod
    def like(cls, norm: nn.BatchNorm2d) -> "_SharedBatchNorm":
        """With the same weights and statistics."""
        shared = cls(norm.num_features, norm.eps, norm.momentum or 0.1)
        shared.load_state_dict(norm.state_dict())
        return shared.to(norm.weight.device)

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float()
        count = torch.full_like(self.weight, x.numel() // x.shape[1])
        sums = torch.stack([wide.sum((0, 2, 3)), wide.square().sum((0, 2, 3)), count])
        total, squares, count = _Sum.apply(sums).unbind()  # type: ignore[no-untyped-call]
        mean = total / count
        variance = (squares / count - mean.square()).clamp(min=0)
        with torch.no_grad():
            assert self.running_mean is not None
            assert self.running_var is not None
            rate = self.momentum or 0.0
            self.running_mean.lerp_(mean, rate)
            self.running_var.lerp_(variance * count / (count - 1), rate)
        factor = self.weight * (variance + self.eps).rsqrt()
        shift = self.bias - mean * factor
        output: Tensor = wide * factor[:, None, None] + shift[:, None, None]
        return output.to(x.dtype)
