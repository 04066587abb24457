"""The networks themselves."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fkp.errors import ModelError
from fkp.labels.prepare import PrepareConfig, prepare
from fkp.learn.networks.architectures import ARCHITECTURES, build
from fkp.learn.networks.base import Architecture, Features, NetworkOutput
from fkp.learn.networks.checkpoint import load_model
from fkp.learn.networks.export import export
from fkp.learn.networks.inference import fold
from fkp.learn.networks.lecture import Lecture
from fkp.learn.training.config import recipe
from fkp.learn.training.run import Training, fit
from tests.helpers import write_course


def test_the_lecture_network_is_the_courses() -> None:
    network = Lecture(4, 96)
    shapes = [tuple(p.shape) for p in network.parameters() if p.ndim > 1]
    assert shapes == [(6, 1, 5, 5), (16, 6, 5, 5), (32, 16, 3, 3), (8, 32 * 9 * 9)]
    assert network(torch.rand(2, 1, 96, 96)).points.shape == (2, 4, 2)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [32, 50, 96])
def test_networks_take_any_size(architecture: str, size: int) -> None:
    network = build(architecture, 7, size).eval()
    output = network(torch.rand(2, 1, size, size))
    assert output.points.shape == (2, 7, 2)
    if architecture != "lecture":
        assert output.log_scale.shape == (2, 7)
        assert output.face.shape == (2,)
    with pytest.raises(ModelError, match="at least"):
        build(architecture, 7, 16)


def test_folding_changes_nothing() -> None:
    network = build("integral", 5, 48)
    network.train()
    for _ in range(3):  # moves the batch norms' means
        network(torch.rand(8, 1, 48, 48))
    network.eval()
    crops = torch.rand(4, 1, 48, 48)
    folded = fold(network)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded.modules())
    for before, after in zip(network(crops), folded(crops), strict=True):
        assert torch.allclose(before, after, atol=1e-4)


class Tiny(Architecture):
    """Someone else's network: one convolution, and a point for each of its channels' columns."""

    def __init__(self, points: int, size: int) -> None:
        super().__init__()
        self.look = nn.Conv2d(1, 3, 5, 4)
        self.place = nn.Linear(3, 2 * points)

    def encode(self, crops: Tensor) -> Features:
        return (self.look(crops),)

    def locate(self, features: Features) -> NetworkOutput:
        return NetworkOutput(self.place(self.pooled(features)).float().unflatten(1, (-1, 2)))

    def encoder(self) -> Iterable[nn.Module]:
        return (self.look,)

    def point_heads(self) -> Mapping[str, int]:
        return {"place.weight": 2, "place.bias": 2}


def test_a_new_architecture_is_a_class_and_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It trains, is saved and read, begins other networks, is frozen and exported."""
    monkeypatch.setitem(ARCHITECTURES, "tiny", Tiny)
    write_course(tmp_path, 24, persons=12)
    data = tmp_path / "data.csv"
    prepare(PrepareConfig((tmp_path / "labels.csv",), data, size=32), lambda done, total: None)
    config = recipe("tiny", epochs=2, batch=8, threads=1)
    first = fit(Training(data, tmp_path / "first", config))
    assert first.architecture == "tiny"
    path = tmp_path / "first" / "best.safetensors"
    crops = np.load(tmp_path / "data.npy")[:5]
    exported = export(
        load_model(path, trainable=True), tmp_path / "t.pt", "torchscript", np.asarray(crops)
    )
    assert exported.outputs == ("points",)
    frozen = replace(config, init=str(path), freeze=True)
    second = fit(Training(data, tmp_path / "second", frozen))
    weights = (model.network.state_dict() for model in (first, second))
    before, after = ({k: v for k, v in part.items() if k.startswith("look")} for part in weights)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not torch.equal(
        first.network.state_dict()["place.weight"], second.network.state_dict()["place.weight"]
    )
