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


def mixing_shares(alpha: float, count: int, generator: torch.Generator) -> Tensor:
    """How much of each image stays, one draw a batch: float32 (count,) in [0.5, 1].

    The larger of a draw of Beta(alpha, alpha) and what it leaves. As either image of a pair may be
    called the first, the blends are distributed as the paper's, and a blend's position is always
    that of its larger part.

    Args:
        alpha: above 0; small values leave images almost alone, large ones blend by halves.
        count: of batches.
        generator: moves on by one draw.
    """
    device = generator.device
    seed = torch.randint(2**62, (), generator=generator, device=device).item()
    drawn = np.random.default_rng(int(seed)).beta(alpha, alpha, count)
    return torch.from_numpy(np.maximum(drawn, 1 - drawn)).float().to(device)


def mixed(inputs: Tensor, labels: Tensor, share: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """``share`` of every image and label, and the rest of the one before it in the batch.

    Batches come in random order, so that the neighbour is as random a partner as any; it is never
    the image itself.

    Args:
        inputs: float (B, C, H, W).
        labels: int64 (B,).
        share: 0-dim, in [0, 1].
        classes: K.

    Returns:
        Inputs as before, and the probabilities of the classes, of the inputs' type (B, K).
    """
    targets = F.one_hot(labels, classes).to(inputs.dtype)
    share = share.to(inputs)
    return inputs.roll(1, 0).lerp(inputs, share), targets.roll(1, 0).lerp(targets, share)


def mixed_batches(
    batches: Iterable[Batch], count: int, *, alpha: float, classes: int, generator: torch.Generator
) -> Iterator[Batch]:
    """``count`` ``batches`` blended, each by a share of its own."""
    shares = mixing_shares(alpha, count, generator)
    for share, (inputs, labels, positions) in zip(shares, batches, strict=True):
        yield *mixed(inputs, labels, share, classes), positions
