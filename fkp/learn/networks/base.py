"""The base class of all architectures: from gray crops to points and estimates about them."""

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from torch import Tensor, nn

Features = tuple[Tensor, ...]
"""Feature maps of B crops, the coarsest last."""


class NetworkOutput(NamedTuple):
    """points: (B, K, 2) as fractions of the crop side.

    log_scale: (B, K) logarithm of the scale of each point's error, fractions of the side; face:
    (B,) logit of the crop being a face; visible: (B, K) logit of each point being visible, neither
    covered nor hidden by the face itself. None if the network does not estimate it.
    """

    points: Tensor
    log_scale: Tensor | None = None
    face: Tensor | None = None
    visible: Tensor | None = None


class Architecture(nn.Module):
    """A network from gray crops (B, 1, S, S) in 0..1 to points.

    A new architecture is a subclass in a module of its own, with an entry in `ARCHITECTURES`. Its
    constructor takes the number of points and the side of the crops, and raises ModelError for a
    side that is too small.
    """

    bf16 = False
    """Whether points stay accurate when the network runs in bf16."""

    any_size = True
    """Whether weights learnt on crops of one size fit crops of another."""

    @abstractmethod
    def encode(self, crops: Tensor) -> Features:
        """The features of crops, from which points and all estimates are computed."""

    @abstractmethod
    def locate(self, features: Features) -> NetworkOutput:
        """The points, without a face logit."""

    @abstractmethod
    def encoder(self) -> Iterable[nn.Module]:
        """The modules of `encode`, whose weights `freeze` fixes."""

    @abstractmethod
    def point_heads(self) -> Mapping[str, int]:
        """Names of the weights that have rows for each point, and how many rows a point has."""

    @property
    def face_head(self) -> nn.Module | None:
        """The layers from `pooled` features (B, C) to a face logit (B, 1), if there are any."""
        return None

    def pooled(self, features: Features) -> Tensor:
        """The input of the face head, (B, C)."""
        return features[-1].mean((2, 3))

    def face_logits(self, features: Features) -> Tensor | None:
        """Logits (B,) of the crops being faces."""
        if self.face_head is None:
            return None
        logits: Tensor = self.face_head(self.pooled(features))
        return logits.float()[:, 0]

    def forward(self, crops: Tensor) -> NetworkOutput:
        features = self.encode(crops)
        return self.locate(features)._replace(face=self.face_logits(features))
