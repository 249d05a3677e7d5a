"""The effect of correctly and of wrongly labelled samples on the gradients and their groups.

After Luong et al. 2024 (arXiv 2411.17132, sec. 3 and 4). It needs the true labels, so it is a
diagnostic that must not be used for selection.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.data import LabelledImages
from tune_robust.methods import SharpnessAware, group_fitting, weights_at
from tune_robust.methods.batch_norm import statistics_paused, tracking_modules

NOISE_RATIOS = ("p_r_a", "p_r_b", "p_r_c")
"""How much more SANER's groups A, B and C fit wrong labels than correct ones."""

ALIGNMENT = ("gradient_cosine", "gradient_sign_agreement")
"""How well the gradients of correctly and wrongly labelled samples agree."""

PROBED = (*ALIGNMENT, *NOISE_RATIOS)
"""The names of the metrics that ``probe`` returns."""

_SAMPLES = 128
"""The largest number of samples of each kind that are used."""


def probe_part(part: LabelledImages, seed: int) -> LabelledImages:
    """Return up to 128 correctly labelled samples of ``part``, then as many wrongly labelled ones.

    Returns no samples if one kind is missing. The choice depends only on ``seed``; the random
    numbers of the training are not used.
    """
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(part), generator=generator).to(part.labels.device)
    noisy = part.noisy[shuffled]
    kinds = shuffled[~noisy], shuffled[noisy]
    count = min(_SAMPLES, *map(len, kinds))
    chosen = torch.cat([kind[:count] for kind in kinds])
    return part.take(chosen)


def probe(
    model: nn.Module,
    optimizer: SharpnessAware,
    forward: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    noise_rate: float,
) -> dict[str, float]:
    """Return the metrics ``PROBED``; they are NaN if there are no samples.

    ``gradient_cosine`` and ``gradient_sign_agreement`` compare the gradients of the cross-entropy
    of the correctly and of the wrongly labelled samples: by the cosine of the angle between them,
    and by the fraction of components with the same sign among those that are non-zero in both.

    ``p_r`` is computed for SANER's groups A, B and C and is NaN if the optimizer takes one pass. To
    first order, removing the components of a group from the step raises the loss of the wrongly
    labelled samples by ``<g_noisy, g_SAM>`` over the group, times the learning rate, and that of
    the correctly labelled ones by ``<g_clean, g_SAM>``. ``p_r`` is the ratio of the former to the
    latter: above 1, the group fits the noise more than the rest.

    The cost is one or two forward and two or three backward passes. Network, optimizer and random
    numbers do not change.

    Args:
        model: in training mode; its running BatchNorm statistics do not change.
        optimizer: determines how far and in which direction the weights are perturbed.
        forward: maps inputs to logits (B, K).
        inputs: (2 n, ...): n correctly labelled samples, then n wrongly labelled ones.
        labels: (2 n,), the given labels.
        noise_rate: the fraction of wrong labels in training, by which the two halves are weighted.
    """
    if not len(labels):
        return dict.fromkeys(PROBED, math.nan)
    params = [p for g in optimizer.param_groups for p in g["params"] if p.requires_grad]

    def losses() -> tuple[Tensor, Tensor]:
        logits = forward(inputs)
        if logits.dtype == torch.bfloat16:  # under autocast, whose losses are in float32
            logits = logits.float()
        clean, noisy = F.cross_entropy(logits, labels, reduction="none").chunk(2)
        return clean.mean(), noisy.mean()

    with statistics_paused(tracking_modules(model)), torch.enable_grad():
        clean, noisy = losses()
        clean_grads = _gradients(clean, params, retain_graph=True)
        noisy_grads = _gradients(noisy, params)
        of_clean, of_noisy = _flat(clean_grads), _flat(noisy_grads)
        figures = _alignment(of_clean, of_noisy)
        if optimizer.rho == 0:
            return figures | dict.fromkeys(NOISE_RATIOS, math.nan)
        sgd_grads = torch._foreach_lerp(clean_grads, noisy_grads, noise_rate)
        with torch.no_grad():
            moved, _ = optimizer.moved(params, sgd_grads)
        with weights_at(params, moved):
            sam_grads = _gradients(torch.lerp(*losses(), noise_rate), params)
    sam, sgd = _flat(sam_grads), _flat(sgd_grads)
    ratios = group_fitting(sam, sgd, of_noisy) / group_fitting(sam, sgd, of_clean)
    return figures | dict(zip(NOISE_RATIOS, ratios.tolist(), strict=True))


def _alignment(clean: Tensor, noisy: Tensor) -> dict[str, float]:
    """Return the cosine of two flat gradients, and how often their signs agree."""
    product = clean * noisy
    signs = torch.stack([(product > 0).sum(), (product != 0).sum()]).float()
    cosine = product.sum() / (clean.norm() * noisy.norm())
    figures = torch.stack([cosine, signs[0] / signs[1]]).tolist()
    return dict(zip(ALIGNMENT, figures, strict=True))


def _gradients(
    loss: Tensor, params: Sequence[Tensor], *, retain_graph: bool = False
) -> tuple[Tensor, ...]:
    return torch.autograd.grad(loss, params, retain_graph=retain_graph, materialize_grads=True)


def _flat(tensors: Sequence[Tensor]) -> Tensor:
    return torch.cat([t.flatten() for t in tensors])
