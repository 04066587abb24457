"""Bending faces locally, so that a network sees one mouth corner, brow or lid move by itself."""

from dataclasses import dataclass

import torch
from torch import Tensor

BUMPS = 3
"""Points around which a picture is bent."""

NARROW, WIDE = 0.035, 0.16
"""Range of the standard deviations of the bumps, as shares of the side."""

STEEP = 0.5
"""Maximum shift at the middle of a bump, in its standard deviations. The slope of one bump is then
at most 0.3, so that nothing folds over."""

STEPS = 20
"""Fixed-point steps that find where a point goes; each reduces the error at least threefold, unless
several bumps meet."""


@dataclass(frozen=True, slots=True, eq=False)
class Bends:
    """Gaussian bumps of B crops, in shares of the side.

    picks: (B, M) in 0..1, which of a crop's points is the middle of each; offsets: (B, M, 2) from
    it. widths: (B, M), the standard deviations; shifts: (B, M, 2), zero in crops that are not bent.
    """

    picks: Tensor
    offsets: Tensor
    widths: Tensor
    shifts: Tensor

    def to(self, device: torch.device) -> "Bends":
        """The same on a device."""
        parts = (self.picks, self.offsets, self.widths, self.shifts)
        return Bends(*(part.to(device) for part in parts))

    def around(self, points: Tensor) -> "Bumps":
        """The bumps around points (B, K, 2); those around missing points (NaN) do nothing."""
        rows = (self.picks * points.shape[1]).long()
        middles = points.gather(1, rows[..., None].expand(-1, -1, 2)) + self.offsets
        known = middles.isfinite().all(2, keepdim=True)
        return Bumps(middles.nan_to_num(), self.widths, self.shifts * known)


@dataclass(frozen=True, slots=True, eq=False)
class Bumps:
    """Bumps with their middles (B, M, 2), see Bends."""

    middles: Tensor
    widths: Tensor
    shifts: Tensor


def sample_bends(count: int, share: float, generator: torch.Generator) -> Bends:
    """Sample bends of `count` crops, of which about `share` are bent."""

    if share == 0:
        none = torch.zeros(count, 1, 2)
        return Bends(none[..., 0], none, torch.ones(count, 1), none)

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, BUMPS, *shape, generator=generator)

    widths = NARROW * (WIDE / NARROW) ** uniform()
    angle = 2 * torch.pi * uniform()
    length = STEEP * widths * uniform().sqrt()
    bent = torch.rand(count, generator=generator) < share
    shifts = torch.stack([torch.cos(angle), torch.sin(angle)], 2) * length[..., None]
    offsets = (uniform(2) - 0.5) * widths[..., None]
    return Bends(uniform(), offsets, widths, shifts * bent[:, None, None])


def displacements(places: Tensor, bumps: Bumps) -> Tensor:
    """The displacement (B, N, 2) that ends at each place (B, N, 2), in shares of the side."""
    away = places[:, :, None] - bumps.middles[:, None]  # (B, N, M, 2)
    weight = torch.exp(-away.square().sum(3) / (2 * bumps.widths[:, None].square()))
    return (weight[..., None] * bumps.shifts[:, None]).sum(2)


def bend_points(points: Tensor, bumps: Bumps) -> Tensor:
    """Where points (B, K, 2) go, in shares of the side."""
    bent = points
    for _ in range(STEPS):
        bent = points + displacements(bent, bumps)
    return bent
