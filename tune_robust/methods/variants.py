"""Variants of SAM with other ascent or descent directions, also with two passes per step.

GSAM, surrogate gap guided (Zhuang et al. 2022, arXiv 2203.08065); Friendly-SAM (Li et al. 2024,
arXiv 2403.12350); VaSSO, variance suppressed (Li & Giannakis 2023, arXiv 2309.15639). Functions of
lists of tensors, one per parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from tune_robust.methods.numbers import readable
from tune_robust.methods.perturbation import global_norm
from tune_robust.methods.tensors import Tensors

VARIANTS = ("sam", "gsam", "fsam", "vasso")
"""The values of ``variant`` in ``SharpnessAware``."""

_TINY = 1e-12


def friendly(grads: Tensors, means: Tensors, sigma: float) -> Tensors:
    """Return Friendly-SAM's direction ``g - sigma * m``, without the part common to all batches.

    ``m`` is the running mean of the gradients before this one, as in the official code. The paper
    includes this gradient in the mean, which gives the same direction for its ``sigma = 1``.
    """
    return torch._foreach_sub(grads, means, alpha=sigma)


def variance_suppressed(grads: Tensors, means: Tensors, theta: float) -> Tensors:
    """Return VaSSO's direction, the running mean of the gradients: ``(1 - theta) m + theta g``."""
    return torch._foreach_lerp(means, grads, theta)


def narrow_gap_(sam_grads: Tensors, sgd_grads: Tensors, g_alpha: float) -> None:
    """Subtract ``g_alpha`` times the part of ``g_SGD`` orthogonal to ``g_SAM``, in place (GSAM).

    This reduces the surrogate gap, ``L(w + e) - L(w)``, without slowing the descent of
    ``L(w + e)``. All norms and products are Euclidean, over all parameters.
    """
    length = global_norm(sam_grads) + _TINY
    products = [
        torch.dot(a.flatten(), b.flatten()) for a, b in zip(sam_grads, sgd_grads, strict=True)
    ]
    along = torch.stack(products).sum() / length / length
    torch._foreach_mul_(sam_grads, 1 + g_alpha * along)
    torch._foreach_add_(sam_grads, sgd_grads, alpha=-g_alpha)


def move_means_(means: Tensors, values: Tensors, rate: float, norms: Tensor) -> None:
    """Move ``means`` by ``rate`` of the way to ``values``, unless ``norms`` (0-dim) is not finite.

    This works in place, on tensors of the same shapes and memory layouts.
    """
    if readable(norms):
        if norms.isfinite():
            torch._foreach_lerp_(means, values, rate)
        return
    # m - rate * (m - v) is a step of SGD with the gradient v, maximised, and a weight decay of 1.
    # torch's fused SGD takes it for all tensors in one kernel, which checks found_inf itself.
    torch._fused_sgd_(
        means,
        values,
        [],
        lr=rate,
        weight_decay=1.0,
        maximize=True,
        momentum=0.0,
        dampening=0.0,
        nesterov=False,
        is_first_step=False,
        found_inf=norms.isfinite().logical_not().float(),
    )


class GradientMeans:
    """The running mean of each parameter's gradients, which takes the memory of the weights once.

    A parameter's mean starts at its first gradient.

    Args:
        rate: weight of a new gradient, in [0, 1].
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._means: dict[Tensor, Tensor] = {}

    def of(
        self, params: Tensors, grads: Tensors, start: Callable[[Tensor], Tensor]
    ) -> list[Tensor]:
        """Return the means of ``params``; for one without a mean, ``start`` of its gradient."""
        pairs = zip(params, grads, strict=True)
        return [self._means[p] if p in self._means else start(g) for p, g in pairs]

    def add(self, params: Tensors, grads: Tensors, norms: Tensor) -> None:
        """Update the means with ``grads``, unless ``norms`` (0-dim) is not finite.

        There is no host sync, except at a parameter's first gradient.
        """
        pairs = [*zip(params, grads, strict=True)]
        known = [(self._means[p], g) for p, g in pairs if p in self._means]
        if known:
            means, newest = zip(*known, strict=True)
            move_means_(means, newest, self.rate, norms)
        if len(known) < len(pairs) and norms.isfinite():
            self._means |= {p: g.clone() for p, g in pairs if p not in self._means}

    def state(self, params: Tensors) -> list[Tensor | None]:
        """Return the means in the order of ``params``."""
        return [self._means.get(p) for p in params]

    def load(self, params: Tensors, means: Sequence[Tensor | None]) -> None:
        """Continue from ``means``, which are copied, in the order of ``params``."""
        pairs = zip(params, means, strict=True)
        self._means = {p: m.detach().clone().to(p) for p, m in pairs if m is not None}
