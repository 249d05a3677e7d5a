"""A multilayer perceptron on images or on rows of a table: no convolutions or normalisation."""

from __future__ import annotations

from torch import nn

from tune_robust.models.classifier import widened


def mlp(channels: int, width: float, *, image_size: int) -> tuple[nn.Module, int]:
    """Return two hidden layers of 512 units times ``width`` on the pixels, each followed by a ReLU.

    Images are square with a side of ``image_size``; others are first resized to it by averaging.
    """
    square = nn.AdaptiveAvgPool2d(image_size)  # square images pass unchanged
    return _perceptron(channels * image_size**2, width, square)


def mlp_of_rows(numbers: int, width: float) -> tuple[nn.Module, int]:
    """The same on rows of so many ``numbers``, as of a table."""
    return _perceptron(numbers, width)


def _perceptron(inputs: int, width: float, *first: nn.Module) -> tuple[nn.Module, int]:
    hidden = widened(512, width)
    features = nn.Sequential(
        *first,
        nn.Flatten(),
        nn.Linear(inputs, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
    )
    return features, hidden
