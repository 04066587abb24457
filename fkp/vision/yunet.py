"""Running networks in YuNet's layout (Wu et al., MIR 20, 2023) with ONNX Runtime."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from fkp.errors import ModelError
from fkp.vision.images import Image
from fkp.vision.onnx_parts import external_files

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

_REFUSALS: tuple[type[Exception], ...] = (
    ValueError,
    IndexError,
    *(k for k in vars(states).values() if isinstance(k, type) and issubclass(k, Exception)),
)
"""Includes all exceptions of ONNX Runtime, which have no common base."""


class YuNet:
    """A loaded network: BGR pictures 0..255 in; for each cell of three strides a box, five points.

    sides: (height, width) of the pictures that it takes, None if it takes any size.
    """

    def __init__(self, model: Path) -> None:
        """Raises ModelError for a file that is not such a network; see `fkp.vision.trial` for
        untrusted files.
        """
        self.model = model
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            data = model.read_bytes()
            parts = external_files(data)
            if parts:
                raise ModelError(
                    f"{model}: keeps its weights in {parts[0]}; expected one file that holds all"
                )
            self.session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
            (self.entry,) = self.session.get_inputs()
            self.sides = self._fixed_sides()
            if not set(OUTPUTS) <= {output.name for output in self.session.get_outputs()}:
                raise ValueError("the outputs have other names")
        except OSError as error:
            raise ModelError(f"{model}: cannot be read: {error.strerror}") from error
        except _REFUSALS as error:
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
        planes = np.zeros((1, 3, height, width), np.float32)
        for i in range(3):
            planes[0, i, : image.shape[0], : image.shape[1]] = cv2.extractChannel(image, i)
        levels = []
        try:
            out = self.session.run(OUTPUTS, {self.entry.name: planes})
            for i, stride in enumerate(STRIDES):
                grid = (height // stride, width // stride)
                levels.append(_decode(out[i :: len(STRIDES)], grid, stride, least))
        except _REFUSALS as error:
            raise ModelError(
                f"{self.model}: not a face detector in YuNet's layout: it fails on a picture of "
                f"{width} x {height} pixels"
            ) from error
        boxes, scores, points = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        order = np.argsort(-scores, kind="stable")[:AT_MOST]
        kept = cv2.dnn.NMSBoxes(boxes[order].tolist(), scores[order].tolist(), 0.0, OVERLAP)
        order = order[np.sort(np.asarray(kept, np.int64).reshape(-1))]
        return boxes[order], scores[order], points[order]


def _decode(
    out: Sequence[npt.NDArray[np.float32]], grid: tuple[int, int], stride: int, least: float
) -> tuple[Array, Array, Array]:
    """Boxes (F, 4) xywh, scores (F,) and points (F, 5, 2) of the cells scoring at least `least`.

    out: class and object scores (1, cells, 1), boxes (1, cells, 4): centre from the cell, log of
    the sides; points (1, cells, 10): from the cell. grid: rows and columns of cells. Raises
    ValueError for other shapes.
    """
    rows, columns = grid
    for array, channels in zip(out, CHANNELS, strict=True):
        if array.shape != (1, rows * columns, channels):
            raise ValueError(f"expected {(1, rows * columns, channels)}, got {array.shape}")
    classes, objects, boxes, points = (array[0] for array in out)
    scores = np.sqrt(classes[:, 0].clip(0, 1) * objects[:, 0].clip(0, 1)).astype(np.float64)
    kept = np.flatnonzero(scores >= least)
    cells = np.stack([kept % columns, kept // columns], axis=1).astype(np.float64)
    own = boxes[kept].astype(np.float64)
    sides = np.exp(own[:, 2:].clip(max=MOST_LOG)) * stride
    corners = (cells + own[:, :2]) * stride - sides / 2
    places = (points[kept].reshape(-1, 5, 2) + cells[:, None]) * stride
    found = np.concatenate([corners, sides, places.reshape(-1, 10)], axis=1)
    # Anything beyond is not a face and could not be cut out.
    whole = (abs(found) < FARTHEST).all(1) & (np.ptp(places, axis=1) > 0).any(1)
    return found[whole, :4], scores[kept][whole], places[whole]


@lru_cache(maxsize=4)
def load_yunet(model: Path) -> YuNet:
    """The network of a file, loaded once per process; raises ModelError for any other file."""
    return YuNet(model)
