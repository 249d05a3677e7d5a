"""LAW, loss-adaptive sample weights: the other half of SLAW (Rahman 2025).

The weights of a batch's samples depend on their losses, standardised over the batch:
``z = (l - mean) / (std + 1e-8)``. The paper's text weights samples of high loss, likely
mislabelled, down; its code weights them up. Both are here, under their own names.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from tune_robust.errors import UserError, unknown
from tune_robust.methods.numbers import number


def _suppress_high(z: Tensor) -> Tensor:
    return torch.sigmoid(-z)


def _band(z: Tensor) -> Tensor:
    return 4 * torch.sigmoid(z) * torch.sigmoid(-z)


def _as_published(z: Tensor) -> Tensor:
    return torch.sigmoid(z)


SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    "suppress_high": _suppress_high,
    "band": _band,
    "as_published": _as_published,
}
"""From ``z / tau`` to a number in [0, 1]: falling; highest at the mean; rising."""


def sample_weights(
    losses: Tensor,
    *,
    gamma: float = 0.9,
    tau: float = 1.0,
    beta: float = 1.0,
    shape: str = "suppress_high",
) -> Tensor:
    """``1 - gamma + gamma * shape(z / tau)^beta`` for each of ``losses`` (B,), in [1 - gamma, 1].

    Args:
        losses: (B,), one per sample, detached; a batch of one has ``z = 0``.
        gamma: how much of a weight adapts, in [0, 1]; 0 weights all samples by 1.
        tau: temperature, in standard deviations of the loss, above 0.
        beta: exponent, above 0; larger singles out fewer samples.
        shape: ``suppress_high``, ``band`` or ``as_published``; see SHAPES.

    Raises:
        UserError: for a shape that there is not.
    """
    if shape not in SHAPES:
        raise UserError(f"LAW: {unknown('shape', shape, SHAPES)}")
    spread, mean = torch.std_mean(losses, correction=min(1, len(losses) - 1))
    z = (losses - number(mean)) * (1 / (tau * (number(spread) + 1e-8)))
    weights = SHAPES[shape](z)
    if beta != 1:
        weights = weights**beta
    return weights.mul_(gamma).add_(1 - gamma)
