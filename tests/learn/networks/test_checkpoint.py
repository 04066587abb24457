"""Checkpoints: what is in them, what is refused, and what their networks say."""

import json
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file, save_file

from fkp.errors import ModelError
from fkp.keypoints import FKP4, Prediction, Scheme
from fkp.learn.networks.architectures import ARCHITECTURES, build
from fkp.learn.networks.checkpoint import Model, find_model, load_model, save_model
from fkp.learn.networks.framing import Framing
from fkp.vision.crop import UPRIGHT_LAYOUT


def model(architecture: str = "integral", scheme: Scheme = FKP4, size: int = 32) -> Model:
    torch.manual_seed(0)
    network = build(architecture, len(scheme), size).eval()
    return Model(network, architecture, scheme, size, "face", Framing(UPRIGHT_LAYOUT, "labels"))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_checkpoint_says_what_it_is(tmp_path: Path, architecture: str) -> None:
    own = Scheme.from_names(["left_eye", "right_eye", "chin"])
    saved = model(architecture, own)
    save_model(tmp_path / "m.safetensors", saved)
    loaded = load_model(tmp_path / "m.safetensors")
    assert loaded.scheme == own
    assert (loaded.size, loaded.crop_mode, loaded.architecture) == (32, "face", architecture)
    assert np.array_equal(loaded.layout, UPRIGHT_LAYOUT)
    crops = np.random.default_rng(0).integers(0, 255, (5, 32, 32), np.uint8)
    # What was loaded may calculate in bf16.
    assert np.allclose(loaded.predict(crops).points, saved.predict(crops).points, atol=0.02)
    whole = load_model(tmp_path / "m.safetensors", trainable=True)
    assert np.allclose(whole.predict(crops).points, saved.predict(crops).points, atol=1e-4)
    assert np.isnan(loaded.predict(crops).face).all()
    assert loaded.predict(crops[:0]).points.shape == (0, 3, 2)
    # Batches do not change the points.
    assert np.allclose(
        loaded.predict(crops, batch=2).points, loaded.predict(crops).points, atol=0.02
    )
    with pytest.raises(ModelError, match="expected crops of 32 pixels"):
        loaded.predict(crops[:, :16, :16])


def test_a_foreign_or_broken_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with pytest.raises(ModelError, match="no such file"):
        load_model(path)
    path.write_bytes(b"junk")
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(ModelError, match="not a network of fkp"):
        load_model(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 99}, "format 99"),
        ({"size": 10**9}, "not plausible"),
        ({"architecture": "evil"}, "unknown architecture"),
        ({"scheme": {"name": "x"}}, "not a valid checkpoint"),
        ({"layout": [[None, None]] * 5}, "not a valid checkpoint"),
        ({"layout": "x"}, "not a valid checkpoint"),
        ({"calibration": -1}, "calibration of -1"),
        ({"size": 64, "architecture": "lecture"}, "weights differ"),
    ],
)
def test_a_header_that_lies_is_refused(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model())
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    meta = json.loads(json.loads(raw[8 : 8 + length])["__metadata__"]["fkp"])
    save_file(load_file(path), path, metadata={"fkp": json.dumps({**meta, **change})})
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_files_from_strangers_are_refused_before_they_take_memory(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_model(path, model("lecture"))
    good = path.read_bytes()
    length = int.from_bytes(good[:8], "little")
    header = json.loads(good[8 : 8 + length])

    def write(changed: dict[str, object], body: bytes) -> None:
        text = json.dumps(changed).encode()
        path.write_bytes(len(text).to_bytes(8, "little") + text + body)

    for cut in (0, 7, 8, 100, len(good) // 2, len(good) - 1):
        path.write_bytes(good[:cut])
        with pytest.raises(ModelError, match=r"not a \.safetensors"):
            load_model(path)
    path.write_bytes(pickle.dumps({"network": [1, 2, 3]}))
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    path.write_bytes((1 << 40).to_bytes(8, "little") + b"{}")
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    # Ten gigabytes in the header, and not in the file.
    claim = {"dtype": "F32", "shape": [50_000, 50_000], "data_offsets": [0, 10_000_000_000]}
    write({**header, "head.weight": claim}, good[8 + length :])
    with pytest.raises(ModelError, match=r"not a \.safetensors"):
        load_model(path)
    # And in a file with a hole in it, which takes no room: the shapes tell.
    write({"__metadata__": header["__metadata__"], "head.weight": claim}, b"")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size + 10_000_000_000)
    tracemalloc.start()
    with pytest.raises(ModelError, match="weights differ"):
        load_model(path)
    names = [name for name in header if name != "__metadata__"]
    ends = [4 * i for i in range(len(names) + 1)]
    tiny = {
        name: {"dtype": "F32", "shape": [1], "data_offsets": [a, b]}
        for name, a, b in zip(names, ends, ends[1:], strict=False)
    }
    write({"__metadata__": header["__metadata__"], **tiny}, b"\0" * ends[-1])
    with pytest.raises(ModelError, match="expected shape"):
        load_model(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    deep = {**header["__metadata__"], "fkp": "[" * 100_000}
    write({**header, "__metadata__": deep}, good[8 + length :])
    with pytest.raises(ModelError, match="not a valid checkpoint"):
        load_model(path)
    with pytest.raises(ModelError, match="is a folder"):
        load_model(tmp_path)
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(ModelError, match="not a regular file"):
        load_model(tmp_path / "pipe.safetensors")


def test_a_batch_that_does_not_fit_is_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    model = load_model(find_model("bundled"))
    crops = np.random.default_rng(0).integers(0, 256, (11, 112, 112)).astype(np.uint8)
    expected = model.predict(crops, batch=8)
    whole, sizes = Model._batch, []

    def small_only(
        self: Model, crops: npt.NDArray[np.uint8], least: npt.NDArray[np.float32] | None
    ) -> Prediction:
        sizes.append(len(crops))
        if len(crops) > 2:
            raise torch.OutOfMemoryError
        return whole(self, crops, least)

    monkeypatch.setattr(Model, "_batch", small_only)
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    halved = model.predict(crops, batch=8)
    assert sizes == [8, 4, 2, 2, 2, 2, 2, 1]
    assert np.abs(halved.points - expected.points).max() < 0.5


def test_no_points_are_looked_for_where_there_is_no_face() -> None:
    model = load_model(find_model("bundled"))
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (5, 112, 112)).astype(np.uint8)
    every = model.predict(crops)
    least = np.array([0, 2, 0, 2, 2], np.float32)
    some = model.predict(crops, least=least)
    assert np.allclose(some.face, every.face, atol=1e-3)
    assert np.isnan(some.points).all((1, 2)).tolist() == [False, True, False, True, True]
    assert np.isnan(some.scale).all(1).tolist() == [False, True, False, True, True]
    assert np.allclose(some.points[[0, 2]], every.points[[0, 2]], atol=0.5)
    assert np.isnan(model.predict(crops, least=np.full(5, 2, np.float32)).points).all()
