"""mixup: training on blends of two images and of their labels.

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
    """Each batch's mixing coefficient, float32 (count,) in [0.5, 1].

    The larger of lambda and 1 - lambda, lambda drawn from Beta(alpha, alpha). As the order of a
    pair is arbitrary, the blends are distributed as in the paper, and a blend's position is always
    that of its larger part.

    Args:
        alpha: above 0; small values hardly blend, large ones blend in almost equal parts.
        count: of batches.
        generator: advanced by one draw.
    """
    device = generator.device
    seed = torch.randint(2**62, (), generator=generator, device=device).item()
    drawn = np.random.default_rng(int(seed)).beta(alpha, alpha, count)
    return torch.from_numpy(np.maximum(drawn, 1 - drawn)).float().to(device)


def mixed(
    inputs: Tensor, labels: Tensor, coefficient: Tensor, classes: int
) -> tuple[Tensor, Tensor]:
    """Each image and label, blended with the one before it in the batch.

    ``coefficient`` is the weight of the image itself, the rest that of the one before.

    Batches come in random order, so that the neighbour is as random a partner as any; it is never
    the image itself.

    Args:
        inputs: float (B, C, H, W).
        labels: int64 (B,).
        coefficient: 0-dim, in [0, 1].
        classes: K.

    Returns:
        Inputs as before, and the probabilities of the classes, of the inputs' type (B, K).
    """
    targets = F.one_hot(labels, classes).to(inputs.dtype)
    weight = coefficient.to(inputs)
    return inputs.roll(1, 0).lerp(inputs, weight), targets.roll(1, 0).lerp(targets, weight)


def mixed_batches(
    batches: Iterable[Batch], count: int, *, alpha: float, classes: int, generator: torch.Generator
) -> Iterator[Batch]:
    """``count`` ``batches`` blended, each with a coefficient of its own."""
    coefficients = mixing_coefficients(alpha, count, generator)
    for coefficient, (inputs, labels, positions) in zip(coefficients, batches, strict=True):
        yield *mixed(inputs, labels, coefficient, classes), positions
