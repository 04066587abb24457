"""Checkpoints: a network in one self-describing `.safetensors` file, safe to open from untrusted
sources."""

import json
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from fkp.errors import FkpError, ModelError
from fkp.files import is_special, replacing
from fkp.keypoints import Prediction, Scheme
from fkp.learn.networks.architectures import build
from fkp.learn.networks.base import Architecture, Features
from fkp.learn.networks.devices import pick_device
from fkp.learn.networks.framing import Framing
from fkp.learn.networks.header import FORMAT, KEY, UNFIT, Header
from fkp.learn.networks.inference import optimized
from fkp.learn.networks.names import BUNDLED, find_model

__all__ = ["BUNDLED", "Model", "describe", "find_model", "load_model", "save_model"]


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A trained network and everything needed to use it.

    size: side of its crops, pixels; crop_mode: `face` or `none`, how its training crops were cut.
    training: its training configuration; scores: on the validation rows.
    calibration: factor on the estimated scales that makes the 90 % radius hold 90 % of the points.
    estimates_faces: whether it has learnt to tell faces from other things; estimates_visibility:
    whether it has learnt which points are covered.
    """

    network: Architecture
    architecture: str
    scheme: Scheme
    size: int
    crop_mode: str
    framing: Framing
    training: dict[str, object] = field(default_factory=dict)
    scores: dict[str, float] = field(default_factory=dict)
    calibration: float = 1.0
    estimates_faces: bool = False
    estimates_visibility: bool = False

    @property
    def layout(self) -> npt.NDArray[np.float64]:
        """Where the five anchor points lie in its crops, (5, 2) fractions of the side."""
        return self.framing.layout

    def predict(
        self,
        crops: npt.NDArray[np.uint8],
        batch: int = 64,
        least: npt.NDArray[np.float32] | None = None,
    ) -> Prediction:
        """Points of crops (N, S, S) uint8, with the network's scales and probabilities.

        least: (N,) for each crop, the face probability below which its points are not computed but
        NaN. Raises ModelError for crops of another size.
        """
        if crops.shape[1:] != (self.size, self.size):
            raise ModelError(f"expected crops of {self.size} pixels, got shape {crops.shape}")
        self.network.eval()
        parts = [Prediction.unknown(0, len(self.scheme))]
        start = 0
        while start < len(crops):
            rows = slice(start, start + batch)
            try:
                parts.append(self._batch(crops[rows], None if least is None else least[rows]))
                start += batch
            except torch.OutOfMemoryError:
                if batch == 1:
                    raise
                torch.cuda.empty_cache()
                batch = -(-batch // 2)
        return Prediction.joined(parts)

    @torch.inference_mode()
    def _batch(
        self, crops: npt.NDArray[np.uint8], least: npt.NDArray[np.float32] | None
    ) -> Prediction:
        """Predict one batch on the network's device."""
        parameter = next(self.network.parameters())
        n = len(crops)
        part = torch.from_numpy(crops[_filled(np.arange(n))]).to(parameter.device)[:, None]
        inputs = (part.float() / 255).to(parameter.dtype, memory_format=torch.channels_last)
        said = Prediction.unknown(n, len(self.scheme))
        rows = np.arange(n)
        features = self.network.encode(inputs)
        face = self.network.face_logits(features) if self.estimates_faces else None
        if face is not None:
            said.face[:] = face[:n].sigmoid().cpu().numpy()
            if least is not None and (said.face < least).any():
                rows = np.flatnonzero(said.face >= least)
                if len(rows) == 0:
                    return said
                features = _taken(features, torch.from_numpy(_filled(rows)).to(parameter.device))
        output = self.network.locate(features)
        said.points[rows] = (output.points[: len(rows)] * self.size).cpu().numpy()
        if output.log_scale is not None:
            wide = output.log_scale[: len(rows)].exp() * self.size * self.calibration
            said.scale[rows] = wide.cpu().numpy()
        if output.visible is not None and self.estimates_visibility:
            said.visible[rows] = output.visible[: len(rows)].sigmoid().cpu().numpy()
        return said


