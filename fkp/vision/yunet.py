"""Running networks in YuNet's layout (Wu et al., MIR 20, 2023) with ONNX Runtime."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from fkp.errors import ModelError
from fkp.vision.images import Image
from fkp.vision.onnx import REFUSALS, open_session

STRIDES = (8, 16, 32)
OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
OVERLAP = 0.3
"""Of two boxes with a larger intersection over union, the one with the higher score is kept."""
AT_MOST = 5000
"""Maximum number of boxes considered, by score."""
CHANNELS = (1, 1, 4, 10)
"""Number of values per cell in each output of a stride."""
LARGEST = 4096
"""Maximum side of the pictures that a network may prescribe, in pixels."""
FARTHEST, MOST_LOG = 1e6, 20.0
"""Limits of a face's coordinates in pixels, and of the log of its box's sides in strides."""

Array = npt.NDArray[np.float64]


class YuNet:
    """A loaded network: BGR pictures 0..255 in; for each cell of three strides a box, five points.

    sides: (height, width) of the pictures that it takes, None if it takes any size.
    """

    def __init__(self, model: Path) -> None:
        """Raises ModelError for a file that is not such a network; see `fkp.vision.trial` for
        untrusted files.
        """
        self.model = model
        try:
            self.session = open_session(model)
            (self.entry,) = self.session.get_inputs()
            self.sides = self._fixed_sides()
            if not set(OUTPUTS) <= {output.name for output in self.session.get_outputs()}:
                raise ValueError("the outputs have other names")
        except REFUSALS as error:
            raise ModelError(f"{model}: not a face detector in YuNet's layout (.onnx)") from error
        self.find(np.zeros((32, 32, 3), np.uint8), 0.5)

    def _fixed_sides(self) -> tuple[int, int] | None:
        """Height and width of the pictures that the network requires; None if it takes any size."""
        height, width = self.entry.shape[2:]
        fixed = [side for side in (height, width) if isinstance(side, int)]
        if not fixed:
            return None
        if len(fixed) == 1:
            raise ModelError(
                f"{self.model}: takes pictures of {width} x {height} pixels; expected both sides "
                "to be fixed, or neither"
            )
        if max(fixed) > LARGEST or any(side % STRIDES[-1] or side < 1 for side in fixed):
            raise ModelError(
                f"{self.model}: takes pictures of {width} x {height} pixels; expected multiples of "
                f"{STRIDES[-1]} up to {LARGEST}"
            )
        return height, width

    def find(self, image: Image, least: float) -> tuple[Array, Array, Array]:
        """Faces scoring at least `least` in a BGR picture (H, W, 3), the highest score first.

        boxes: (F, 4) xywh, scores: (F,), points: (F, 5, 2), in continuous pixels: the picture's
        first corner at 0, its first pixel's centre at 1/2.
        """
        height, width = self.sides or (-(-side // 32) * 32 for side in image.shape[:2])
        below, right = height - image.shape[0], width - image.shape[1]
        if below or right:
            image = np.pad(image, ((0, below), (0, right), (0, 0)))
        planes = np.empty((1, 3, height, width), np.float32)
        for i, plane in enumerate(cv2.split(image)):
            planes[0, i] = plane
        try:
            out = self.session.run(OUTPUTS, {self.entry.name: planes})
            boxes, scores, points = _decode(out, _cells(height, width), least)
        except REFUSALS as error:
            raise ModelError(
                f"{self.model}: not a face detector in YuNet's layout: it fails on a picture of "
                f"{width} x {height} pixels"
            ) from error
        order = np.argsort(-scores, kind="stable")[:AT_MOST]
        kept = cv2.dnn.NMSBoxes(boxes[order].tolist(), scores[order].tolist(), 0.0, OVERLAP)
        order = order[np.sort(np.asarray(kept, np.int64).reshape(-1))]
        return boxes[order], scores[order], points[order]


@lru_cache(maxsize=16)
def _cells(height: int, width: int) -> Array:
    """Column, row and stride of all cells of a picture, (cells, 3), in the order of the outputs."""
    grids = [
        np.stack([c.ravel(), r.ravel(), np.full(c.size, stride)], axis=1)
        for stride in STRIDES
        for r, c in [np.mgrid[: height // stride, : width // stride]]
    ]
    return np.concatenate(grids).astype(np.float64)


def _decode(
    out: Sequence[npt.NDArray[np.float32]], cells: Array, least: float
) -> tuple[Array, Array, Array]:
    """The cells that score at least so much, as boxes (F, 4) xywh, scores (F,) and points
    (F, 5, 2).

    out: for each stride class and object scores (1, cells, 1), boxes (1, cells, 4): centre from the
    cell, log of the sides; points (1, cells, 10): from the cell. Raises ValueError for other
    shapes.
    """
    per_pixel = len(cells) / sum(stride**-2 for stride in STRIDES)
    for i, array in enumerate(out):
        count = round(per_pixel / STRIDES[i % len(STRIDES)] ** 2)
        wanted = (1, count, CHANNELS[i // len(STRIDES)])
        if array.shape != wanted:
            raise ValueError(f"expected {wanted}, got {array.shape}")
    starts = range(0, len(out), len(STRIDES))
    classes, objects, boxes, points = (
        np.concatenate(out[i : i + len(STRIDES)], axis=1)[0] for i in starts
    )
    # Few cells are worth a square root; values outside 0..1 never make the product too small.
    sure = np.flatnonzero(classes[:, 0] * objects[:, 0] >= 0.999 * least**2)
    scores = np.sqrt(classes[sure, 0].clip(0, 1) * objects[sure, 0].clip(0, 1)).astype(np.float64)
    sure, scores = sure[scores >= least], scores[scores >= least]
    own, at, stride = boxes[sure].astype(np.float64), cells[sure, :2], cells[sure, 2:]
    sides = np.exp(own[:, 2:].clip(max=MOST_LOG)) * stride
    corners = (at + own[:, :2]) * stride - sides / 2
    places = (points[sure].reshape(-1, 5, 2) + at[:, None]) * stride[:, None]
    found = np.concatenate([corners, sides, places.reshape(-1, 10)], axis=1)
    # Anything beyond is not a face and could not be cut out.
    whole = (abs(found) < FARTHEST).all(1) & (np.ptp(places, axis=1) > 0).any(1)
    return found[whole, :4], scores[whole], places[whole]


@lru_cache(maxsize=4)
def load_yunet(model: Path) -> YuNet:
    """The network of a file, loaded once per process; raises ModelError for any other file."""
    return YuNet(model)
