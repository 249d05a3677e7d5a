"""SANER: which components of SAM's gradient to trust less (Luong et al. 2024, arXiv 2411.17132).

With ``r = g_SAM / g_SGD`` per component: group A has ``r >= 1``, group B ``0 < r < 1`` (same sign,
smaller magnitude), group C ``r <= 0``. Group B fits wrong labels more than right ones late in
training. Signs and magnitudes are compared, nothing is divided: the official ``g_SGD + 1e-8`` flips
``r`` where ``|g_SGD|`` is about 1e-8.
"""

from __future__ import annotations

import torch
from torch import Tensor

from tune_robust.methods.tensors import Tensors


def reweight_(sam_grads: Tensors, sgd_grads: Tensors, alpha: float) -> None:
    """Multiply ``sam_grads`` by ``alpha`` on group B, in place.

    Args:
        sam_grads: second-pass gradients; changed.
        sgd_grads: raw first-pass gradients, same shapes; used as scratch, their values are lost.
        alpha: 1 is SAM, 0 removes group B, above 1 strengthens it.
    """
    # g_SAM is in group B where it lies strictly between 0 and g_SGD, that is where g_SGD - g_SAM
    # has its sign. Only signs are multiplied with it, so nothing underflows.
    signs = sgd_grads
    torch._foreach_sub_(signs, sam_grads)
    torch._foreach_sign_(signs)
    magnitudes = torch._foreach_mul(signs, sam_grads)
    torch._foreach_clamp_min_(magnitudes, 0)  # |g_SAM| on group B, 0 elsewhere
    torch._foreach_addcmul_(sam_grads, signs, magnitudes, value=alpha - 1)


def group_shares(sam_grad: Tensor, sgd_grad: Tensor) -> Tensor:
    """The shares of components in groups A, B and C: a tensor (3,) that sums to 1, no sync.

    A component that is zero in either gradient counts to C.
    """
    in_a, in_b = _groups(sam_grad, sgd_grad)
    shares = torch.stack([in_a, in_b]).flatten(1).float().mean(dim=1)
    return torch.cat([shares, 1 - shares.sum(0, keepdim=True)])


def group_fitting(sam_grad: Tensor, sgd_grad: Tensor, grad: Tensor) -> Tensor:
    """``<grad, g_SAM>`` over the components of groups A, B and C: a tensor (3,), no sync.

    How fast, per learning rate and to first order, each group's part of a step along ``-g_SAM``
    lowers the loss whose gradient is ``grad``. All of one shape.
    """
    in_a, in_b = _groups(sam_grad, sgd_grad)
    fitting = sam_grad * grad
    a, b = (fitting * in_a).sum(), (fitting * in_b).sum()
    return torch.stack([a, b, (fitting * ~(in_a | in_b)).sum()])


def _groups(sam_grad: Tensor, sgd_grad: Tensor) -> tuple[Tensor, Tensor]:
    """Which components are in A and in B; the others, those zero in either too, are in C."""
    same_sign = sam_grad.sign() == sgd_grad.sign()
    same_sign &= sam_grad != 0
    smaller = sam_grad.abs() < sgd_grad.abs()
    return same_sign & ~smaller, same_sign & smaller
