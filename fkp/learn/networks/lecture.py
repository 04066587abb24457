"""The course's network."""

from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from fkp.errors import ModelError
from fkp.learn.networks.base import Architecture, Features, NetworkOutput


class Lecture(Architecture):
    """Convolutions 1-6-16-32 with ReLU and pooling, flatten, one linear layer."""

    any_size = False

    def __init__(self, points: int, size: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        side = (((size - 4) // 2 - 4) // 2 - 2) // 2
        if side < 1:
            raise ModelError(f"the lecture network needs crops of at least 30 pixels, got {size}")
        self.head = nn.Linear(32 * side * side, 2 * points)

    def encode(self, crops: Tensor) -> Features:
        return (self.features(crops * 2 - 1),)

    def locate(self, features: Features) -> NetworkOutput:
        (last,) = features
        return NetworkOutput(self.head(last.flatten(1)).float().unflatten(1, (-1, 2)))

    def encoder(self) -> Iterable[nn.Module]:
        return (self.features,)

    def point_heads(self) -> Mapping[str, int]:
        return {"head.weight": 2, "head.bias": 2}
