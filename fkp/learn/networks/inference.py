"""Making a trained network fast, for prediction alone."""

import copy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from fkp.learn.networks.architectures import Integral
from fkp.learn.networks.devices import pick_precision


def fold(network: nn.Module) -> nn.Module:
    """A copy in which each batch norm is part of the convolution before it."""
    network = copy.deepcopy(network).eval()
    for module in network.modules():
        if not isinstance(module, nn.Sequential):
            continue
        for i in range(len(module) - 1):
            first, second = module[i], module[i + 1]
            if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                module[i], module[i + 1] = fuse_conv_bn_eval(first, second), nn.Identity()
    return network


def optimized(network: nn.Module, device: torch.device) -> nn.Module:
    """A copy for predicting on a device: folded, and in bf16 where a CPU has instructions for it.

    Only a network that ends in heat maps is put into bf16: the mean of a map is taken in float32,
    and rounding in its weights averages out. A coordinate that comes out of a linear layer would
    be rounded to a fifth of a pixel.
    """
    network = fold(network).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    if isinstance(network, Integral) and device.type == "cpu":
        network = network.to(pick_precision("auto", device))
    return network