def _filled(rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Pad rows to a multiple of eight by repeating the last one.

    Kernels are compiled and cached for each new batch size.
    """
    return np.pad(rows, (0, -len(rows) % 8), mode="edge")


def _taken(features: Features, rows: torch.Tensor) -> Features:
    """The features of some of the crops, in the memory layout that suits convolutions."""
    layout = torch.channels_last
    return tuple(f[rows].to(memory_format=layout) if f.ndim == 4 else f[rows] for f in features)


def describe(model: Model) -> dict[str, Any]:
    """The header of the model's checkpoint, as plain values."""
    scheme = model.scheme
    return {
        "format": FORMAT,
        "architecture": model.architecture,
        "scheme": {
            "name": scheme.name,
            "names": scheme.names,
            "flip_order": scheme.flip_order,
            "edges": scheme.edges,
            "anchors": scheme.anchors,
            "outer_eyes": scheme.outer_eyes,
        },
        "size": model.size,
        "crop": model.crop_mode,
        "layout": [[None if np.isnan(v) else v for v in p] for p in model.framing.layout.tolist()],
        "layout_from": model.framing.measured,
        "training": model.training,
        "scores": model.scores,
        "calibration": model.calibration,
        "estimates_faces": model.estimates_faces,
        "estimates_visibility": model.estimates_visibility,
    }


def save_model(path: Path, model: Model) -> None:
    """Write the checkpoint atomically; raises FkpError if it cannot be written."""
    tensors = {
        k: v.detach().cpu().contiguous()  # safetensors refuses channels_last
        for k, v in model.network.state_dict().items()
        if not k.endswith("num_batches_tracked")
    }
    data = save(tensors, metadata={KEY: json.dumps(describe(model))})
    try:
        with replacing(path) as part:
            part.write_bytes(data)
    except OSError as error:
        raise FkpError(f"{path}: cannot be written: {(error.strerror or 'failed').lower()}") from (
            error
        )


def load_model(path: Path, device: str = "cpu", trainable: bool = False) -> Model:
    """Read a checkpoint, and check that its header and weights match.

    device: as for `pick_device`. The network is optimised for prediction (`inference.optimized`)
    unless it is to be `trainable`; only a trainable one can be saved again. Raises ModelError.
    """
    place = pick_device(device)
    if path.is_dir():
        raise ModelError(f"{path}: is a folder; expected a .safetensors checkpoint")
    if is_special(path):
        raise ModelError(f"{path}: not a regular file; expected a .safetensors checkpoint")
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            if KEY not in header:
                raise ModelError(f"{path}: a .safetensors file, but not a network of fkp")
            model = _described(header[KEY])
            names = list(file.keys())
            _check_shapes(model, {k: file.get_slice(k).get_shape() for k in names})
            network = build(model.architecture, len(model.scheme), model.size)
            _load_weights(network, {k: file.get_tensor(k) for k in names})
    except FileNotFoundError as error:
        raise ModelError(f"{path}: no such file") from error
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path}: not a .safetensors checkpoint: {error}") from error
    except UNFIT as error:
        raise ModelError(f"{path}: not a valid checkpoint: {error}") from error
    return replace(model, network=network.to(place) if trainable else optimized(network, place))


def _described(text: str) -> Model:
    """The model that a header describes, with a network without memory for its weights."""
    header = Header.parse(text)
    with torch.device("meta"):
        network = build(header.architecture, len(header.scheme), header.size)
    return Model(network, **{each.name: getattr(header, each.name) for each in fields(header)})


def _check_shapes(model: Model, shapes: dict[str, list[int]]) -> None:
    """Check names and shapes of the weights before reading them; raises ValueError."""
    wanted = {
        name: list(value.shape)
        for name, value in model.network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    if set(wanted) != set(shapes):
        raise ValueError(f"weights differ: {', '.join(sorted(set(wanted) ^ set(shapes))[:3])}")
    for name, shape in shapes.items():
        if shape != wanted[name]:
            raise ValueError(f"{name}: expected shape {wanted[name]}, got {shape}")


def _load_weights(network: nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    tensors = {k: v.float() for k, v in tensors.items()}
    if not all(bool(torch.isfinite(v).all()) for v in tensors.values()):
        raise ValueError("weights are not finite")
    network.load_state_dict(tensors, strict=False)
