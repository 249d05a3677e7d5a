"""LAW, loss-adaptive sample weights: the other half of SLAW (Rahman 2025).

The weights of a batch's samples depend on their losses, standardised over the batch: ``z = (l -
mean) / (std + 1e-8)``. The paper's text decreases the weight of samples with a high loss, which are
probably mislabelled; its code increases it. Both are available under separate names.
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
"""Map ``z / tau`` to [0, 1]: decreasing; with a maximum at the mean; increasing."""


def sample_weights(
    losses: Tensor,
    *,
    gamma: float = 0.9,
    tau: float = 1.0,
    beta: float = 1.0,
    shape: str = "suppress_high",
) -> Tensor:
    """Return ``1 - gamma + gamma * shape(z / tau)^beta`` for each of ``losses`` (B,).

    Args:
        losses: (B,), one per sample, detached; a batch of one has ``z = 0``.
        gamma: the fraction of a weight that adapts, in [0, 1]; 0 gives all samples the weight 1.
        tau: temperature, in standard deviations of the loss, above 0.
        beta: exponent, above 0; a larger one affects fewer samples.
        shape: ``suppress_high``, ``band`` or ``as_published``; see SHAPES.

    Raises:
        UserError: there is no such shape.
    """
    if shape not in SHAPES:
        raise UserError(f"LAW: {unknown('shape', shape, SHAPES)}")
    spread, mean = torch.std_mean(losses, correction=min(1, len(losses) - 1))
    z = (losses - number(mean)) * (1 / (tau * (number(spread) + 1e-8)))
    weights = SHAPES[shape](z)
    if beta != 1:
        weights = weights**beta
    return weights.mul_(gamma).add_(1 - gamma)
