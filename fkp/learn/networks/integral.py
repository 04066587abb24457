"""The default network: heat maps whose means are the points."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv2d_input, conv2d_weight

from fkp.errors import ModelError
from fkp.learn.networks.base import Architecture, Features, NetworkOutput


class Residual(nn.Module):
    """Two 3x3 convolutions with batch norm and a shortcut (He et al., CVPR 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs),
        )  # fmt: skip
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.body(x) + self.shortcut(x))


def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """Residual blocks; the first halves the size."""
    blocks = [Residual(inputs, outputs, 2), *(Residual(outputs, outputs) for _ in range(depth - 1))]
    return nn.Sequential(*blocks)


class _DepthwiseFunction(torch.autograd.Function):
    """A depthwise 5x5 convolution that computes the gradient of its weights in float32.

    On CPUs this takes 18 instead of 46 ms per batch, a seventh of a training step.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return functional.conv2d(x, weight, padding=2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        (gradient,) = gradients
        x, weight = ctx.saved_tensors
        groups = len(weight)
        kernel = weight.to(gradient.dtype)
        by_input: Tensor = conv2d_input(  # type: ignore[no-untyped-call]
            x.shape, kernel, gradient, padding=2, groups=groups
        )
        by_weight: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            x.float(), weight.shape, gradient.float(), padding=2, groups=groups
        )
        return by_input.to(x.dtype), by_weight.to(weight.dtype)


class Depthwise(nn.Conv2d):
    """A 5x5 convolution of each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 5, padding=2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        plain = torch.compiler.is_compiling() or self.bias is not None  # folding adds a bias
        if plain or x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        output: Tensor = _DepthwiseFunction.apply(x, self.weight)  # type: ignore[no-untyped-call]
        return output


class Integral(Architecture):
    """A small residual encoder, a top-down path to a quarter of the size, a heat map per point.

    A point is the mean of its map's softmax (integral regression, Sun et al., ECCV 2018), so it has
    sub-pixel precision. The maps reach a tenth of the side beyond each border, for points outside
    the crop. A point's error and visibility are estimated from the spread of its map, the features
    where the map is high and the encoder's mean features; whether the crop is a face, from the mean
    features alone.
    """

    bf16 = True  # means of maps are taken in float32, which averages the rounding out
    REACH = 1.2
    WIDTHS: tuple[int, int, int, int] = (16, 32, 64, 144)
    NECK = 64
    DEPTHS = (1, 2, 2)

    def __init__(self, points: int, size: int) -> None:
        super().__init__()
        if size < 32:
            raise ModelError(f"this network needs crops of at least 32 pixels, got {size}")
        w1, w2, w3, w4 = self.WIDTHS
        neck = self.NECK
        self.stem = nn.Sequential(
            nn.Conv2d(1, w1, 3, 2, 1, bias=False), nn.BatchNorm2d(w1), nn.ReLU(inplace=True)
        )
        depths = self.DEPTHS
        self.stage1: nn.Module = Residual(w1, w2, 2)
        if depths[0] > 1:
            self.stage1 = _stage(w1, w2, depths[0])
        self.stage2 = _stage(w2, w3, depths[1])
        self.stage3 = _stage(w3, w4, depths[2])
        self.down = nn.ModuleList(nn.Conv2d(w, neck, 1) for w in (w2, w3, w4))
        # Depthwise: a dense kernel of this width would take a quarter of the network's time.
        self.smooth = nn.Sequential(
            Depthwise(neck), nn.BatchNorm2d(neck),
            nn.Conv2d(neck, neck, 1, bias=False), nn.BatchNorm2d(neck), nn.ReLU(inplace=True),
        )  # fmt: skip
        self.maps = nn.Conv2d(neck, points, 1)
        self.doubt = nn.Linear(w4, points)
        self.doubt_near = nn.Linear(neck, points, bias=False)
        self.visible = nn.Linear(w4, points)
        self.visible_near = nn.Linear(neck, points, bias=False)
        self.face = nn.Sequential(nn.Linear(w4, 64), nn.ReLU(inplace=True), nn.Linear(64, 1))
        for unsure in (self.doubt, self.doubt_near, self.visible, self.visible_near):
            nn.init.zeros_(unsure.weight)
        nn.init.constant_(self.doubt.bias, -1.0)
        nn.init.constant_(self.visible.bias, 2.0)

    def encode(self, crops: Tensor) -> Features:
        """Features (B, w2, S/4, S/4), (B, w3, S/8, S/8) and (B, w4, S/16, S/16)."""
        a = self.stage1(self.stem(crops))
        b = self.stage2(a)
        return a, b, self.stage3(b)

    def locate(self, features: Features) -> NetworkOutput:
        a, b, c = features
        top: Tensor = self.down[2](c)
        top = functional.interpolate(top, size=b.shape[-2:], mode="nearest") + self.down[1](b)
        top = functional.interpolate(top, size=a.shape[-2:], mode="nearest") + self.down[0](a)
        fine = self.smooth(top)
        maps = self.maps(fine).float()  # (B, K, S/4, S/4)
        side = maps.shape[-1]
        flat = maps.flatten(2).softmax(-1)
        weights = flat.unflatten(2, (side, side))
        grid = (torch.arange(side, device=maps.device) + 0.5) / side
        grid = 0.5 + (grid - 0.5) * self.REACH
        along = torch.stack([weights.sum(2), weights.sum(3)], dim=2)  # (B, K, 2, S/4)
        # Sums of products, as autocast would round matrix products to 8 bits.
        points = (along * grid).sum(-1)
        variance = ((along.detach() * grid.square()).sum(-1) - points.detach().square()).sum(-1)
        # detached: learning to estimate errors must not change the points
        mean = c.mean((2, 3))
        near = (flat.detach().to(fine.dtype) @ fine.flatten(2).transpose(1, 2)).float()
        doubt = self.doubt(mean.detach()).float() + _each(near.detach(), self.doubt_near)
        visible = self.visible(mean).float() + _each(near, self.visible_near)
        log_scale = doubt + 0.5 * variance.clamp(min=1e-6).log()
        return NetworkOutput(points, log_scale, visible=visible)

    def encoder(self) -> Iterable[nn.Module]:
        return self.stem, self.stage1, self.stage2, self.stage3

    def point_heads(self) -> Mapping[str, int]:
        heads = ("maps", "doubt", "doubt_near", "visible", "visible_near")
        return {name: 1 for name, _ in self.named_parameters() if name.split(".")[0] in heads}

    @property
    def face_head(self) -> nn.Module:
        return self.face


def _each(near: Tensor, rows: nn.Linear) -> Tensor:
    """(B, K): the features (B, K, C) at each point times the weights of that point."""
    return (near * rows.weight.float()).sum(-1)


class Large(Integral):
    """The same with about eight times the multiply-adds, for GPUs and many labels."""

    WIDTHS = (32, 64, 128, 320)
    NECK = 128
    DEPTHS = (2, 3, 4)
