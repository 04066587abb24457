"""Augmentation of whole batches on the device, with exact labels."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from fkp.learn.training.bend import Bends, bend_points, displacements, sample_bends
from fkp.learn.training.cover import Covers, cover, sample_covers

Eyes = tuple[tuple[int, ...], tuple[int, ...]]
"""The points whose means are the centres of the right and the left eye."""


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Ranges of random changes. The geometric ones cover the errors of a face detector."""

    rotation: float = 25.0  # degrees, either way
    scale: float = 0.2  # natural logarithm, either way
    shift: float = 0.08  # of the crop side, either way
    wide: float = 0.0  # share of pictures with twice these three ranges
    bent: float = 0.0  # share of pictures whose face is bent at a few places
    brightness: float = 0.2  # of the range, either way
    contrast: float = 0.4  # natural logarithm, either way
    blur: float = 0.3  # share of pictures brought to a lower resolution and back
    noise: float = 0.04  # largest standard deviation, of the range
    cover: float = 0.35  # share of pictures with a hand, glasses, a mask or a patch over the face
    flip: bool = True  # mirror half of the pictures, if the scheme has a flip order


AUGMENTATIONS: dict[str, Augmentation | None] = {
    "none": None,
    "light": Augmentation(
        rotation=10, scale=0.1, shift=0.04, brightness=0.1, contrast=0.2, blur=0, noise=0, cover=0
    ),
    "full": Augmentation(),
}
"""By name; `light` has only small changes of position and light, and mirroring."""


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Random changes of B crops.

    matrices: (B, 2, 3) from old to new crop pixels; flipped: (B,) whether they mirror. bends: of
    the new crops.
    covers: what covers the crops. gain, lift: (B,) of contrast and brightness.
    low: the side in pixels to which the `blurred` (B,) crops are reduced.
    deviation: (B,) of the noise. `noise_seed` gives the noise of all `count` crops that were
        sampled together, of which these are the rows from `first` on.
    """

    matrices: Tensor
    flipped: Tensor
    bends: Bends
    covers: Covers
    gain: Tensor
    lift: Tensor
    low: int
    blurred: Tensor
    deviation: Tensor
    noise_seed: int
    count: int
    first: int = 0

    def of(self, first: int, count: int) -> "Changes":
        """The changes of `count` of the crops, from `first` on."""
        rows = slice(first, first + count)
        parts = {
            "bends": Bends(**_rows(self.bends, rows)),
            "covers": Covers(**_rows(self.covers, rows)),
        }
        return Changes(**{**_rows(self, rows), **parts, "first": first})


def _rows(sampled: "Changes | Bends | Covers", rows: slice) -> dict[str, Any]:
    """The fields; of tensors, these rows."""
    parts = {f.name: getattr(sampled, f.name) for f in fields(sampled)}
    return {k: v[rows] if isinstance(v, Tensor) else v for k, v in parts.items()}


class Augmented(NamedTuple):
    """A changed batch: images (B, 1, S, S), points (B, K, 2), and which are covered, (B, K)."""

    images: Tensor
    points: Tensor
    hidden: Tensor


def sample_changes(
    count: int,
    size: int,
    flip_order: tuple[int, ...] | None,
    settings: Augmentation,
    generator: torch.Generator,
) -> Changes:
    """Sample changes for `count` crops. The generator is on the CPU, so that all devices get the
    same.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def either_way(limit: float) -> Tensor:
        return (2 * uniform(count) - 1) * limit

    reach = torch.ones(count)
    if settings.wide:
        reach += (uniform(count) < settings.wide).float()
    angle = torch.deg2rad(reach * either_way(settings.rotation))
    scale = torch.exp(reach * either_way(settings.scale))
    shift = torch.stack([either_way(settings.shift), either_way(settings.shift)], 1)
    shift *= reach[:, None] * size
    flipped = uniform(count) < 0.5
    flipped &= settings.flip and flip_order is not None
    return Changes(
        matrices=similarities(angle, scale, shift, flipped, size),
        flipped=flipped,
        covers=sample_covers(count, settings.cover, generator),
        bends=sample_bends(count, settings.bent, generator),
        gain=torch.exp(either_way(settings.contrast)),
        lift=either_way(settings.brightness),
        low=int(size / (1.2 + 2.8 * float(uniform(1)))),
        blurred=uniform(count) < settings.blur,
        deviation=uniform(count) * settings.noise,
        noise_seed=int(torch.randint(1 << 62, (1,), generator=generator)),
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
    images: Tensor,
    points: Tensor,
    flip_order: tuple[int, ...] | None,
    changes: Changes,
    eyes: Eyes = ((), ()),
) -> Augmented:
    """Change a batch: images (B, 1, S, S) in 0..1, points (B, K, 2) in crop pixels.

    eyes: the points whose means are the centres of the right and left eye, () where unknown.
    """
    if len(images) == 0:  # a process without a share of a small batch
        return Augmented(images, points, torch.zeros(points.shape[:2], dtype=torch.bool))
    device = images.device
    images, points = warp(images, points, changes.matrices.to(device), changes.bends.to(device))
    if flip_order is not None:
        swapped = points[:, list(flip_order)]
        points = torch.where(changes.flipped.to(points.device)[:, None, None], swapped, points)
    images, hidden = cover(images, points, _eyes(points, eyes), changes.covers)
    return Augmented(degrade(images, changes), points, hidden)


