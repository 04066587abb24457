"""The networks by their names."""

from collections.abc import Callable

from fkp.errors import ModelError
from fkp.learn.networks.base import Architecture
from fkp.learn.networks.integral import Integral, Large
from fkp.learn.networks.lecture import Lecture

ARCHITECTURES: dict[str, Callable[[int, int], Architecture]] = {
    "integral": Integral,
    "large": Large,
    "lecture": Lecture,
}
"""By name: (number of points, crop side) -> network."""

DEFAULT = "integral"


def build(architecture: str, points: int, size: int) -> Architecture:
    """A new network with random weights."""
    if architecture not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise ModelError(f"unknown architecture {architecture}; expected one of {known}")
    return ARCHITECTURES[architecture](points, size)
