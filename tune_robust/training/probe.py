"""How rightly and wrongly labelled samples pull at the weights, and which group of gradient
components fits the wrong labels.

After Luong et al. 2024 (arXiv 2411.17132, sec. 3 and 4). It needs the true labels, so it is a
diagnostic that no selection may use.
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
"""How much SANER's groups A, B and C fit wrong labels over right ones."""

ALIGNMENT = ("gradient_cosine", "gradient_sign_agreement")
"""How the gradients of rightly and wrongly labelled samples agree."""

PROBED = (*ALIGNMENT, *NOISE_RATIOS)
"""The names of what ``probe`` gives."""

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
    return part.take(chosen)


def probe(
    model: nn.Module,
    optimizer: SharpnessAware,
    forward: Callable[[Tensor], Tensor],
    inputs: Tensor,
    labels: Tensor,
    noise_rate: float,
) -> dict[str, float]:
    """The figures ``PROBED``; NaN where there are no samples.

    ``gradient_cosine`` and ``gradient_sign_agreement`` compare the gradients of the cross-entropy
    of the rightly and of the wrongly labelled samples: the cosine of the angle between them, and
    the fraction of components of one sign among those that are 0 in neither.

    ``p_r`` of SANER's groups A, B and C, NaN where the optimizer takes one pass: to first order,
    removing a group's components from the step raises the loss of the wrongly labelled samples by
    ``<g_noisy, g_SAM>`` over the group, times the learning rate, and that of the rightly labelled
    ones by ``<g_clean, g_SAM>``. ``p_r`` is the former over the latter: above 1, the group fits the
    noise more than the rest.

    One or two forward and two or three backward passes; network, optimizer and random numbers stay
    as they are.

    Args:
        model: in training mode; its BatchNorm running statistics stay.
        optimizer: says how far to move the weights, and along what.
        forward: inputs -> logits (B, K).
        inputs: (2 n, ...), n rightly labelled samples, then n wrongly labelled ones.
        labels: (2 n,), as given.
        noise_rate: the fraction of wrong labels in training, by which the two halves are mixed.
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
    """The cosine of two flat gradients, and how often their signs agree."""
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
