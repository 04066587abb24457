"""The detector's training loop, seeded by iteration, so that a stopped run resumes exactly."""

import io
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fkp.files import replacing
from fkp.learn.detector.canvas import CanvasMaker
from fkp.learn.detector.data import DetectorData
from fkp.learn.detector.network import FaceNet
from fkp.learn.detector.photograph import CanvasSettings
from fkp.learn.detector.targets import Targets, assign, cells, collect, flatten, loss
from fkp.learn.networks.devices import pick_device

Report = Callable[[int, float, float], None]
"""Called with iteration, mean loss and seconds since the start."""

REFRESH = 200
"""Iterations between two updates of the hard backgrounds."""


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """A training run of the detector."""

    iterations: int = 30_000
    size: int = 256  # side of most canvases, pixels
    batch: int = 16
    large: int = 512  # side of the others, for the largest faces
    large_batch: int = 4
    large_share: float = 0.2
    lr: float = 3e-3  # the peak
    weight_decay: float = 0.02
    ema: float = 0.999
    save_every: int = 500
    device: str = "auto"
    seed: int = 0
    canvas: CanvasSettings = field(default_factory=CanvasSettings)


def train_detector(
    config: DetectorConfig,
    data: DetectorData,
    state_path: Path,
    report: Report,
    start: FaceNet | None = None,
) -> FaceNet:
    """Train, resuming from `state_path` if it exists; returns the averaged network on the CPU.

    start: a trained network whose weights to start from.
    """
    device = pick_device(config.device)
    torch.manual_seed(config.seed)
    parts = _moving_parts(config, start, device)
    network, average, optimizer, scheduler = parts.values()
    hardness = torch.full((len(data.scenes),), 0.5, dtype=torch.float64)
    first = 0
    if state_path.exists():
        state = torch.load(state_path, weights_only=True, map_location=device)
        for name, moving in parts.items():
            moving.load_state_dict(state[name])
        first, hardness = state["iteration"], state["hardness"].cpu()
    batches = _Batches(config, data, hardness)
    grids = {side: torch.from_numpy(cells(side)).float().to(device) for side in batches.grids}
    began, total = time.perf_counter(), 0.0
    network.train()
    with ThreadPoolExecutor(1) as pool:
        ahead = pool.submit(batches.make, first)
        for iteration in range(first, config.iterations):
            pictures, targets, backgrounds = ahead.result()
            if (iteration + 1) % REFRESH == 0:
                batches.refresh()
            if iteration + 1 < config.iterations:
                ahead = pool.submit(batches.make, iteration + 1)
            pictures = pictures.to(device).float().contiguous(memory_format=torch.channels_last)
            output = flatten([m.float() for m in network(pictures)])
            value, wrong = loss(output, targets.to(device), grids[pictures.shape[-1]])
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            scheduler.step()
            _follow(average, network, min(config.ema, (1 + iteration) / (10 + iteration)))
            batches.learn(backgrounds, wrong.cpu())
            total += float(value.detach())
            done = iteration + 1
            if done % config.save_every == 0 or done == config.iterations:
                saved = {name: moving.state_dict() for name, moving in parts.items()}
                _save({**saved, "iteration": done, "hardness": batches.hardness}, state_path)
            if done % 100 == 0:
                report(done, total / 100, time.perf_counter() - began)
                total = 0.0
    averaged: FaceNet = average.cpu().eval()
    return averaged


def _moving_parts(
    config: DetectorConfig, start: FaceNet | None, device: torch.device
) -> dict[str, Any]:
    """Network, averaged network, optimiser and schedule, by the names in the state file."""
    network = FaceNet()
    if start is not None:
        network.load_state_dict(start.state_dict())
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = FaceNet().to(device)
    average.load_state_dict(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.lr, total_steps=config.iterations + 1, pct_start=0.1
    )
    return {
        "network": network, "average": average, "optimizer": optimizer, "scheduler": scheduler,
    }  # fmt: skip


@torch.no_grad()
def _follow(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    for old, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if old.dtype.is_floating_point:
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


def _save(state: dict[str, Any], path: Path) -> None:
    data = io.BytesIO()  # torch's own writer hides why a write failed
    torch.save(state, data)
    with replacing(path) as part:
        part.write_bytes(data.getbuffer())


class _Batches:
    """Canvases with their targets; backgrounds on which the network errs are used more often."""

    def __init__(self, config: DetectorConfig, data: DetectorData, hardness: Tensor) -> None:
        self.config, self.hardness = config, hardness
        self.maker = CanvasMaker(
            data.scenes, data.portraits, data.shares, data.close, config.canvas
        )
        self.grids = {side: cells(side) for side in (config.size, config.large)}
        self.refresh()

    def make(self, iteration: int) -> tuple[Tensor, Targets, list[int]]:
        """Pictures (B, 3, S, S) uint8, their targets, and the indices of their backgrounds."""
        rng = np.random.default_rng((self.config.seed, iteration))
        weights = self.weights
        side, count = self.config.size, self.config.batch
        if rng.random() < self.config.large_share:
            side, count = self.config.large, self.config.large_batch
        made = [self.maker.make(side, rng, weights) for _ in range(count)]
        parts = [assign(c.boxes, c.anchors, c.known, self.grids[side]) for c, _ in made]
        pictures = torch.from_numpy(np.stack([c.image for c, _ in made]))
        return pictures.permute(0, 3, 1, 2), collect(parts), [number for _, number in made]

    def learn(self, backgrounds: list[int], wrong: Tensor) -> None:
        """Record the highest score of a wrong cell on each background."""
        for number, value in zip(backgrounds, wrong.tolist(), strict=True):
            if number >= 0:
                self.hardness[number] += 0.3 * (value - self.hardness[number])

    def refresh(self) -> None:
        """Use the recorded hardness from the next batch on."""
        self.weights: npt.NDArray[np.float64] = 0.1 + self.hardness.numpy().copy()
