"""Networks as files for other programs."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from fkp.errors import ModelError
from fkp.learn.networks.checkpoint import find_model, load_model
from fkp.learn.networks.export import export
from fkp.vision.onnx import CropsOnnx


@pytest.mark.parametrize("format", ["onnx", "torchscript", "openvino"])
def test_an_exported_network_gives_the_same_points(tmp_path: Path, format: str) -> None:
    if format != "torchscript":
        pytest.importorskip(format)
    model = load_model(find_model("bundled"), trainable=True)
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    path = tmp_path / {"onnx": "m.onnx", "torchscript": "m.pt", "openvino": "m.xml"}[format]
    done = export(model, path, format, crops)
    assert done.difference < 0.01
    assert done.outputs == ("points", "scale", "face", "visible")
    assert {p.suffix for p in tmp_path.iterdir()} <= {path.suffix, ".bin"}
    if format == "onnx":
        exported = CropsOnnx(path)
        found = exported.run(crops)
        said = model.predict(crops)
        assert np.abs(found["points"] - said.points).max() < 0.01
        assert np.allclose(found["scale"], said.scale, rtol=1e-3)
        assert np.allclose(found["face"], said.face, atol=1e-4)
        meta = json.loads(exported.metadata["fkp"])
        assert meta["size"] == 112
        assert np.allclose(meta["layout"], model.layout)


def test_an_export_that_differs_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = load_model(find_model("bundled"), trainable=True)
    crops = np.load(find_model("bundled").with_name("crops.npy"))
    monkeypatch.setattr(torch.jit, "load", lambda path: lambda x: (torch.zeros(len(x), 68, 2),))
    with pytest.raises(ModelError, match="differs from the original by"):
        export(model, tmp_path / "m.pt", "torchscript", crops)
    assert not (tmp_path / "m.pt").exists()
