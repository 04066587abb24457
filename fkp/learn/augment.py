"""Augmentation of whole batches on the device; the labels follow exactly."""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of random changes. The geometry covers what a face detector gets wrong."""

    rotation: float = 25.0  # degrees, either way
    scale: float = 0.2  # natural logarithm, either way
    shift: float = 0.08  # of the crop side, either way
    brightness: float = 0.2  # of the range, either way
    contrast: float = 0.4  # natural logarithm, either way
    blur: float = 0.3  # share of pictures brought to a lower resolution and back
    noise: float = 0.04  # largest standard deviation, of the range
    erase: float = 0.3  # share of pictures with a rectangle covered
    flip: bool = True  # mirrored half of the time, where the scheme knows how


def augment(
    images: Tensor,
    points: Tensor,
    flip_order: tuple[int, ...] | None,
    settings: Augmentation,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Change a batch at random: images (B, 1, S, S) in 0..1, points (B, K, 2) in crop pixels.

    The random numbers come from `generator` (on the CPU, so that every device draws the same).
    """
    matrix, flipped = random_similarities(
        len(images), images.shape[-1], flip_order, settings, generator
    )
    images, points = warp(images, points, matrix.to(images.device))
    if flip_order is not None:
        swapped = points[:, list(flip_order)]
        points = torch.where(flipped.to(points.device)[:, None, None], swapped, points)
    return degrade(images, settings, generator), points


def augment_pictures(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Change a batch (B, 1, S, S) that has no labels, such as crops that are no faces."""
    nowhere = torch.zeros(len(images), 1, 2, device=images.device)
    return augment(images, nowhere, (0,), settings, generator)[0]


def random_similarities(
    count: int,
    size: int,
    flip_order: tuple[int, ...] | None,
    settings: Augmentation,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor]:
    """Maps (B, 2, 3) from old to new crop pixels about the centre, and which of them mirror."""

    def either_way(limit: float) -> Tensor:
        return (2 * torch.rand(count, generator=generator) - 1) * limit

    angle = torch.deg2rad(either_way(settings.rotation))
    scale = torch.exp(either_way(settings.scale))
    shift = torch.stack([either_way(settings.shift), either_way(settings.shift)], 1) * size
    flipped = torch.rand(count, generator=generator) < 0.5
    flipped &= settings.flip and flip_order is not None
    sign = torch.where(flipped, -1.0, 1.0)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    linear = torch.stack([torch.stack([sign * cos, -sin], 1), torch.stack([sign * sin, cos], 1)], 1)
    centre = torch.full((count, 2), (size - 1) / 2)
    offset = centre + shift - (linear @ centre[:, :, None])[:, :, 0]
    return torch.cat([linear, offset[:, :, None]], 2), flipped


def warp(images: Tensor, points: Tensor, matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Apply maps (B, 2, 3) from old to new crop pixels to images and points; borders repeat."""
    linear, offset = matrix[:, :, :2], matrix[:, :, 2]
    moved = points @ linear.transpose(1, 2) + offset[:, None]
    inverse = torch.linalg.inv(linear)
    size = images.shape[-1]
    # grid_sample's coordinates run from -1 to 1 over the outer edges: pixel p is (2p + 1)/S - 1.
    unit = 2.0 / size
    bias = torch.full_like(offset, unit / 2 - 1)
    back = (inverse @ (bias[:, :, None] / -unit - offset[:, :, None]))[:, :, 0]
    theta = torch.cat([inverse, (back * unit + bias)[:, :, None]], 2)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False), moved


def degrade(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Light, resolution, noise and covering; points stay where they are."""
    count, size = len(images), images.shape[-1]

    def draw(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator).to(images.device)

    mean = images.mean((1, 2, 3), keepdim=True)
    gain = torch.exp((2 * draw(count, 1, 1, 1) - 1) * settings.contrast)
    lift = (2 * draw(count, 1, 1, 1) - 1) * settings.brightness
    images = (images - mean) * gain + mean + lift
    low = int(size / float(torch.empty(()).uniform_(1.2, 4.0, generator=generator)))
    blurred = functional.interpolate(images, size=(low, low), mode="area")
    blurred = functional.interpolate(
        blurred, size=(size, size), mode="bilinear", align_corners=False
    )
    images = torch.where(draw(count, 1, 1, 1) < settings.blur, blurred, images)
    deviation = draw(count, 1, 1, 1) * settings.noise
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    images = images + deviation * noise
    sides = 0.1 + 0.3 * draw(count, 2)
    starts = draw(count, 2) * (1 - sides)
    ramp = torch.arange(size, device=images.device) / size
    inside = (ramp >= starts[:, :, None]) & (ramp < (starts + sides)[:, :, None])  # (B, 2, S)
    covered = inside[:, 0, :, None] & inside[:, 1, None, :]
    covered &= draw(count, 1, 1) < settings.erase
    images = torch.where(covered[:, None], draw(count, 1, 1, 1), images)
    return images.clamp(0, 1)
