"""Losses over the labelled points: sum over count, points as fractions of the crop side."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from fkp.keypoints import PointIndices
from fkp.learn.training.team import Team


def mse(error: Tensor) -> Tensor:
    """Squared error."""
    return error.square()


def l1(error: Tensor) -> Tensor:
    """Absolute error."""
    return error.abs()


def smooth_l1(error: Tensor, width: float = 0.01) -> Tensor:
    """Squared error within `width`, absolute beyond (Girshick, ICCV 2015)."""
    size = error.abs()
    return torch.where(size < width, 0.5 * error.square() / width, size - 0.5 * width)


def wing(error: Tensor, width: float = 0.1, curvature: float = 0.01) -> Tensor:
    """Wing loss (Feng et al., CVPR 2018): logarithmic within `width`, linear beyond.

    Small errors keep a large gradient, and wrong labels have a small one.
    """
    size = error.abs()
    offset = width - width * torch.log1p(torch.tensor(width / curvature)).item()
    return torch.where(size < width, width * torch.log1p(size / curvature), size - offset)


LOSSES: dict[str, Callable[[Tensor], Tensor]] = {
    "mse": mse, "l1": l1, "smooth_l1": smooth_l1, "wing": wing,
}  # fmt: skip


class Averages:
    """Conversion of a network's points to the labelled ones: `Scheme.convert` in torch.

    indices: for each labelled point, the network's points whose mean it is.
    """

    def __init__(self, indices: PointIndices, device: torch.device) -> None:
        self.plain = all(own == (i,) for i, own in enumerate(indices))
        count = 1 + max((i for own in indices for i in own), default=0)
        self.matrix = torch.zeros(len(indices), count, device=device)
        for row, own in enumerate(indices):
            self.matrix[row, list(own)] = 1 / len(own)
        self.single = torch.tensor([len(own) == 1 for own in indices], device=device)

    def points(self, found: Tensor) -> Tensor:
        """(B, P, 2) to (B, K, 2)."""
        return found if self.plain else self.matrix @ found[:, : self.matrix.shape[1]]

    def each(self, values: Tensor) -> Tensor:
        """Values (B, P) of the found points as (B, K); NaN for labels that are means of several."""
        if self.plain:
            return values
        own = values[:, : self.matrix.shape[1]] @ self.matrix.T
        return torch.where(self.single, own, torch.nan)


def masked_mean(
    loss: Callable[[Tensor], Tensor], predicted: Tensor, target: Tensor, team: Team
) -> Tensor:
    """Mean loss over the labelled coordinates of (B, K, 2); NaN targets are ignored.

    Its mean over the processes of a team is the mean over the whole batch.
    """
    known = torch.isfinite(target)
    error = torch.where(known, predicted - torch.where(known, target, 0.0), 0.0)
    total = torch.where(known, loss(error), 0.0).sum()
    return total * team.size / team.total(known.sum()).clamp(min=1)


def doubt(log_scale: Tensor, predicted: Tensor, target: Tensor, team: Team) -> Tensor:
    """Negative log likelihood of the points' distances (B, K) from their labels.

    In two dimensions, an error with a Laplace-like tail has a length r with the density
    r exp(-r / b) / b^2, a Gamma distribution of shape 2 with the scale b. The distances are
    detached: this loss does not train the points.
    """
    distance = (predicted.detach() - target).norm(dim=-1)
    known = torch.isfinite(distance) & torch.isfinite(log_scale)
    distance = torch.where(known, distance, 0.0)
    scale = torch.where(known, log_scale, 0.0)
    each = distance * torch.exp(-scale) + 2 * scale
    return each.sum() * team.size / team.total(known.sum()).clamp(min=1)


def visibility(visible: Tensor, labels: Tensor, hidden: Tensor, team: Team) -> Tensor:
    """Cross entropy of visibility logits (B, K), over labelled points (B, K, 2)."""
    known = torch.isfinite(labels).all(-1) & torch.isfinite(visible)
    logits = torch.where(known, visible, 0.0)
    each = functional.binary_cross_entropy_with_logits(logits, (~hidden).float(), reduction="none")
    return (each * known).sum() * team.size / team.total(known.sum()).clamp(min=1)
