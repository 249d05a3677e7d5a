"""mixup: training on convex combinations of two images and of their labels.

Zhang et al. 2018, arXiv 1710.09412.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Batch = tuple[Tensor, Tensor, Tensor]
"""Inputs (B, C, H, W); labels, int64 (B,) or float (B, K); positions, int64 (B,)."""


def mixing_coefficients(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """Draw the mixing coefficient of each batch, float32 (count,) in [0.5, 1].

    This is the larger of lambda and 1 - lambda, with lambda from Beta(alpha, alpha). Since the
    order of a pair is arbitrary, the mixed images are distributed as in the paper, and the position
    of a mixed image is that of its larger component.

    Args:
        alpha: above 0; small values hardly mix, and large ones mix in almost equal parts.
        count: the number of batches.
        generator: advanced by one draw.
    """
    device = generator.device
    seed = torch.randint(2**62, (), generator=generator, device=device).item()
    drawn = np.random.default_rng(int(seed)).beta(alpha, alpha, count)
    return torch.from_numpy(np.maximum(drawn, 1 - drawn)).float().to(device)


def mixed(
    inputs: Tensor, labels: Tensor, coefficient: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Mix each image and label with the previous one in the batch.

    ``coefficient`` is the weight of the image itself; the previous one has the rest. Since batches
    are in random order, the neighbour is a random partner; it is never the image itself.

    Args:
        inputs: float (B, C, H, W).
        labels: int64 (B,).
        coefficient: 0-dim, in [0, 1].
        classes: K.

    Returns:
        The mixed inputs, and the probabilities of the classes (B, K) in the data type of the
        inputs.
    """
    targets = F.one_hot(labels, classes).to(inputs.dtype)
    weight = coefficient.to(inputs)
    return inputs.roll(1, 0).lerp(inputs, weight), targets.roll(1, 0).lerp(targets, weight)


def mixed_batches(
    batches: Iterable[Batch], count: int, *, alpha: float, classes: int, generator: torch.Generator
) -> Iterator[Batch]:
    """Mix each of ``count`` ``batches`` with its own coefficient."""
    coefficients = mixing_coefficients(alpha, count, generator)
    for coefficient, (inputs, labels, positions) in zip(coefficients, batches, strict=True):
        yield *mixed(inputs, labels, coefficient, classes), positions
