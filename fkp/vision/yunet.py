"""Networks in YuNet's layout (Wu et al., MIR 20, 2023), run by ONNX Runtime."""

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from fkp.errors import ModelError
from fkp.vision.images import Image

STRIDES = (8, 16, 32)
OUTPUTS = [f"{kind}_{stride}" for kind in ("cls", "obj", "bbox", "kps") for stride in STRIDES]
OVERLAP = 0.3
"""Of two boxes with a larger intersection over union the surer is kept."""
AT_MOST = 5000
"""Boxes looked at, the surest ones."""

Array = npt.NDArray[np.float64]

_REFUSALS: tuple[type[Exception], ...] = (
    ValueError,
    IndexError,
    *(k for k in vars(states).values() if isinstance(k, type) and issubclass(k, Exception)),
)
"""Also all that ONNX Runtime raises; its kinds have no base of their own."""


class YuNet:
    """A loaded network: BGR pictures 0..255 in; for each cell of three strides a box, five points.

    sides: (height, width) of the pictures that it takes, None where any will do.
    """

    def __init__(self, model: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            data = model.read_bytes()
            self.session = onnxruntime.InferenceSession(
                data, options, providers=["CPUExecutionProvider"]
            )
            (self.entry,) = self.session.get_inputs()
            height, width = self.entry.shape[2:]
            self.sides = (height, width) if isinstance(height, int) else None
            if not set(OUTPUTS) <= {output.name for output in self.session.get_outputs()}:
                raise ValueError("the outputs have other names")
            self.find(np.zeros((32, 32, 3), np.uint8), 0.5)
        except OSError as error:
            raise ModelError(f"{model}: cannot be read: {error.strerror}") from error
        except _REFUSALS as error:
            raise ModelError(f"{model}: not a face detector in YuNet's layout (.onnx)") from error

    def find(self, image: Image, least: float) -> tuple[Array, Array, Array]:
        """Faces of a score of at least `least` in a BGR picture (H, W, 3), the surest first.

        boxes: (F, 4) xywh, scores: (F,), points: (F, 5, 2), in continuous pixels: the picture's
        first corner at 0, its first pixel's centre at 1/2.
        """
        height, width = self.sides or (-(-side // 32) * 32 for side in image.shape[:2])
        planes = np.zeros((1, 3, height, width), np.float32)
        for i in range(3):
            planes[0, i, : image.shape[0], : image.shape[1]] = cv2.extractChannel(image, i)
        out = self.session.run(OUTPUTS, {self.entry.name: planes})
        levels = []
        for i, stride in enumerate(STRIDES):
            classes, objects, corners, places = (array[0] for array in out[i :: len(STRIDES)])
            columns = width // stride
            levels.append(_decode(classes, objects, corners, places, columns, stride, least))
        boxes, scores, points = (np.concatenate(parts) for parts in zip(*levels, strict=True))
        order = np.argsort(-scores, kind="stable")[:AT_MOST]
        kept = cv2.dnn.NMSBoxes(boxes[order].tolist(), scores[order].tolist(), 0.0, OVERLAP)
        order = order[np.sort(np.asarray(kept, np.int64).reshape(-1))]
        return boxes[order], scores[order], points[order]


def _decode(
    classes: npt.NDArray[np.float32],  # (cells, 1)
    objects: npt.NDArray[np.float32],  # (cells, 1)
    boxes: npt.NDArray[np.float32],  # (cells, 4): centre from the cell, log of the sides
    points: npt.NDArray[np.float32],  # (cells, 10): from the cell
    columns: int,
    stride: int,
    least: float,
) -> tuple[Array, Array, Array]:
    """The sure cells of one stride as boxes (F, 4) xywh, scores (F,) and points (F, 5, 2)."""
    scores = np.sqrt(classes[:, 0].clip(0, 1) * objects[:, 0].clip(0, 1)).astype(np.float64)
    sure = np.flatnonzero(scores >= least)
    cells = np.stack([sure % columns, sure // columns], axis=1).astype(np.float64)
    own = boxes[sure].astype(np.float64)
    sides = np.exp(own[:, 2:]) * stride
    corners = (cells + own[:, :2]) * stride - sides / 2
    places = (points[sure].reshape(-1, 5, 2) + cells[:, None]) * stride
    return np.concatenate([corners, sides], axis=1), scores[sure], places


@lru_cache(maxsize=4)
def load_yunet(model: Path) -> YuNet:
    """The network of a file, once in each process; raises ModelError where it is none."""
    return YuNet(model)
