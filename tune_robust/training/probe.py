"""SANER's diagnostic: which group of gradient components fits wrong labels rather than right ones.

After Luong et al. 2024 (arXiv 2411.17132, sec. 4). It needs the true labels, so it explains and
never chooses.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.data import LabelledImages
from tune_robust.methods import SharpnessAware, group_fitting, weights_at
from tune_robust.methods.batch_norm import statistics_paused, tracking_modules

NOISE_RATIOS = ("p_r_a", "p_r_b", "p_r_c")
"""The names of what ``noise_ratios`` gives."""

_SAMPLES = 128
"""At most so many of each kind are looked at."""


def probe_part(part: LabelledImages, seed: int) -> LabelledImages:
    """Up to 128 rightly labelled samples of ``part``, then as many wrongly labelled ones.

    None where one kind is missing. Drawn by ``seed`` alone; the training's own random numbers are
    not touched.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(part), generator=generator).to(part.labels.device)
    noisy = part.noisy[shuffled]
    kinds = shuffled[~noisy], shuffled[noisy]
    count = min(_SAMPLES, *map(len, kinds))
    chosen = torch.cat([kind[:count] for kind in kinds])
    fields = ("images", "labels", "true_labels")
    return replace(part, **{name: getattr(part, name)[chosen] for name in fields})


def noise_ratios(
    model: nn.Module,
    optimizer: SharpnessAware,
    forward: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    noise_rate: float,
) -> dict[str, float]:
    """``p_r`` of groups A, B and C; NaN where the optimizer takes one pass.

    To first order, removing a group's components from the step raises the loss of the wrongly
    labelled samples by ``<g_noisy, g_SAM>`` over the group, times the learning rate, and that of
    the rightly labelled ones by ``<g_clean, g_SAM>``. ``p_r`` is the former over the latter: above
    1, the group fits the noise more than the rest. Two forward and three backward passes, of
    cross-entropy; network, optimizer and random numbers stay as they are.

    Args:
        model: in training mode; its BatchNorm running statistics stay.
        optimizer: says how far to move the weights, and along what.
        forward: inputs -> logits (B, K).
        inputs: (2 n, ...), n rightly labelled samples, then n wrongly labelled ones.
        labels: (2 n,), as given.
        noise_rate: the share of wrong labels in training, by which the two halves are mixed.
    """
    if optimizer.rho == 0 or not len(labels):
        return dict.fromkeys(NOISE_RATIOS, math.nan)
    params = [p for g in optimizer.param_groups for p in g["params"] if p.requires_grad]

    def losses() -> tuple[Tensor, Tensor]:
        clean, noisy = F.cross_entropy(forward(inputs), labels, reduction="none").chunk(2)
        return clean.mean(), noisy.mean()

    with statistics_paused(tracking_modules(model)), torch.enable_grad():
        clean, noisy = losses()
        clean_grads = _gradients(clean, params, retain_graph=True)
        noisy_grads = _gradients(noisy, params)
        sgd_grads = torch._foreach_lerp(clean_grads, noisy_grads, noise_rate)
        with torch.no_grad():
            moved, _ = optimizer.moved(params, sgd_grads)
        with weights_at(params, moved):
            sam_grads = _gradients(torch.lerp(*losses(), noise_rate), params)
    sam, sgd, of_noisy, of_clean = map(_flat, (sam_grads, sgd_grads, noisy_grads, clean_grads))
    ratios = group_fitting(sam, sgd, of_noisy) / group_fitting(sam, sgd, of_clean)
    return dict(zip(NOISE_RATIOS, ratios.tolist(), strict=True))


def _gradients(
    loss: Tensor, params: Sequence[Tensor], *, retain_graph: bool = False
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, params, retain_graph=retain_graph, materialize_grads=True)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])
