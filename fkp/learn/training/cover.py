"""Covering parts of faces in training: hands, poles, patches, glasses, masks, hats.

Every cover is a union of capsules: all points within a radius of a segment. So a whole batch can be
rendered at once, and which points lie behind a cover is known exactly.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

SEGMENTS = 6  # segments per cover
_NONE = -1.0  # the radius of an absent segment

_GLASSES = (
    (-0.62, 0.02, -0.40, 0.02, 0.26), (0.40, 0.02, 0.62, 0.02, 0.26),
    (-0.3, -0.05, 0.3, -0.05, 0.06), (-0.8, -0.05, -1.3, 0.0, 0.05), (0.8, -0.05, 1.3, 0.0, 0.05),
)  # fmt: skip
_MASK = (
    (-0.6, 0.78, 0.6, 0.78, 0.2), (-0.55, 1.1, 0.55, 1.1, 0.35), (-0.3, 1.5, 0.3, 1.5, 0.35),
    (-0.9, 0.7, -1.3, 0.3, 0.03), (0.9, 0.7, 1.3, 0.3, 0.03), (-0.05, 0.6, 0.05, 0.6, 0.1),
)  # fmt: skip
_HAT = ((-1.1, -0.95, 1.1, -0.95, 0.45), (-1.3, -0.65, 1.3, -0.65, 0.12))
_WORN = (_GLASSES, _MASK, _HAT)
"""Segments x0, y0, x1, y1 and their radii, relative to the middle of the eyes and in units of their
distance; x is towards the left eye, y down the face."""


@dataclass(frozen=True, slots=True, eq=False)
class Covers:
    """What covers each of B crops, sampled at random.

    segments: (B, SEGMENTS, 2, 2) ends x, y; radii: (B, SEGMENTS), negative for none. Fractions of
    the crop's side, or if `worn` (B,) relative to the eyes and in units of their distance. shade,
    slope: (B,) and (B, 2) gray in 0..1 and its change over the side; patched: (B,) filled with
    another crop instead.
    """

    segments: Tensor
    radii: Tensor
    worn: Tensor
    shade: Tensor
    slope: Tensor
    patched: Tensor


def sample_covers(count: int, share: float, generator: torch.Generator) -> Covers:
    """Covers for a share of `count` crops; the others have none."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    held, radii = _held(count, uniform(count, 10))
    kind = torch.randint(6, (count,), generator=generator)
    worn = kind < len(_WORN)
    for i, table in enumerate(_WORN):
        rows = torch.tensor(table)
        shift, grow = 0.12 * (uniform(count, 2) - 0.5), 0.75 + 0.5 * uniform(count)
        ends = rows[None, :, :4].reshape(1, -1, 2, 2) + shift[:, None, None]
        chosen = (kind == i).nonzero()[:, 0]
        radii[chosen] = _NONE
        radii[chosen[:, None], torch.arange(len(rows))] = rows[:, 4] * grow[chosen, None]
        held[chosen[:, None], torch.arange(len(rows))] = ends[chosen]
    radii[uniform(count) >= share] = _NONE
    shade = uniform(count)
    shade = torch.where(kind == 0, 0.35 * shade, shade)  # sunglasses are dark
    patched = (uniform(count) < 0.4) & ~worn
    return Covers(held, radii, worn, shade, 0.8 * (uniform(count, 2) - 0.5), patched)


def _held(count: int, numbers: Tensor) -> tuple[Tensor, Tensor]:
    """Hands, poles and blobs anywhere: ends and radii, from (B, 10) random numbers in 0..1."""
    angle = 6.2832 * numbers[:, 0]
    along = torch.stack([angle.cos(), angle.sin()], 1)  # (B, 2)
    across = torch.stack([-along[:, 1], along[:, 0]], 1)
    palm = 0.05 + 0.9 * numbers[:, 1:3]
    width = 0.035 + 0.02 * numbers[:, 3]
    reach = 0.2 + 0.2 * numbers[:, 4]
    ends = torch.zeros(count, SEGMENTS, 2, 2)
    radii = torch.full((count, SEGMENTS), _NONE)
    for finger in range(4):
        start = palm + across * ((finger - 1.5) * 2.1 * width)[:, None]
        ends[:, finger, 0] = start
        ends[:, finger, 1] = start + along * (reach * (1 - 0.12 * abs(finger - 1.5)))[:, None]
        radii[:, finger] = width
    ends[:, 4] = torch.stack([palm - 0.12 * along, palm + 0.02 * along], 1)
    radii[:, 4] = 4.2 * width
    plain = numbers[:, 5] < 0.5  # a pole or a blob instead of a hand
    length = torch.where(numbers[:, 6] < 0.5, 2.0 * torch.ones(count), 0.15 * numbers[:, 7])
    ends[plain, 0] = torch.stack(
        [palm - along * length[:, None], palm + along * length[:, None]], 1
    )[plain]
    radii[plain] = _NONE
    radii[plain, 0] = (0.03 + 0.17 * numbers[:, 8])[plain]
    return ends, radii


