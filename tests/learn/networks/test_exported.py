"""Networks that annotate by ONNX Runtime, without PyTorch."""

import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

import fkp
from fkp.errors import DataError, ModelError
from fkp.learn.networks import devices
from fkp.learn.networks.checkpoint import describe, load_model
from fkp.learn.networks.exported import load_onnx
from fkp.learn.networks.names import BUNDLED, BUNDLED_ONNX, WEIGHTS, find_model
from fkp.vision.onnx import CropsOnnx


def crops() -> npt.NDArray[np.uint8]:
    return np.asarray(np.load(WEIGHTS / "crops.npy"), np.uint8)


def test_the_bundled_files_hold_the_same_network() -> None:
    """After new weights: python -m fkp.bundled.onnx."""
    model = load_model(find_model(BUNDLED), trainable=True)
    exported = load_onnx(BUNDLED_ONNX)
    header = json.loads(CropsOnnx(BUNDLED_ONNX).metadata["fkp"])
    assert header == json.loads(json.dumps(describe(model)))
    wanted, found = model.predict(crops()), exported.predict(crops())
    assert np.abs(wanted.points - found.points).max() < 0.01
    np.testing.assert_allclose(found.scale, wanted.scale, rtol=1e-3)
    np.testing.assert_allclose(found.face, wanted.face, atol=1e-4)
    np.testing.assert_allclose(found.visible, wanted.visible, atol=1e-4)


def test_batches_and_copies_in_other_processes_agree() -> None:
    exported = load_onnx(BUNDLED_ONNX)
    many = np.concatenate([crops(), crops()[:3]])
    whole, single = exported.predict(many, batch=64), exported.predict(many, batch=1)
    # To the bit: shards and workers have other batches, and their results the same bytes.
    for name in ("points", "scale", "face", "visible"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(single, name))
    again = pickle.loads(pickle.dumps(exported))
    np.testing.assert_array_equal(again.predict(many).points, whole.points)
    assert len(exported.predict(many[:0]).points) == 0
    with pytest.raises(ModelError, match="expected crops of 112 pixels"):
        exported.predict(many[:, :50, :50])


def test_a_network_of_one_s_own_as_onnx(tmp_path: Path, samples: Path) -> None:
    path = tmp_path / "mine.onnx"
    shutil.copy(BUNDLED_ONNX, path)
    network = fkp.load(path)
    picture = samples / "astronaut.jpg"
    faces = network.annotate(picture)
    np.testing.assert_array_equal(faces.points, fkp.load(device="cpu").annotate(picture).points)
    assert "mine.onnx (integral)" in repr(network)
    with pytest.raises(ModelError, match="an exported network only annotates"):
        network.export(tmp_path / "again.onnx")
    with pytest.raises(DataError, match="runs on the cpu"):
        fkp.load(path, device="cuda")


def test_files_that_are_no_exported_network(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("no network")
    for path, reason in (
        (WEIGHTS / "faces.onnx", "not a keypoint network of fkp export"),
        (tmp_path / "text.onnx", "not a keypoint network of fkp export"),
        (tmp_path / "none.onnx", "cannot be read: No such file"),
    ):
        with pytest.raises(ModelError, match=reason):
            fkp.load(path)


def test_pytorch_still_has_the_bundled_network() -> None:
    network = fkp.load(device="cpu", detector=None)
    direct = network.model.predict(crops()).points
    assert (
        np.abs(network.keypoints.predict(crops(), 8, np.zeros(8, np.float32)).points - direct).max()
        < 0.5
    )
    assert isinstance(next(network.model.network.parameters()), torch.nn.Parameter)


def test_a_gpu_is_looked_for_without_pytorch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "GPU_FILES", (str(tmp_path / "nvidiactl"),))
    assert not devices.may_have_gpu()
    assert devices.on_cpu("auto")
    (tmp_path / "nvidiactl").touch()
    assert devices.may_have_gpu()
    assert not devices.on_cpu("cuda")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert not devices.may_have_gpu()


HEAVY = ("torch", "scipy", "pandas", "matplotlib", "av", "joblib")


@pytest.mark.parametrize(
    ("command", "absent"),
    [
        (["annotate", "president.jpg", "--jobs", "1"], HEAVY),
        (["video", "clip.mp4", "--max-frames", "2", "--no-overlays"], ("torch",)),
    ],
)
def test_a_run_on_a_cpu_imports_only_what_it_needs(
    tmp_path: Path, samples: Path, command: list[str], absent: tuple[str, ...]
) -> None:
    name, file, *options = command
    words = [name, str(samples / file), "--out", str(tmp_path / "out"), "--device", "cpu", *options]
    code = (
        "import sys; from fkp.cli.main import cli\n"
        f"code = cli.main({words!r}, standalone_mode=False)\n"
        f"print(code, [name for name in {absent!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1:] == ["0 []"], done.stdout + done.stderr
