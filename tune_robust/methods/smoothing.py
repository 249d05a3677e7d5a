"""SALS, sharpness-adaptive label smoothing: one half of SLAW (Rahman 2025).

The steeper the batch's loss is in the last layer, against its running mean, and the less sure the
network is of a sample, the softer that sample's target.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tune_robust.methods.numbers import Number, number

_SMALLEST_RATIO, _LARGEST_RATIO = 0.1, 10.0
"""Bounds on the batch's sharpness over its running mean."""


def residuals(probabilities: Tensor, labels: Tensor) -> Tensor:
    """(B, K): ``d = p - onehot(y)``, the gradient of each sample's cross-entropy by its logits.

    Args:
        probabilities: (B, K), the network's softmax ``p``.
        labels: (B,), class indices ``y``, or (B, K), probabilities in ``onehot(y)``'s place.
    """
    if labels.ndim == 2:
        return probabilities - labels
    return probabilities.scatter(1, labels[:, None], -1.0, reduce="add")


def last_layer_gradient_norm(residual: Tensor, features: Tensor) -> Tensor:
    """``||grad||_2`` of the mean cross-entropy with respect to the last linear layer (0-dim).

    In closed form, without a backward pass: the weight's gradient is ``d^T h / B`` and the bias's
    the mean of ``d``. As in the published code, both count.

    Args:
        residual: (B, K), ``residuals`` ``d``.
        features: (B, D), the layer's inputs ``h``.
    """
    inputs = F.pad(features.to(residual.dtype), (0, 1), value=1.0)  # the bias's input is 1
    # Under autocast the product would be taken in low precision.
    with torch.autocast(residual.device.type, enabled=False):
        return torch.linalg.vector_norm(residual.T @ inputs) / len(residual)


def moved_mean(mean: Number, value: Tensor, decay: float) -> tuple[Number, Number]:
    """An exponential running mean with ``value`` (0-dim) counted in, and ``value``, as numbers.

    One that is not finite leaves the mean: a batch that overflows is skipped by the step, and must
    not end the running mean either.
    """
    new = number(value)
    if isinstance(new, Tensor):
        before = torch.as_tensor(mean, dtype=new.dtype, device=new.device)
        return before.lerp(new, 1 - decay).where(new.isfinite(), before), new
    old = float(mean)
    return old + (1 - decay) * (new - old) if math.isfinite(new) else old, new


def smoothing(
    confidence: Tensor,
    sharpness: Number,
    mean_sharpness: Number,
    *,
    alpha: float = 0.2,
    eps_min: float = 0.0,
    eps_max: float = 0.2,
) -> Tensor:
    """Each sample's smoothing, (B,) in [eps_min, eps_max].

    ``alpha * clamp(sharpness / mean_sharpness, 0.1, 10) * (1 - max_j p_j)``, clamped.

    Args:
        confidence: (B,), the network's highest probability of each sample.
        sharpness: this batch's ``last_layer_gradient_norm``, 0-dim or a float.
        mean_sharpness: its running mean, this batch included.
        alpha: smoothing per unit of doubt at average sharpness.
        eps_min: the least smoothing.
        eps_max: the most.
    """
    ratio = sharpness / mean_sharpness
    if isinstance(ratio, Tensor):
        ratio = ratio.clamp(_SMALLEST_RATIO, _LARGEST_RATIO)
    else:
        ratio = min(max(ratio, _SMALLEST_RATIO), _LARGEST_RATIO)
    most = alpha * ratio
    return (confidence * -most).add_(most).clamp_(eps_min, eps_max)


def smoothed_cross_entropy(
    log_p: Tensor, residual: Tensor, labels: Tensor, epsilon: Tensor
) -> tuple[Tensor, Tensor]:
    """Each sample's cross-entropy with ``smoothed_targets``, (B,), and its gradient, (B, K).

    Smoothing by ``epsilon`` mixes a fraction ``a = epsilon K / (K - 1)`` of the uniform
    distribution into the target, and so mixes both losses, and both gradients ``d`` and
    ``p - 1 / K``.

    Args:
        log_p: (B, K), the network's log-softmax; not part of a graph.
        residual: (B, K), ``residuals`` ``d``.
        labels: (B,), class indices, or (B, K), probabilities of the classes.
        epsilon: (B,), each sample's smoothing.
    """
    classes = log_p.shape[1]
    uniform = epsilon * (classes / (classes - 1))
    if labels.ndim == 2:
        hard = -(labels * log_p).sum(1)
    else:
        hard = F.nll_loss(log_p, labels, reduction="none")
    losses = torch.lerp(hard, log_p.mean(1).neg_(), uniform)
    return losses, torch.lerp(residual, log_p.exp().sub_(1 / classes), uniform[:, None])


class KnownGradient(torch.autograd.Function):
    """``apply(logits, loss, gradient)``: ``loss``, whose gradient by ``logits`` is ``gradient``.

    Walking the graph of a loss on (B, K) numbers takes longer than their arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        """The loss (0-dim)."""
        ctx.gradient = gradient
        return loss

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None, None]:
        """The gradient by ``logits``, times ``scale``."""
        return ctx.gradient * scale, None, None


def smoothed_targets(epsilon: Tensor, labels: Tensor, classes: int) -> Tensor:
    """(B, K): ``1 - epsilon`` on the label, ``epsilon / (K - 1)`` on each other class.

    Labels (B, K), probabilities of the classes, give what their classes give on average.
    """
    others = (epsilon / (classes - 1))[:, None].expand(-1, classes)
    if labels.ndim == 2:
        return others + labels * (1 - epsilon - epsilon / (classes - 1))[:, None]
    return others.scatter(1, labels[:, None], (1 - epsilon)[:, None])
