"""Losses over labelled points only: sum over count, points as fractions of the crop side."""

from collections.abc import Callable

import torch
from torch import Tensor


def mse(error: Tensor) -> Tensor:
    """Squared error."""
    return error.square()


def l1(error: Tensor) -> Tensor:
    """Absolute error."""
    return error.abs()


def wing(error: Tensor, width: float = 0.1, curvature: float = 0.01) -> Tensor:
    """Wing loss (Feng et al., CVPR 2018): logarithmic within `width`, linear beyond.

    Small errors keep a strong gradient, wrong labels a weak one.
    """
    size = error.abs()
    offset = width - width * torch.log1p(torch.tensor(width / curvature)).item()
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {"mse": mse, "l1": l1, "wing": wing}


def masked_mean(loss: Callable[[Tensor], Tensor], predicted: Tensor, target: Tensor) -> Tensor:
    """Mean loss over the coordinates (B, K, 2) that have a label; NaN targets take no part."""
    known = torch.isfinite(target)
    error = torch.where(known, predicted - torch.where(known, target, 0.0), 0.0)
    total = torch.where(known, loss(error), 0.0).sum()
    return total / known.sum().clamp(min=1)


def doubt(log_scale: Tensor, predicted: Tensor, target: Tensor) -> Tensor:
    """Negative log likelihood of the points' distances (B, K) from their labels.

    In two dimensions an error with a Laplace-like tail has a length r with the density
    r exp(-r / b) / b^2, a Gamma distribution of shape 2; b is the scale. The distances are taken
    as given: the points themselves do not learn from it.
    """
    distance = (predicted.detach() - target).norm(dim=-1)
    known = torch.isfinite(distance)
    distance = torch.where(known, distance, 0.0)
    each = distance * torch.exp(-log_scale) + 2 * log_scale
    return torch.where(known, each, 0.0).sum() / known.sum().clamp(min=1)
