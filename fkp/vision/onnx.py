"""Networks in ONNX files, run by ONNX Runtime on one thread of the CPU."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as states

from fkp.errors import ModelError
from fkp.files import is_special
from fkp.vision.onnx_parts import external_files

REFUSALS: tuple[type[Exception], ...] = (
    ValueError,
    IndexError,
    *(k for k in vars(states).values() if isinstance(k, type) and issubclass(k, Exception)),
)
"""Also all that ONNX Runtime raises; its kinds have no base of their own."""


def open_session(model: Path) -> onnxruntime.InferenceSession:
    """The network in a file. Raises ModelError if it cannot be read or keeps weights elsewhere, and
    one of REFUSALS if it is not a network.
    """
    if is_special(model):
        raise ModelError(f"{model}: not a regular file")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        data = model.read_bytes()
    except OSError as error:
        raise ModelError(f"{model}: cannot be read: {error.strerror}") from error
    parts = external_files(data)
    if parts:
        raise ModelError(
            f"{model}: keeps its weights in {parts[0]}; expected one file that holds all"
        )
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


class CropsOnnx:
    """A keypoint network that fkp exported: gray crops (N, S, S) uint8 in, its outputs out.

    size: S. metadata: of the file.
    """

    def __init__(self, model: Path) -> None:
        """Raises ModelError for a file that is not such a network; see `fkp.vision.trial` for one
        that cannot be trusted.
        """
        self.model = model
        try:
            self.session = open_session(model)
            (self.entry,) = self.session.get_inputs()
            _, planes, height, self.size = self.entry.shape
            if (planes, height) != (1, self.size) or not isinstance(self.size, int):
                raise ValueError("the crops have another shape")
        except REFUSALS as error:
            raise ModelError(f"{model}: not a keypoint network of fkp export (.onnx)") from error
        self.names = [output.name for output in self.session.get_outputs()]
        self.metadata: dict[str, str] = dict(self.session.get_modelmeta().custom_metadata_map)

    def run(self, crops: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[np.float32]]:
        """The outputs by name, for crops (N, S, S); raises ModelError where the network fails."""
        try:
            values = self.session.run(self.names, {self.entry.name: crops[:, None]})
        except REFUSALS as error:
            raise ModelError(
                f"{self.model}: not a keypoint network of fkp export: it fails on crops of "
                f"{self.size} pixels"
            ) from error
        return {n: np.asarray(v, np.float32) for n, v in zip(self.names, values, strict=True)}
