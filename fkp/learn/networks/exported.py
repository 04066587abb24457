"""An exported network as one that annotates: ONNX Runtime on one thread, without PyTorch."""

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from fkp.errors import ModelError
from fkp.keypoints import Prediction, Scheme
from fkp.learn.networks.header import KEY, UNFIT, Header
from fkp.learn.networks.names import BUNDLED_ONNX
from fkp.vision.onnx import CropsOnnx
from fkp.vision.trial import try_out

PART = 8
"""Crops that the network sees at a time: the maps of more do not stay in a core's cache. What it
says of a crop does not depend on the others, to the bit."""


@dataclass(frozen=True, slots=True, eq=False)
class OnnxNetwork:
    """A network of `fkp export`; see `fkp.annotate.network.KeypointNetwork`.

    Each process has its own: pickled, it is the path of its file.
    """

    path: Path
    header: Header
    _crops: CropsOnnx

    portable: ClassVar[bool] = True

    @property
    def scheme(self) -> Scheme:
        """The points it finds."""
        return self.header.scheme

    @property
    def size(self) -> int:
        """Side of its crops in pixels."""
        return self.header.size

    @property
    def architecture(self) -> str:
        """The name of the architecture that was exported."""
        return self.header.architecture

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Where the five anchor points lie in its crops, (5, 2) fractions of the side."""
        return self.header.framing.layout

    def predict(
        self,
        crops: npt.NDArray[np.uint8],
        batch: int = PART,
        least: npt.NDArray[np.float32] | None = None,
    ) -> Prediction:
        """Points of crops (N, S, S) uint8, with the scales and probabilities that it estimates.

        least: has no effect, as one graph computes everything; points take a quarter of its time.
        Raises ModelError for crops of another size.
        """
        if crops.shape[1:] != (self.size, self.size):
            raise ModelError(f"expected crops of {self.size} pixels, got shape {crops.shape}")
        count = min(batch, PART)
        parts = [Prediction.unknown(0, len(self.scheme))]
        parts += [self._part(crops[i : i + count]) for i in range(0, len(crops), count)]
        return Prediction.joined(parts)

    def _part(self, crops: npt.NDArray[np.uint8]) -> Prediction:
        found = self._crops.run(crops)
        unknown = Prediction.unknown(len(crops), len(self.scheme))
        said = Prediction(
            found["points"],
            found.get("scale", unknown.scale),
            found.get("face", unknown.face),
            found.get("visible", unknown.visible),
        )
        for name in ("points", "scale", "face", "visible"):
            shape, wanted = getattr(said, name).shape, getattr(unknown, name).shape
            if shape != wanted:
                raise ModelError(f"{self.path}: {name}: expected shape {wanted}, got {shape}")
        return said

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_file, (self.path,)  # the process that gives it away has tried it out


def load_onnx(path: Path) -> OnnxNetwork:
    """The network in a file, loaded once per process; raises ModelError if it is not a network.

    One that does not come with fkp is first tried out in a process of its own.
    """
    if path != BUNDLED_ONNX and os.path.exists(path):
        try_out(path, "keypoint network")
    return _of_file(path)


def _of_file(path: Path) -> OnnxNetwork:
    return _loaded(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=4)
def _loaded(path: Path, written: int) -> OnnxNetwork:
    crops = CropsOnnx(path)
    if KEY not in crops.metadata or "points" not in crops.names:
        raise ModelError(f"{path}: an .onnx file, but not a keypoint network of fkp export")
    try:
        header = Header.parse(crops.metadata[KEY])
    except UNFIT as error:
        raise ModelError(f"{path}: not a valid keypoint network: {error}") from error
    if header.size != crops.size:
        raise ModelError(f"{path}: says crops of {header.size} pixels, takes {crops.size}")
    network = OnnxNetwork(path, header, crops)
    network.predict(np.zeros((1, crops.size, crops.size), np.uint8))
    return network
