"""Densely connected networks (Huang et al. 2017, arXiv 1608.06993)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.models.classifier import convolution, widened

BLOCKS = (6, 12, 24, 16)


def densenet121(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return DenseNet-121 with the usual stem for CIFAR: a 3x3 convolution of stride 1, no pooling.

    The growth rate is 32 times ``width``. It has bottlenecks, transitions that halve the channels,
    and no dropout. For 3 channels and 10 classes it has 6,956,298 parameters including the head, as
    in kuangliu/pytorch-cifar.
    """
    growth = widened(32, width)
    inputs = 2 * growth
    layers: list[nn.Module] = [convolution(channels, inputs)]
    for number, count in enumerate(BLOCKS):
        if number > 0:
            layers.append(Transition(inputs, inputs // 2))
            inputs //= 2
        for _ in range(count):
            layers.append(DenseLayer(inputs, growth))
            inputs += growth
    layers += [nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten()), inputs


class DenseLayer(nn.Module):
    """Append ``growth`` channels, computed from all channels of the input, to the input."""

    def __init__(self, inputs: int, growth: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = convolution(inputs, 4 * growth, size=1)
        self.bn2 = nn.BatchNorm2d(4 * growth)
        self.conv2 = convolution(4 * growth, growth)

    def forward(self, images: Tensor) -> Tensor:
        inner = self.conv1(F.relu(self.bn1(images)))
        return torch.cat([self.conv2(F.relu(self.bn2(inner))), images], 1)


class Transition(nn.Module):
    """Apply a 1x1 convolution and average every 2x2 pixels."""

    def __init__(self, inputs: int, outputs: int):
        super().__init__()
        self.bn = nn.BatchNorm2d(inputs)
        self.conv = convolution(inputs, outputs, size=1)

    def forward(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(self.conv(F.relu(self.bn(images))), 2)
