"""Augmentation: labels go where the pictures go."""

import torch

from fkp.keypoints import FKP4
from fkp.learn.training.augment import Augmentation, augment, sample_changes, warp
from fkp.learn.training.bend import BUMPS, bend_points, displacements, sample_bends


def spots(points: torch.Tensor, size: int) -> torch.Tensor:
    """Pictures (B, 1, S, S) with a spot at the single point (B, 1, 2) of each."""
    y, x = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    at = points[:, 0]
    square = (x - at[:, 0, None, None]) ** 2 + (y - at[:, 1, None, None]) ** 2
    return torch.exp(-square / (2 * 2.0**2))[:, None]


def centroids(images: torch.Tensor) -> torch.Tensor:
    weight = images[:, 0] / images.sum((1, 2, 3))[:, None, None]
    ramp = torch.arange(images.shape[-1])
    return torch.stack([(weight.sum(1) * ramp).sum(1), (weight.sum(2) * ramp).sum(1)], 1)


def test_labels_follow_the_warp() -> None:
    generator = torch.Generator().manual_seed(0)
    size = 64
    points = 31.5 + 12 * (2 * torch.rand(32, 1, 2, generator=generator) - 1)
    changes = sample_changes(32, size, (0,), Augmentation(), generator)
    assert 0 < int(changes.flipped.sum()) < 32
    images, moved = warp(spots(points, size), points, changes.matrices, changes.bends)
    assert (moved - points).abs().max() > 5
    assert (centroids(images) - moved[:, 0]).abs().max() < 0.05


def test_labels_follow_the_bends() -> None:
    generator = torch.Generator().manual_seed(0)
    size = 96
    points = 47.5 + 30 * (2 * torch.rand(64, 1, 2, generator=generator) - 1)
    settings = Augmentation(rotation=20, bent=0.5)
    changes = sample_changes(64, size, (0,), settings, generator)
    straight = sample_bends(64, 0, generator)
    images, bent = warp(spots(points, size), points, changes.matrices, changes.bends)
    by = (bent - warp(images, points, changes.matrices, straight)[1]).norm(dim=2)[:, 0]
    inside = (bent[:, 0] > 8).all(1) & (bent[:, 0] < size - 9).all(1)
    assert 10 < int((by > 0.5).sum()) < 40
    assert float(by.max()) > 3
    # A spot is bent itself, so that its centroid moves a little.
    off = (centroids(images) - bent[:, 0])[inside].norm(dim=1)
    assert float(off.max()) < 0.9
    assert float(off.mean()) < 0.2


def test_bends_move_one_side_alone() -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.tensor([[[0.35, 0.7], [0.65, 0.7]]]).repeat(500, 1, 1)
    points[-1] = torch.nan
    bumps = sample_bends(500, 1.0, generator).around(points)
    assert bumps.middles.shape == (500, BUMPS, 2)
    bent = bend_points(points, bumps)
    assert bent[-1].isnan().all()
    error = bent - displacements(bent, bumps) - points
    assert error[:-1].abs().max() < 1e-3
    moved = (bent - points)[:-1].norm(dim=2)
    alone = (moved.amax(1) > 0.02) & (moved.amin(1) < 0.2 * moved.amax(1))
    assert float(alone.float().mean()) > 0.15


def test_a_mirrored_face_swaps_its_sides() -> None:
    generator = torch.Generator().manual_seed(0)
    still = Augmentation(rotation=0, scale=0, shift=0)
    points = torch.tensor([[[60.0, 30.0], [30.0, 30.0], [45.0, 50.0], [45.0, 70.0]]]).repeat(
        16, 1, 1
    )
    changes = sample_changes(16, 96, FKP4.flip_order, still, generator)
    _, moved, _ = augment(torch.rand(16, 1, 96, 96), points, FKP4.flip_order, changes)
    # Mirrored or not, the subject's left eye stays on the right of the picture.
    assert (moved[:, 0, 0] > moved[:, 1, 0]).all()
    mirrored = (moved[:, 0, 0] - 65).abs() < 1e-3  # 95 - 30
    assert 0 < int(mirrored.sum()) < 16
    assert torch.allclose(moved[~mirrored], points[~mirrored], atol=1e-3)


def test_a_scheme_without_sides_is_not_mirrored() -> None:
    generator = torch.Generator().manual_seed(0)
    still = Augmentation(rotation=0, scale=0, shift=0)
    points = torch.rand(16, 3, 2) * 64
    changes = sample_changes(16, 64, None, still, generator)
    _, moved, _ = augment(torch.rand(16, 1, 64, 64), points, None, changes)
    assert torch.allclose(moved, points, atol=1e-3)


def test_missing_points_stay_missing_and_pictures_stay_in_range() -> None:
    points = torch.rand(8, 4, 2) * 64
    points[:, 1] = torch.nan
    changes = sample_changes(8, 64, None, Augmentation(), torch.Generator().manual_seed(1))
    images, moved, _ = augment(torch.rand(8, 1, 64, 64), points, None, changes)
    assert torch.isnan(moved[:, 1]).all()
    assert torch.isfinite(moved[:, [0, 2, 3]]).all()
    assert images.min() >= 0
    assert images.max() <= 1
    assert images.dtype == torch.float32
