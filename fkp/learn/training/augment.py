"""Augmentation of whole batches on the device; the labels follow exactly."""

from dataclasses import dataclass, fields
from typing import Any

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


AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "light": Augmentation(
        rotation=10, scale=0.1, shift=0.04, brightness=0.1, contrast=0.2, blur=0, noise=0, erase=0
    ),
    "full": Augmentation(),
}
"""By name; `light` keeps to small changes of place and light, and mirroring."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """What happens to each of B crops, drawn at random.

    matrices: (B, 2, 3) from old to new crop pixels; flipped: (B,) whether they mirror.
    gain, lift, dim: (B,) of contrast, of brightness, and the gray of what covers.
    low: the side in pixels to which the `blurred` (B,) are reduced.
    deviation: (B,) of the noise, which `noise_seed` decides for all `count` crops that were drawn
        together; these are the rows from `first` on.
    sides, starts: (B, 2) of the rectangle that covers those in `covered` (B,), shares of the side.
    """

    matrices: Tensor
    flipped: Tensor
    gain: Tensor
    lift: Tensor
    dim: Tensor
    low: int
    blurred: Tensor
    deviation: Tensor
    noise_seed: int
    sides: Tensor
    starts: Tensor
    covered: Tensor
    count: int
    first: int = 0

    def of(self, first: int, count: int) -> "Changes":
        """Those of `count` of the crops."""
        parts: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(self)}
        rows = {k: v[first : first + count] for k, v in parts.items() if isinstance(v, Tensor)}
        return Changes(**{**parts, **rows, "first": first})


def draw(
    count: int,
    size: int,
    flip_order: tuple[int, ...] | None,
    settings: Augmentation,
    generator: torch.Generator,
) -> Changes:
    """Changes for `count` crops; from a generator on the CPU, so that every device has the same."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def either_way(limit: float) -> Tensor:
        return (2 * uniform(count) - 1) * limit

    angle = torch.deg2rad(either_way(settings.rotation))
    scale = torch.exp(either_way(settings.scale))
    shift = torch.stack([either_way(settings.shift), either_way(settings.shift)], 1) * size
    flipped = uniform(count) < 0.5
    flipped &= settings.flip and flip_order is not None
    sides = 0.1 + 0.3 * uniform(count, 2)
    return Changes(
        matrices=similarities(angle, scale, shift, flipped, size),
        flipped=flipped,
        gain=torch.exp(either_way(settings.contrast)),
        lift=either_way(settings.brightness),
        dim=uniform(count),
        low=int(size / (1.2 + 2.8 * float(uniform(1)))),
        blurred=uniform(count) < settings.blur,
        deviation=uniform(count) * settings.noise,
        noise_seed=int(torch.randint(1 << 62, (1,), generator=generator)),
        sides=sides,
        starts=uniform(count, 2) * (1 - sides),
        covered=uniform(count) < settings.erase,
        count=count,
    )


def similarities(angle: Tensor, scale: Tensor, shift: Tensor, flipped: Tensor, size: int) -> Tensor:
    """Maps (B, 2, 3) from old to new crop pixels about the centre of crops of `size`."""
    sign = torch.where(flipped, -1.0, 1.0)
    cos, sin = scale * torch.cos(angle), scale * torch.sin(angle)
    linear = torch.stack([torch.stack([sign * cos, -sin], 1), torch.stack([sign * sin, cos], 1)], 1)
    centre = torch.full((len(angle), 2), (size - 1) / 2)
    offset = centre + shift - (linear @ centre[:, :, None])[:, :, 0]
    return torch.cat([linear, offset[:, :, None]], 2)


def augment(
    images: Tensor, points: Tensor, flip_order: tuple[int, ...] | None, changes: Changes
) -> tuple[Tensor, Tensor]:
    """Change a batch: images (B, 1, S, S) in 0..1, points (B, K, 2) in crop pixels."""
    if len(images) == 0:  # a process whose share of a small batch is nothing
        return images, points
    images, points = warp(images, points, changes.matrices.to(images.device))
    if flip_order is not None:
        swapped = points[:, list(flip_order)]
        points = torch.where(changes.flipped.to(points.device)[:, None, None], swapped, points)
    return degrade(images, changes), points


def augment_pictures(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Change a batch (B, 1, S, S) that has no labels, such as crops that are no faces."""
    nowhere = torch.zeros(len(images), 1, 2, device=images.device)
    changes = draw(len(images), images.shape[-1], (0,), settings, generator)
    return augment(images, nowhere, (0,), changes)[0]


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


def degrade(images: Tensor, changes: Changes) -> Tensor:
    """Light, resolution, noise and covering; points stay where they are."""
    size, device = images.shape[-1], images.device

    def each(values: Tensor) -> Tensor:
        return values.to(device)[:, None, None, None]

    mean = images.mean((1, 2, 3), keepdim=True)
    images = (images - mean) * each(changes.gain) + mean + each(changes.lift)
    rows = changes.blurred.nonzero()[:, 0].to(device)
    if len(rows):
        small = functional.interpolate(images[rows], size=(changes.low,) * 2, mode="area")
        images[rows] = functional.interpolate(
            small, size=(size, size), mode="bilinear", align_corners=False
        )
    if changes.deviation.any():
        generator = torch.Generator(device).manual_seed(changes.noise_seed)
        shape = (changes.count, *images.shape[1:])
        noise = torch.randn(shape, generator=generator, device=device)
        images += each(changes.deviation) * noise[changes.first : changes.first + len(images)]
    rows = changes.covered.nonzero()[:, 0]
    ramp = torch.arange(size) / size
    starts, ends = changes.starts[rows, :, None], (changes.starts + changes.sides)[rows, :, None]
    inside = (ramp >= starts) & (ramp < ends)  # (C, 2, S)
    covered = (inside[:, 0, :, None] & inside[:, 1, None, :]).to(device)[:, None]
    if len(rows):
        at = rows.to(device)
        images[at] = torch.where(covered, each(changes.dim[rows]), images[at])
    return images.clamp_(0, 1)
