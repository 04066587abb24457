"""The layers of a network: output sizes, parameters, multiply-adds."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer. output: its shape, without the batch; formula: its side from the input's."""

    name: str
    kind: str
    output: tuple[int, ...]
    parameters: int
    multiply_adds: int
    formula: str


def layers(network: nn.Module, size: int) -> list[Layer]:
    """The layers with parameters and the pooling layers, in the order in which a crop of `size`
    pixels passes them.
    """
    found: list[Layer] = []
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, (nn.Conv2d, nn.Linear, nn.MaxPool2d, nn.BatchNorm2d)):

            def note(
                layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor, name: str = name
            ) -> None:
                found.append(_layer(name, layer, inputs[0], output))

            hooks.append(module.register_forward_hook(note))
    network.eval()
    parameter = next(network.parameters())
    try:
        with torch.inference_mode():
            network(torch.zeros(1, 1, size, size, dtype=parameter.dtype, device=parameter.device))
    finally:
        for hook in hooks:
            hook.remove()
    return found


def _layer(name: str, layer: nn.Module, x: Tensor, y: Tensor) -> Layer:
    parameters = sum(p.numel() for p in layer.parameters())
    shape = tuple(y.shape[1:])
    if isinstance(layer, nn.Conv2d):
        kernel, stride, padding = layer.kernel_size[0], layer.stride[0], int(layer.padding[0])
        each = layer.weight[0].numel()
        kind = f"conv {kernel}x{kernel}" + (" depthwise" if layer.groups > 1 else "")
        return Layer(
            name, kind, shape, parameters, each * y[0].numel(), _side(x, kernel, stride, padding, y)
        )
    if isinstance(layer, nn.MaxPool2d):
        kernel, stride, padding = (
            _first(v) for v in (layer.kernel_size, layer.stride, layer.padding)
        )
        return Layer(name, f"max pool {kernel}x{kernel}", shape, 0, 0,
                     _side(x, kernel, stride, padding, y))  # fmt: skip
    if isinstance(layer, nn.Linear):
        return Layer(name, "linear", shape, parameters, layer.weight.numel(), "")
    return Layer(name, "batch norm", shape, parameters, y[0].numel(), "")


def _first(value: Any) -> int:
    return int(value[0] if isinstance(value, tuple) else value)


def _side(x: Tensor, kernel: int, stride: int, padding: int, y: Tensor) -> str:
    """(N + 2P - F) / S + 1 with this layer's numbers, rounded down."""
    return f"({x.shape[-1]} + 2*{padding} - {kernel}) / {stride} + 1 = {y.shape[-1]}"
