"""Running exported keypoint networks with ONNX Runtime."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime


def run_onnx(path: Path, crops: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
    """The outputs by name for gray crops (N, S, S)."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    values = session.run(None, {session.get_inputs()[0].name: crops[:, None]})
    names = [output.name for output in session.get_outputs()]
    return {name: np.asarray(v, np.float32) for name, v in zip(names, values, strict=True)}


def onnx_metadata(path: Path) -> dict[str, str]:
    """The metadata in the file."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)
