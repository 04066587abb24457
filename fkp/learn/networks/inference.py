"""Optimising a trained network for prediction."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fkp.learn.networks.base import Architecture
from fkp.learn.networks.devices import pick_precision


def fold(network: Architecture) -> Architecture:
    """A copy whose batch norms are folded into the convolutions before them."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            first, second = module[i], module[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return network


def optimized(network: Architecture, device: torch.device) -> Architecture:
    """A copy for predicting on a device: folded, and in bf16 if CPU and architecture allow it.

    A network that ends in heat maps allows it: their means are taken in float32, which averages the
    rounding out. A coordinate from a linear layer would be rounded to a fifth of a pixel.
    """
    network = fold(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if network.bf16 and device.type == "cpu":
        network = network.to(pick_precision("auto", device))
    return network
