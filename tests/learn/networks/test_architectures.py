"""The networks themselves."""

import pytest
import torch

from fkp.errors import ModelError
from fkp.learn.networks.architectures import ARCHITECTURES, Lecture, build
from fkp.learn.networks.inference import fold


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
