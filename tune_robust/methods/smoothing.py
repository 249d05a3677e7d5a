"""SALS, sharpness-adaptive label smoothing: one half of SLAW (Rahman 2025).

A sample's target is the softer, the larger the gradient of the batch in the last layer is compared
with its running mean, and the less confident the network is of the sample.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tune_robust.methods.numbers import Number, number

_SMALLEST_RATIO, _LARGEST_RATIO = 0.1, 10.0
"""The range of the batch's sharpness relative to its running mean."""


def residuals(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Return ``d = p - onehot(y)``, (B, K): the gradients of the cross-entropy by the logits.

    Args:
        probabilities: (B, K), the network's softmax ``p``.
        labels: (B,), class indices ``y``, or (B, K), probabilities instead of ``onehot(y)``.
    """
    if labels.ndim == 2:
        return probabilities - labels
    return probabilities.scatter(1, labels[:, None], -1.0, reduce="add")


def last_layer_gradient_norm(residual: Tensor, features: Tensor) -> Tensor:
    """Return ``||grad||_2`` of the mean cross-entropy by the last linear layer (0-dim).

    It has a closed form, without a backward pass: the gradient of the weight is ``d^T h / B``, and
    that of the bias is the mean of ``d``. As in the published code, both are included.

    Args:
        residual: (B, K), ``residuals`` ``d``.
        features: (B, D), the layer's inputs ``h``.
    """
    inputs = F.pad(features.to(residual.dtype), (0, 1), value=1.0)  # the bias's input is 1
    # Under autocast, the product would be computed in low precision.
    with torch.autocast(residual.device.type, enabled=False):
        return torch.linalg.vector_norm(residual.T @ inputs) / len(residual)


def moved_mean(mean: Number, value: Tensor, decay: float) -> tuple[Number, Number]:
    """Return the exponential running mean updated with ``value`` (0-dim), and ``value``.

    A value that is not finite leaves the mean unchanged: a step skips a batch that overflows, and
    the running mean must not be lost either.
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
    """Return each sample's smoothing, (B,) in [eps_min, eps_max].

    ``alpha * clamp(sharpness / mean_sharpness, 0.1, 10) * (1 - max_j p_j)``, clamped.

    Args:
        confidence: (B,), the network's highest probability of each sample.
        sharpness: the ``last_layer_gradient_norm`` of this batch, 0-dim or a float.
        mean_sharpness: its running mean, including this batch.
        alpha: the smoothing per unit of ``1 - confidence`` at average sharpness.
        eps_min: the smallest smoothing.
        eps_max: the largest smoothing.
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
    """Return each sample's cross-entropy with ``smoothed_targets``, (B,), and its gradient, (B, K).

    Smoothing by ``epsilon`` mixes a fraction ``a = epsilon K / (K - 1)`` of the uniform
    distribution into the target, and therefore also mixes the losses and the gradients ``d`` and
    ``p - 1 / K`` of both.

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

    Autograd would take longer for the graph of a loss on (B, K) numbers than for their arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, loss: Tensor, gradient: Tensor) -> Tensor:
        """Return the loss (0-dim)."""
        ctx.gradient = gradient
        return loss

    @staticmethod
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient with respect to ``logits``, times ``scale``."""
        return ctx.gradient * scale, None, None


def smoothed_targets(epsilon: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return (B, K): ``1 - epsilon`` on the label, ``epsilon / (K - 1)`` on each other class.

    Labels (B, K), probabilities of the classes, give the mean of the targets of their classes.
    """
    others = (epsilon / (classes - 1))[:, None].expand(-1, classes)
    if labels.ndim == 2:
        return others + labels * (1 - epsilon - epsilon / (classes - 1))[:, None]
    return others.scatter(1, labels[:, None], (1 - epsilon)[:, None])
