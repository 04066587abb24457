"""Augmented batches of the training rows, on the device."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fkp.errors import DataError
from fkp.labels.store import Samples
from fkp.learn.training.augment import Changes, augment, augment_pictures, sample_changes
from fkp.learn.training.config import TrainConfig
from fkp.learn.training.team import Team

ROOM = 0.5
"""Crops that need a larger share of a GPU's free memory stay in pinned host memory."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """This process's part of a batch.

    crops: (B, 1, S, S) float32 in 0..1; points: (B, K, 2) labels as fractions of the side, NaN =
    not labelled; hidden: (B, K) bool, points that are not visible; others: (B / 8, 1, S, S) crops
    of other things than faces, or None.
    """

    crops: Tensor
    points: Tensor
    hidden: Tensor
    others: Tensor | None

    def __len__(self) -> int:
        return len(self.crops)


class Batches:
    """The training rows in random order, augmented at random.

    The crops are kept on the device if they fit, and augmented there. All processes of a team
    sample the same order and the same changes, and each takes its share of every batch. Raises
    DataError without labelled training rows.
    """

    def __init__(
        self,
        config: TrainConfig,
        samples: Samples,
        negatives: npt.NDArray[np.uint8] | None,
        device: torch.device,
        team: Team,
        hidden: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        part = samples.labelled("train")
        if len(part) == 0:
            raise DataError("there are no labelled training rows")
        self.settings, self.batch, self.device, self.team = (
            config.augmentation, config.batch, device, team,
        )  # fmt: skip
        self.rows, self.steps = len(part), math.ceil(len(part) / config.batch)
        self.flip, self.size = samples.scheme.flip_order, samples.size
        self.images = _placed(torch.from_numpy(np.asarray(part.crops)), device)
        self.points = torch.from_numpy(part.points).to(device)
        rows = samples.rows("train")
        known = np.zeros(part.points.shape[:2], bool) if hidden is None else hidden[rows]
        self.hidden = torch.from_numpy(known).to(device)
        self.eyes = samples.scheme.anchors[0], samples.scheme.anchors[1]
        self.negatives = None if negatives is None else _placed(torch.from_numpy(negatives), device)

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """All rows once, in batches."""
        order = torch.randperm(self.rows, generator=generator)
        for rows in torch.split(order, self.batch):
            changes = None
            if self.settings is not None:
                changes = sample_changes(len(rows), self.size, self.flip, self.settings, generator)
            others = None
            if self.negatives is not None:
                count = math.ceil(len(rows) / 8)
                others = torch.randint(len(self.negatives), (count,), generator=generator)
            first, count = _share(len(rows), self.team)
            yield self._batch(rows[first : first + count], changes, first, others, generator)

    def _batch(
        self,
        rows: Tensor,
        changes: Changes | None,
        first: int,
        others: Tensor | None,
        generator: torch.Generator,
    ) -> Batch:
        at = rows.to(self.device)
        x, y, hidden = self._crops(self.images, rows), self.points[at], self.hidden[at]
        if changes is not None:
            own = changes.of(first, len(rows))
            if self.flip is not None:
                mirrored = own.flipped.to(self.device)[:, None]
                hidden = torch.where(mirrored, hidden[:, list(self.flip)], hidden)
            x, y, covered = augment(x, y, self.flip, own, self.eyes)
            hidden = hidden | covered
        if others is None or self.negatives is None:
            return Batch(x, y / self.size, hidden, None)
        begin, count = _share(len(others), self.team)
        none = self._crops(self.negatives, others)
        if self.settings is not None:
            none = augment_pictures(none, self.settings, generator)
        return Batch(x, y / self.size, hidden, none[begin : begin + count])

    def _crops(self, images: Tensor, rows: Tensor) -> Tensor:
        chosen = images[rows.to(images.device)].to(self.device, non_blocking=True)
        return chosen[:, None].float() / 255


def _share(count: int, team: Team) -> tuple[int, int]:
    """The first of this process's rows among `count`, and their number."""
    ends = [count * rank // team.size for rank in (team.rank, team.rank + 1)]
    return ends[0], ends[1] - ends[0]


def _placed(images: Tensor, device: torch.device) -> Tensor:
    """Place on the device if there is room, otherwise in memory that is fast to copy from."""
    if device.type != "cuda":
        return images.to(device)
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.nbytes < ROOM * free else images.pin_memory()