def _eyes(points: Tensor, eyes: Eyes) -> Tensor:
    """(B, 2, 2): the centres of the eyes; NaN where unknown."""
    centres = [
        points[:, list(indices)].mean(1) if indices else torch.full_like(points[:, 0], torch.nan)
        for indices in eyes
    ]
    return torch.stack(centres, 1)


def augment_pictures(images: Tensor, settings: Augmentation, generator: torch.Generator) -> Tensor:
    """Change a batch (B, 1, S, S) without labels, such as crops of other things than faces."""
    nowhere = torch.zeros(len(images), 1, 2, device=images.device)
    changes = sample_changes(len(images), images.shape[-1], (0,), settings, generator)
    return augment(images, nowhere, (0,), changes).images


def warp(images: Tensor, points: Tensor, matrix: Tensor, bends: Bends) -> tuple[Tensor, Tensor]:
    """Apply maps (B, 2, 3) from old to new crop pixels to images and points, then bend them;
    borders repeat.
    """
    linear, offset = matrix[:, :, :2], matrix[:, :, 2]
    moved = points @ linear.transpose(1, 2) + offset[:, None]
    inverse = torch.linalg.inv(linear)
    size = images.shape[-1]
    # grid_sample's coordinates run from -1 to 1 over the outer edges: pixel p is (2p + 1)/S - 1.
    unit = 2.0 / size
    bias = torch.full_like(offset, unit / 2 - 1)
    back = (inverse @ (bias[:, :, None] / -unit - offset[:, :, None]))[:, :, 0]
    theta = torch.cat([inverse, (back * unit + bias)[:, :, None]], 2)
    shape = list(images.shape)
    grid = functional.affine_grid(theta, shape, align_corners=False)
    if bends.shifts.any():
        places = (_pixels(size, images.device) + 0.5) / size
        bumps = bends.around((moved + 0.5) / size)
        back_by = displacements(places.expand(len(images), -1, -1), bumps).reshape(grid.shape)
        straight = 2 * (places.reshape(1, size, size, 2) - back_by) - 1
        ones = torch.ones_like(straight[..., :1])
        grid = torch.cat([straight, ones], 3) @ theta.transpose(1, 2)[:, None]
        moved = bend_points((moved + 0.5) / size, bumps) * size - 0.5
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    return images, moved


def _pixels(size: int, device: torch.device) -> Tensor:
    """(1, S * S, 2): x and y of all pixels, by row."""
    steps = torch.arange(size, device=device, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], 2).reshape(1, -1, 2)


def degrade(images: Tensor, changes: Changes) -> Tensor:
    """Change light, resolution and noise, which do not move the points."""
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
    return images.clamp_(0, 1)
