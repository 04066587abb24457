"""Networks for other runtimes: ONNX, TorchScript, OpenVINO; checked against the original."""

import io
import json
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from fkp.errors import DataError, ModelError
from fkp.files import replacing
from fkp.learn.networks.checkpoint import Model, describe
from fkp.learn.networks.header import KEY
from fkp.learn.networks.inference import fold
from fkp.vision.onnx import CropsOnnx

EXPORT_FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "openvino": ".xml"}
"""File suffixes by the names of the formats."""


class _ExportedNetwork(nn.Module):
    """From crops (N, 1, S, S) uint8 to points (N, K, 2) in crop pixels and the network's estimates.

    scale: (N, K) crop pixels, of the distances from the true positions (times 3.8897: the 90 %
    radius); face: (N,) the probability of a face; visible: (N, K) that a point is visible.
    """

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = fold(model.network).float().cpu()
        self.size, self.wide = model.size, model.size * model.calibration
        self.names = ["points"]
        with torch.no_grad():
            output = self.network(torch.zeros(1, 1, model.size, model.size))
        if output.log_scale is not None:
            self.names.append("scale")
        if output.face is not None and model.estimates_faces:
            self.names.append("face")
        if output.visible is not None and model.estimates_visibility:
            self.names.append("visible")

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        output = self.network(crops.float() / 255)
        values = [output.points * self.size]
        if "scale" in self.names:
            values.append(output.log_scale.exp() * self.wide)
        if "face" in self.names:
            values.append(output.face.sigmoid())
        if "visible" in self.names:
            values.append(output.visible.sigmoid())
        return tuple(values)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    difference: the largest distance of a point from the original network's, over `crops` crops, in
    crop pixels.
    """

    path: Path
    outputs: tuple[str, ...]
    crops: int
    difference: float


def export(model: Model, path: Path, format_: str, crops: npt.NDArray[np.uint8]) -> Exported:
    """Write a model (loaded as trainable) in one of EXPORT_FORMATS, and compare on crops (N, S, S).

    The file's metadata holds what `fkp info` shows: the points, how crops are framed, the scores.
    Raises DataError if a package is missing, ModelError if the points differ.
    """
    network = _ExportedNetwork(model)
    meta = json.dumps(describe(model))
    path.parent.mkdir(parents=True, exist_ok=True)
    values = {"onnx": _onnx, "torchscript": _torchscript, "openvino": _openvino}[format_](
        network, path, meta, crops
    )
    with torch.inference_mode():
        wanted = network(torch.from_numpy(crops)[:, None])[0].numpy()
    difference = float(np.abs(values - wanted).max())
    if not difference < 0.05:
        path.unlink(missing_ok=True)
        raise ModelError(
            f"{path}: removed, as the exported network differs from the original by "
            f"{difference:.3g} px"
        )
    return Exported(path, tuple(network.names), len(crops), difference)


def _replace(path: Path, data: bytes) -> None:
    with replacing(path) as part:
        part.write_bytes(data)


def _onnx(
    network: _ExportedNetwork, path: Path, meta: str, crops: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Write ONNX; return the points it finds."""
    try:
        import onnx
    except ImportError as error:
        raise DataError("ONNX needs a package: pip install 'fkp[onnx]'") from error
    with replacing(path) as part, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter is deprecated in favour of a slower one
        torch.onnx.export(
            network,
            (torch.from_numpy(crops[:1])[:, None],),
            str(part),
            input_names=["crops"],
            output_names=network.names,
            dynamic_axes={name: {0: "faces"} for name in ("crops", *network.names)},
            opset_version=17,
            dynamo=False,
        )
        graph = onnx.load(str(part))
        onnx.helper.set_model_props(graph, {KEY: meta})
        onnx.save(graph, str(part))
    return CropsOnnx(path).run(crops)["points"]


def _torchscript(
    network: _ExportedNetwork, path: Path, meta: str, crops: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Write TorchScript; return the points it finds."""
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # warnings about values that are constant for all crops
        traced = torch.jit.trace(network, torch.from_numpy(crops[:1])[:, None])  # type: ignore[no-untyped-call]
        written = io.BytesIO()
        torch.jit.save(traced, written, _extra_files={f"{KEY}.json": meta})
        _replace(path, written.getvalue())
        again = torch.jit.load(str(path))  # type: ignore[no-untyped-call]
        return np.asarray(again(torch.from_numpy(crops)[:, None])[0].numpy())


def _openvino(
    network: _ExportedNetwork, path: Path, meta: str, crops: npt.NDArray[np.uint8]
) -> npt.NDArray[np.float32]:
    """Write OpenVINO's .xml and .bin, converted from ONNX; return the points it finds."""
    try:
        import openvino
    except ImportError as error:
        raise DataError("OpenVINO needs a package: pip install openvino") from error
    with tempfile.TemporaryDirectory() as folder:
        between = Path(folder, "network.onnx")
        _onnx(network, between, meta, crops)
        converted = openvino.convert_model(str(between))
        converted.set_rt_info(meta, [KEY])
        written = Path(folder, "network.xml")
        openvino.save_model(converted, str(written), compress_to_fp16=False)
        for suffix in (".bin", ".xml"):
            _replace(path.with_suffix(suffix), written.with_suffix(suffix).read_bytes())
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled(crops[:, None])["points"], np.float32)
