"""The detector's training loop, seeded by iteration, so that a stopped run resumes exactly."""

import io
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fkp.files import replacing
from fkp.learn.detector.canvas import CanvasMaker, cut
from fkp.learn.detector.data import DetectorData
from fkp.learn.detector.network import FaceNet
from fkp.learn.detector.photograph import CanvasSettings
from fkp.learn.detector.targets import assign, cells, collect, flatten, loss
from fkp.learn.networks.devices import pick_device
from fkp.vision.images import Image
from fkp.vision.yunet import STRIDES

Report = Callable[[int, float, float], None]
"""Called with iteration, mean loss and seconds since the start."""

COARSEST = max(STRIDES)

REFRESH = 200
"""Iterations between two updates of the hard backgrounds."""


@dataclass(frozen=True, slots=True)
class DetectorConfig:
    """A training run of the detector."""

    iterations: int = 18_000
    sides: tuple[int, ...] = (160, 192, 224, 256, 288, 320, 384, 448, 512, 640)  # of canvases
    narrowest: float = 0.6  # minimum height over width of a canvas, or the reverse
    pixels: int = 2**20  # in a batch
    lr: float = 3e-3  # the peak
    weight_decay: float = 0.02
    ema: float = 0.999
    save_every: int = 500
    device: str = "auto"
    seed: int = 0
    forked: bool = False  # make canvases in a forked process: faster, for a process of its own
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
    canvases = _Canvases(config, data)
    torch.manual_seed(config.seed)
    with _beside(canvases) as pool:
        parts = _moving_parts(config, start, device)
        network, average, optimizer, scheduler = parts.values()
        hardness = torch.full((len(data.scenes),), 0.5, dtype=torch.float64)
        first, weights = 0, _weights(hardness)
        if state_path.exists():
            state = torch.load(state_path, weights_only=True, map_location=device)
            for name, moving in parts.items():
                moving.load_state_dict(state[name])
            first, hardness = state["iteration"], state["hardness"].cpu()
            weights = state["weights"].cpu().numpy()
        ahead = pool.submit(_made, first, weights)
        began, total = time.perf_counter(), 0.0
        network.train()
        for iteration in range(first, config.iterations):
            batch = ahead.result()
            if (iteration + 1) % REFRESH == 0:
                weights = _weights(hardness)
            if iteration + 1 < config.iterations:
                ahead = pool.submit(_made, iteration + 1, weights)
            pictures = torch.from_numpy(batch.pictures).to(device).permute(0, 3, 1, 2)
            pictures = pictures.float().contiguous(memory_format=torch.channels_last)
            output = flatten([m.float() for m in network(pictures)])
            grid = torch.from_numpy(batch.grid).float().to(device)
            value, wrong = loss(output, collect(batch.targets).to(device), grid)
            optimizer.zero_grad(set_to_none=True)
            value.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimizer.step()
            scheduler.step()
            _follow(average, network, min(config.ema, (1 + iteration) / (10 + iteration)))
            _learn(hardness, batch.backgrounds, wrong.cpu())
            total += float(value.detach())
            done = iteration + 1
            if done % config.save_every == 0 or done == config.iterations:
                saved = {name: moving.state_dict() for name, moving in parts.items()}
                hard = {"hardness": hardness, "weights": torch.from_numpy(weights)}
                _save({**saved, **hard, "iteration": done}, state_path)
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
    optimizer = torch.optim.AdamW(
        network.parameters(), weight_decay=config.weight_decay, fused=True
    )
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.lr, total_steps=config.iterations + 1, pct_start=0.1
    )
    return {
        "network": network, "average": average, "optimizer": optimizer, "scheduler": scheduler,
    }  # fmt: skip


@torch.no_grad()
def _follow(average: torch.nn.Module, network: torch.nn.Module, decay: float) -> None:
    pairs = list(zip(average.state_dict().values(), network.state_dict().values(), strict=True))
    real = [pair for pair in pairs if pair[0].dtype.is_floating_point]
    torch._foreach_lerp_([old for old, _ in real], [new for _, new in real], 1 - decay)
    for old, new in pairs:
        if not old.dtype.is_floating_point:
            old.copy_(new)


def _save(state: dict[str, Any], path: Path) -> None:
    data = io.BytesIO()  # torch's own writer hides why a write failed
    torch.save(state, data)
    with replacing(path) as part:
        part.write_bytes(data.getbuffer())


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """pictures: (B, H, W, 3) uint8 BGR; grid: (N, 3), their cells; targets: of each picture, from
    `assign`; backgrounds: the index of each picture's background, -1 if there is none.
    """

    pictures: Image
    grid: npt.NDArray[np.float64]
    targets: Sequence[tuple[npt.NDArray[Any], ...]]
    backgrounds: list[int]


class _Canvases:
    """Batches of canvases with their targets.

    They have many sizes and shapes. A network that knows only few of them sees by the padding
    around the picture which one it is, and takes the largest faces for as large as in those.
    """

    def __init__(self, config: DetectorConfig, data: DetectorData) -> None:
        self.config = config
        self.maker = CanvasMaker(
            data.scenes, data.portraits, data.shares, data.close, config.canvas
        )

    def make(self, iteration: int, weights: npt.NDArray[np.float64]) -> _Batch:
        """The batch of an iteration. weights: relative frequency of each background."""
        config = self.config
        rng = np.random.default_rng((config.seed, iteration))
        side = int(rng.choice(config.sides))
        shape = [side, side]
        shorter = side * rng.uniform(config.narrowest, 1.0)
        shape[int(rng.integers(2))] = round(shorter / COARSEST) * COARSEST
        grid = cells(*shape)
        made = []
        for _ in range(max(2, config.pixels // (shape[0] * shape[1]))):
            canvas, background = self.maker.make(side, rng, weights)
            made.append((cut(canvas, shape, config.canvas, rng), background))
        targets = [assign(c.boxes, c.anchors, c.known, grid) for c, _ in made]
        return _Batch(np.stack([c.image for c, _ in made]), grid, targets, [n for _, n in made])


_canvases: list[_Canvases] = []
"""The maker of canvases, in the process or thread that makes them."""


def _made(iteration: int, weights: npt.NDArray[np.float64]) -> _Batch:
    return _canvases[-1].make(iteration, weights)


def _beside(canvases: _Canvases) -> Executor:
    """Makes the next batch while the network learns from this one.

    A thread competes with the training for the interpreter's lock. A forked process does not, and
    shares the pictures, but is not safe after every use of OpenCV or OpenMP.
    """
    if canvases.config.forked:
        context = multiprocessing.get_context("fork")
        return ProcessPoolExecutor(1, context, _canvases.append, (canvases,))
    return ThreadPoolExecutor(1, initializer=_canvases.append, initargs=(canvases,))


def _learn(hardness: Tensor, backgrounds: list[int], wrong: Tensor) -> None:
    """Record the highest score of a wrong cell on each background."""
    for number, value in zip(backgrounds, wrong.tolist(), strict=True):
        if number >= 0:
            hardness[number] += 0.3 * (value - hardness[number])


def _weights(hardness: Tensor) -> npt.NDArray[np.float64]:
    """The relative frequency of each background: the network meets its errors more often."""
    return np.asarray(0.1 + hardness.numpy())