def cover(images: Tensor, points: Tensor, eyes: Tensor, covers: Covers) -> tuple[Tensor, Tensor]:
    """Images (B, 1, S, S) with their covers, and which points (B, K, 2) are covered, (B, K).

    points, eyes: crop pixels; eyes: (B, 2, 2) right and left; if they are NaN, nothing is worn.
    """
    hidden = torch.zeros(points.shape[:2], dtype=torch.bool, device=images.device)
    known = torch.isfinite(eyes).all((1, 2))
    rows = (covers.radii > 0).any(1).to(images.device) & (known | ~covers.worn.to(images.device))
    rows = rows.nonzero()[:, 0]
    if len(rows) == 0:
        return images, hidden
    size = images.shape[-1]
    segments, radii = _placed(covers, eyes, rows, size)
    ramp = torch.arange(size, device=images.device, dtype=torch.float32)
    grid = torch.stack(torch.meshgrid(ramp, ramp, indexing="xy"), -1).reshape(1, -1, 2)
    depth = _depth(grid.expand(len(rows), -1, -1), segments, radii).reshape(-1, size, size)
    alpha = (depth + 0.5).clamp(0, 1)[:, None]
    at = rows.cpu()
    slope = covers.slope[at].to(images.device)
    plane = (grid[0] / size - 0.5) @ slope.T  # (S * S, R)
    fill = covers.shade[at].to(images.device)[:, None] + plane.T
    fill = fill.reshape(-1, 1, size, size)
    others = images.roll(1, 0)[rows].flip(2)
    fill = torch.where(covers.patched[at].to(images.device)[:, None, None, None], others, fill)
    images = images.clone()
    images[rows] = images[rows] * (1 - alpha) + fill.clamp(0, 1) * alpha
    hidden[rows] = _depth(points[rows], segments, radii) > 0
    return images, hidden


def _placed(covers: Covers, eyes: Tensor, rows: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Segments (R, SEGMENTS, 2, 2) and radii (R, SEGMENTS) in crop pixels."""
    at = rows.cpu()
    segments = covers.segments[at].to(eyes.device)
    radii = covers.radii[at].to(eyes.device)
    right, left = eyes[rows, 0], eyes[rows, 1]
    across = left - right
    down = torch.stack([-across[:, 1], across[:, 0]], 1)
    middle = (right + left) / 2
    about = middle[:, None, None] + segments[..., :1] * across[:, None, None]
    about = about + segments[..., 1:] * down[:, None, None]
    worn = covers.worn[at].to(eyes.device)
    distance = across.norm(dim=1)[:, None]
    return (
        torch.where(worn[:, None, None, None], about, segments * size),
        torch.where(worn[:, None], radii * distance, radii * size),
    )


def _depth(places: Tensor, segments: Tensor, radii: Tensor) -> Tensor:
    """(R, P): how far places (R, P, 2) lie inside the cover, pixels; negative outside."""
    deepest = torch.full(places.shape[:2], -1e6, device=places.device)
    for i in range(SEGMENTS):
        start, along = segments[:, i, 0], segments[:, i, 1] - segments[:, i, 0]
        away = places - start[:, None]
        share = (away * along[:, None]).sum(2) / along.square().sum(1).clamp(min=1e-6)[:, None]
        distance = (away - share.clamp(0, 1)[..., None] * along[:, None]).norm(dim=2)
        depth = radii[:, i, None] - distance
        deepest = torch.where(radii[:, i, None] > 0, torch.maximum(deepest, depth), deepest)
    return deepest.nan_to_num(-1e6)
