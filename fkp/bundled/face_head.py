"""Training a keypoint network's face head to reject a detector's false alarms."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from fkp.errors import ModelError
from fkp.learn.detector.scenes import Scene
from fkp.learn.detector.score import MATCH, iou
from fkp.learn.networks.base import Architecture
from fkp.learn.networks.checkpoint import Model
from fkp.learn.training.augment import Augmentation, augment_pictures
from fkp.vision.crop import CropTransform
from fkp.vision.detect import FaceDetector
from fkp.vision.images import resized, to_gray

Crops = npt.NDArray[np.uint8]

VIEWS = 2
"""Augmented views of each crop that the face head is trained on."""

MOST = 15_000
"""Maximum number of crops of each kind that it is trained on, chosen at random."""

STRICT = 2.0
"""Subtracted from the fitted logits, which take a face and a false alarm for equally likely.
With it, 99 % of the boxes that score 0.5 and more in held-out scenes are faces."""


def mine(
    detector: FaceDetector,
    scenes: Iterable[Scene],
    layout: npt.NDArray[np.float64],
    size: int,
    scales: tuple[float, ...] = (1.0,),
) -> tuple[Crops, Crops]:
    """The crops (N, S, S) of a detector's findings in labelled pictures: faces, and false alarms.

    Boxes on faces that are not `known`, or that overlap a face only partly, are neither.
    """
    faces, others = [], []
    for scene in scenes:
        for scale in scales:
            image = resized(scene.image, scale)
            found = detector.detect(image)
            overlap = iou(found.boxes.astype(np.float64) / scale, scene.boxes)
            gray = to_gray(image) if len(found.boxes) else image
            for anchors, row in zip(found.anchors, overlap, strict=True):
                best = int(row.argmax()) if len(row) else -1
                crop = CropTransform.framed(anchors, layout, size).cut(gray)
                if best < 0 or row[best] < 0.02:
                    others.append(crop)
                elif scene.known[best] and row[best] >= MATCH:
                    faces.append(crop)
    none = np.zeros((0, size, size), np.uint8)
    return np.stack(faces) if faces else none, np.stack(others) if others else none


def fit_face_head(
    model: Model, faces: Crops, others: Crops, seed: int, steps: int = 1500, strict: float = STRICT
) -> Model:
    """Fit the layers of a network that estimate whether a crop is a face, and only these."""
    network = model.network
    head = network.face_head
    if head is None:
        raise ModelError(f"the architecture {model.architecture} has no face head")
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    few = (c[np.sort(order.permutation(len(c))[:MOST])] for c in (faces, others))
    yes, no = (_features(network, crops, generator) for crops in few)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    wanted = torch.cat([torch.ones(256), torch.zeros(256)])
    head.train().requires_grad_(True)
    for _ in range(steps):
        batch = torch.cat([_draw(yes, 256, generator), _draw(no, 256, generator)])
        loss = functional.binary_cross_entropy_with_logits(head(batch)[:, 0], wanted)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        schedule.step()
    network.eval()
    with torch.no_grad():
        *_, last = (layer for layer in head.modules() if isinstance(layer, nn.Linear))
        last.bias.sub_(strict)
    return replace(model, estimates_faces=True)


def _draw(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    return rows[torch.randint(len(rows), (count,), generator=generator)]


@torch.no_grad()
def _features(network: Architecture, crops: Crops, generator: torch.Generator) -> Tensor:
    """(VIEWS * N, C): the face head's input for augmented crops."""
    network.eval()
    settings = Augmentation(rotation=15, shift=0.04, scale=0.1)
    parts = []
    for _ in range(VIEWS):
        for part in torch.split(torch.from_numpy(crops), 128):
            views = augment_pictures(part[:, None].float() / 255, settings, generator)
            views = views.contiguous(memory_format=torch.channels_last)
            parts.append(network.pooled(network.encode(views)))
    return torch.cat(parts)
