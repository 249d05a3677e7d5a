"""A small convolutional network for small images, which trains in seconds on one CPU core."""

from __future__ import annotations

from torch import nn

from tune_robust.models.classifier import convolution, widened


def small_cnn(channels: int, width: float) -> tuple[nn.Module, int]:
    """Return three 3x3 convolutions of 32, 64 and 64 channels times ``width``, with one halving.

    At width 1, with 1 channel and 10 classes, it has 56,554 parameters including the head.
    """
    first, second, third = (widened(c, width) for c in (32, 64, 64))
    features = nn.Sequential(
        *_layer(channels, first),
        nn.MaxPool2d(2),
        *_layer(first, second),
        *_layer(second, third),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    return features, third


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return convolution(inputs, outputs), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
