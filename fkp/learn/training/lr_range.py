"""Choosing a learning rate by a short trial: the range test (Smith, WACV 2017)."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fkp.errors import DataError
from fkp.labels.store import Samples
from fkp.learn.evaluation import plots
from fkp.learn.networks.devices import pick_device
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.loop import Origin, prepare_training
from fkp.learn.training.team import Team

LOWEST, HIGHEST = 1e-6, 10.0
STEPS = 120
SMOOTHING = 0.9
"""Decay of the running mean of the loss."""


@dataclass(frozen=True, slots=True, eq=False)
class RangeTest:
    """rates, losses: (T,) the rate and the smoothed loss of each step; chosen: the best rate."""

    rates: npt.NDArray[np.float64]
    losses: npt.NDArray[np.float64]
    chosen: float


def find_lr(
    config: TrainConfig, samples: Samples, origin: Origin, team: Team, plot: Path | None
) -> RangeTest:
    """Train at rates that increase with each step until the loss rises.

    The chosen rate is two thirds along the longest descent of the smoothed loss ("valley"), where
    it falls fast and safely. plot: where to draw the curve. Raises DataError if the loss is not
    finite even at the lowest rates.
    """
    trial = replace(config, lr=LOWEST, schedule="constant", ema=0.0)
    device = pick_device(team.device(config.device))
    stepper, batches = prepare_training(trial, samples, origin, device, team)
    stepper.network.train()
    rates = np.geomspace(LOWEST, HIGHEST, STEPS)
    smooth, losses = 0.0, []
    steps = (batch for _ in range(STEPS) for batch in batches.epoch(stepper.generator))
    for t, (rate, batch) in enumerate(zip(rates, steps, strict=False), start=1):
        for group in stepper.optimizer.param_groups:
            group["lr"] = float(rate)
        loss = team.agree([stepper.step(batch)], device)[0]
        smooth = SMOOTHING * smooth + (1 - SMOOTHING) * loss
        if not math.isfinite(loss):
            break
        losses.append(smooth / (1 - SMOOTHING**t))
        if losses[-1] > 4 * min(losses):
            break
    if len(losses) < 10:
        raise DataError(
            "no learning rate found: the loss is not finite at the lowest rates; look at the data"
        )
    found = np.array(losses)
    test = RangeTest(rates[: len(found)], found, float(rates[_valley(found)]))
    if plot is not None and team.leads:
        plots.write_range(plot, test.rates, test.losses, test.chosen)
    return test


def _valley(losses: npt.NDArray[np.float64]) -> int:
    """The step two thirds along the longest subsequence of falling losses."""
    length = np.ones(len(losses), int)
    before = np.full(len(losses), -1)
    for i in range(1, len(losses)):
        higher = np.flatnonzero(losses[:i] > losses[i])
        if len(higher):
            j = higher[length[higher].argmax()]
            length[i], before[i] = length[j] + 1, j
    end = int(length.argmax())
    start = end
    while before[start] >= 0:
        start = int(before[start])
    return start + round((end - start) * 2 / 3)
