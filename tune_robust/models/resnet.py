"""Residual networks for small images (He et al. 2016, arXiv 1512.03385).

The modules have the names of torchvision's, so that its ImageNet weights can be loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.models.classifier import convolution, widened

Stem = Literal["cifar", "imagenet"]
"""``cifar``: a 3x3 convolution of stride 1. ``imagenet``: 7x7 of stride 2, then max pooling."""


def resnet18(channels: int, width: float, stem: Stem = "cifar") -> tuple[nn.Module, int]:
    """Return ResNet-18: 64 to 512 channels times ``width``, with projection shortcuts (option B).

    With the CIFAR stem, 3 channels and 10 classes, it has 11,173,962 parameters including the head.
    """
    return _imagenet_resnet(channels, width, (2, 2, 2, 2), stem)


def resnet34(channels: int, width: float, stem: Stem = "cifar") -> tuple[nn.Module, int]:
    """Return ResNet-34: the stages of ResNet-18 with 3, 4, 6 and 3 blocks.

    With the CIFAR stem, 3 channels and 10 classes, it has 21,282,122 parameters including the head.
    """
    return _imagenet_resnet(channels, width, (3, 4, 6, 3), stem)


def resnet20(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return ResNet-20 for CIFAR (sec. 4.2): 269,722 parameters (0.27 million in the paper)."""
    return _cifar_resnet(channels, width, blocks=3)


def resnet32(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return ResNet-32 for CIFAR (sec. 4.2): 464,154 parameters (0.46 million in the paper)."""
    return _cifar_resnet(channels, width, blocks=5)


def resnet56(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return ResNet-56 for CIFAR (sec. 4.2): 853,018 parameters (0.85 million in the paper)."""
    return _cifar_resnet(channels, width, blocks=9)


def _imagenet_resnet(
    channels: int, width: float, blocks: Sequence[int], stem: Stem
) -> tuple[nn.Module, int]:
    stages = [widened(c, width) for c in (64, 128, 256, 512)]
    return _resnet(channels, stages, blocks, Projection, stem)


def _cifar_resnet(channels: int, width: float, blocks: int) -> tuple[nn.Module, int]:
    """Return 16, 32 and 64 channels times ``width``; shortcuts have no parameters (option A)."""
    stages = [widened(c, width) for c in (16, 32, 64)]
    return _resnet(channels, stages, [blocks] * 3, Padding, "cifar")


class Projection(nn.Sequential):
    """Shortcut of option B: a 1x1 convolution with the stride of the block, then normalisation."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__(
            convolution(inputs, outputs, stride=stride, size=1), nn.BatchNorm2d(outputs)
        )


class Padding(nn.Module):
    """Shortcut of option A: every stride-th pixel, with zeros in the additional channels."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.stride, self.added = stride, outputs - inputs

    def forward(self, images: Tensor) -> Tensor:
        images = images[:, :, :: self.stride, :: self.stride]
        return F.pad(images, (0, 0, 0, 0, self.added // 2, self.added - self.added // 2))


class BasicBlock(nn.Module):
    """Add a shortcut to the output of two 3x3 convolutions."""

    def __init__(self, inputs: int, outputs: int, stride: int, shortcut: type[nn.Module]):
        super().__init__()
        self.conv1 = convolution(inputs, outputs, stride=stride)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = convolution(outputs, outputs)
        self.bn2 = nn.BatchNorm2d(outputs)
        same = inputs == outputs and stride == 1
        self.downsample = nn.Identity() if same else shortcut(inputs, outputs, stride)

    def forward(self, images: Tensor) -> Tensor:
        # In place wherever a tensor is new: the same result bit for bit, and 10 % faster on a CPU.
        inner = F.relu(self.bn1(self.conv1(images)), inplace=True)
        outer = self.bn2(self.conv2(inner)).add_(self.downsample(images))
        return F.relu(outer, inplace=True)


def _resnet(
    channels: int,
    stages: Sequence[int],
    blocks: Sequence[int],
    shortcut: type[nn.Module],
    stem: Stem,
) -> tuple[nn.Module, int]:
    """Return stem, stages of ``blocks`` blocks (all but the first halve the image) and pooling."""
    features = nn.Sequential()
    imagenet = stem == "imagenet"
    size, stride = (7, 2) if imagenet else (3, 1)
    features.add_module("conv1", convolution(channels, stages[0], size=size, stride=stride))
    features.add_module("bn1", nn.BatchNorm2d(stages[0]))
    features.add_module("relu", nn.ReLU(inplace=True))
    if imagenet:
        features.add_module("maxpool", nn.MaxPool2d(3, stride=2, padding=1))
    inputs = stages[0]
    for number, (outputs, count) in enumerate(zip(stages, blocks, strict=True)):
        strides = [1 if number == 0 else 2, *[1] * (count - 1)]
        stage = [
            BasicBlock(inputs if block == 0 else outputs, outputs, stride, shortcut)
            for block, stride in enumerate(strides)
        ]
        features.add_module(f"layer{number + 1}", nn.Sequential(*stage))
        inputs = outputs
    features.add_module("avgpool", nn.AdaptiveAvgPool2d(1))
    features.add_module("flatten", nn.Flatten())
    return features, inputs
