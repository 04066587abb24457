"""Losses: what is not labelled, and where they are least."""

import numpy as np
import pytest
import torch

from fkp.keypoints import RADIUS_90
from fkp.learn.training.losses import LOSSES, doubt, masked_mean, wing
from fkp.learn.training.team import Team


def test_missing_labels_take_no_part_in_a_loss() -> None:
    predicted = torch.rand(3, 4, 2, requires_grad=True)
    target = torch.rand(3, 4, 2)
    target[1, 2] = torch.nan
    target[2] = torch.nan
    for loss in LOSSES.values():
        value = masked_mean(loss, predicted, target, Team())
        known = torch.isfinite(target)
        assert torch.isclose(value, loss(predicted[known] - target[known]).mean())
        (gradient,) = torch.autograd.grad(value, predicted)
        assert (gradient[~known] == 0).all()
        assert (gradient[known] != 0).all()
    nothing = masked_mean(LOSSES["mse"], predicted, torch.full_like(target, torch.nan), Team())
    assert nothing == 0


def test_wing_is_continuous_and_bends_at_its_width() -> None:
    near = wing(torch.tensor([0.0999999, 0.1000001]))
    assert torch.isclose(near[0], near[1], atol=1e-6)
    assert wing(torch.tensor(0.0)) == 0
    far = wing(torch.tensor([0.5, 0.6]))
    assert torch.isclose(far[1] - far[0], torch.tensor(0.1), atol=1e-6)


def test_doubt_is_least_at_the_true_scale() -> None:
    # Distances of a Gamma distribution of shape 2 and scale 0.03 about the labels.
    generator = np.random.default_rng(0)
    length, angle = generator.gamma(2, 0.03, (5000, 1)), generator.uniform(0, 7, (5000, 1))
    target = torch.zeros(5000, 1, 2)
    predicted = torch.from_numpy(
        np.stack([length * np.cos(angle), length * np.sin(angle)], 2).astype(np.float32)
    )
    predicted.requires_grad_()
    tried = [0.02, 0.025, 0.03, 0.036, 0.045]
    losses = [
        float(doubt(torch.full((5000, 1), np.log(b)), predicted, target, Team())) for b in tried
    ]
    assert int(np.argmin(losses)) == 2
    # Nine in ten lie within the 90 % radius.
    assert (length < RADIUS_90 * 0.03).mean() == pytest.approx(0.9, abs=0.01)
    # Points without a label take no part, and the points learn nothing from it.
    scale = torch.zeros(5000, 1, requires_grad=True)
    target[:4000] = torch.nan
    doubt(scale, predicted, target, Team()).backward()  # type: ignore[no-untyped-call]
    assert predicted.grad is None
    assert scale.grad is not None
    assert (scale.grad[:4000] == 0).all()
