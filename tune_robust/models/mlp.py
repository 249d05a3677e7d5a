"""A multilayer perceptron: a network without convolutions or normalisation."""

from __future__ import annotations

from torch import nn

from tune_robust.models.classifier import widened


def mlp(channels: int, width: float, *, image_size: int) -> tuple[nn.Module, int]:
    """Return two hidden layers of 512 units times ``width`` on the pixels, each followed by a ReLU.

    Images are square with a side of ``image_size``; others are first resized to it by averaging.
    """
    hidden = widened(512, width)
    features = nn.Sequential(
        nn.AdaptiveAvgPool2d(image_size),  # leaves square images of this side unchanged
        nn.Flatten(),
        nn.Linear(channels * image_size**2, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
    )
    return features, hidden
