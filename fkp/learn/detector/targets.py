"""The training targets of the cells of the detector's maps, and the loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from fkp.vision.yunet import STRIDES

RANGES = ((0, 40), (24, 100), (64, 1e6))
"""Sides of the faces (root of the box's area, pixels) assigned to each stride. The ranges overlap,
so that no face is at the limit of all levels."""

FACE, NOTHING, IGNORED = 1, 0, -1


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Targets of the N cells of all levels, finest first, of B pictures.

    label: (B, N) FACE, NOTHING or IGNORED; box: (B, N, 4) xywh pixels; points: (B, N, 5, 2).
    """

    label: Tensor
    box: Tensor
    points: Tensor

    def to(self, device: torch.device) -> "Targets":
        """The same on a device."""
        return Targets(self.label.to(device), self.box.to(device), self.points.to(device))


def cells(height: int, width: int) -> npt.NDArray[np.float64]:
    """(N, 3): column, row and stride of each cell of a picture."""
    parts = []
    for stride in STRIDES:
        row, column = np.mgrid[: height // stride, : width // stride].reshape(2, -1)
        parts.append(np.stack([column, row, np.full_like(row, stride)], 1))
    return np.concatenate(parts).astype(np.float64)


def assign(
    boxes: npt.NDArray[np.float64],
    anchors: npt.NDArray[np.float64],
    known: npt.NDArray[np.bool_],
    grid: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Label, box and points of each cell, from the F faces of one picture.

    A face belongs to the cells around its centre, on the levels for its size; the same cells of
    other levels, and all cells inside a face that is not `known`, are ignored.
    """
    label = np.full(len(grid), NOTHING)
    box, points = np.zeros((len(grid), 4)), np.zeros((len(grid), 5, 2))
    if len(boxes) == 0:
        return label, box, points
    stride = grid[:, 2:]
    at = (grid[:, None, :2] + 0.5) * stride[:, None]  # (N, 1, 2)
    side = np.sqrt(boxes[:, 2:].prod(1))  # (F,)
    away = np.abs(at - (boxes[:, :2] + boxes[:, 2:] / 2))  # (N, F, 2)
    inside = (away < boxes[:, 2:] / 2 + 0.25 * stride[:, None]).all(2)
    middle = (away < np.maximum(0.75 * stride, 0.18 * side)[..., None]).all(2)
    low = np.select([stride == s for s in STRIDES], [r[0] for r in RANGES])
    high = np.select([stride == s for s in STRIDES], [r[1] for r in RANGES])
    answering = (side >= low) & (side < high)  # (N, F)
    label[(middle & known & ~answering).any(1) | (inside & ~known).any(1)] = IGNORED
    hit = middle & answering & known
    # If faces share a cell, the smaller one gets it.
    chosen = np.where(hit, side, np.inf).argmin(1)
    rows = np.flatnonzero(hit.any(1))
    label[rows] = FACE
    box[rows], points[rows] = boxes[chosen[rows]], anchors[chosen[rows]]
    return label, box, points


def collect(parts: Sequence[tuple[npt.NDArray[np.generic], ...]]) -> Targets:
    """Batch the targets of several pictures."""
    label, box, points = (np.stack(p) for p in zip(*parts, strict=True))
    return Targets(
        torch.from_numpy(label), torch.from_numpy(box).float(), torch.from_numpy(points).float()
    )


def flatten(maps: Sequence[Tensor]) -> Tensor:
    """Maps (B, C, h, w) of all levels as (B, N, C)."""
    return torch.cat([m.flatten(2).transpose(1, 2) for m in maps], 1)


def loss(output: Tensor, targets: Targets, grid: Tensor) -> tuple[Tensor, Tensor]:
    """The loss of a batch, and the highest score of a wrong cell per picture, (B,) in 0..1.

    output: (B, N, 16) as of FaceNet; grid: (N, 3). Boxes by GIoU (Rezatofighi et al., CVPR
    2019), points by smooth L1 over the face's side, cls and obj by quality focal loss (Li et al.,
    NeurIPS 2020), cls towards 1 and obj towards the IoU.
    """
    face, known = targets.label == FACE, targets.label != IGNORED
    count = face.sum().clamp(min=1)
    picked, cell = output[face], grid.expand(len(output), -1, -1)[face]
    place, stride = cell[:, :2], cell[:, 2:]
    truth = targets.box[face]
    centre = (place + picked[:, 2:4]) * stride
    size = picked[:, 4:6].clamp(max=6).exp() * stride
    giou, iou = _overlaps(torch.cat([centre - size / 2, size], 1), truth)
    side = truth[:, 2:].prod(1).sqrt()[:, None, None]
    spots = (place[:, None] + picked[:, 6:].reshape(-1, 5, 2)) * stride[:, None]
    error = (spots - targets.points[face]) / side
    points = functional.smooth_l1_loss(error, torch.zeros_like(error), beta=0.05, reduction="sum")
    wanted = torch.zeros_like(output[..., :2])
    wanted[face] = torch.stack([torch.ones_like(iou), iou.detach().clamp(min=0)], 1)
    score = output[..., :2].sigmoid()
    focal = (wanted - score).square() * functional.binary_cross_entropy_with_logits(
        output[..., :2], wanted, reduction="none"
    )
    total = (focal.sum(2) * known).sum() + 2 * (1 - giou).sum() + 2 * points
    with torch.no_grad():
        wrong = score.prod(2).sqrt() * (targets.label == NOTHING)
    return total / count, wrong.amax(1)


def _overlaps(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Generalised and plain IoU of boxes (P, 4) xywh, pair by pair."""
    a2, b2 = a[:, :2] + a[:, 2:], b[:, :2] + b[:, 2:]
    inner = (torch.minimum(a2, b2) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = a[:, 2:].prod(1) + b[:, 2:].prod(1) - inner
    hull = (torch.maximum(a2, b2) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    iou = inner / union
    return iou - (hull - union) / hull, iou
