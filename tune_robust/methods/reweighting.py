"""SANER: which components of SAM's gradient to trust less (Luong et al. 2024, arXiv 2411.17132).

With ``r = g_SAM / g_SGD`` per component: group A has ``r >= 1``, group B ``0 < r < 1`` (same sign,
smaller magnitude), group C ``r <= 0``. Group B fits wrong labels more than right ones late in
training. Signs and magnitudes are compared, nothing is divided: the official ``g_SGD + 1e-8`` flips
``r`` where ``|g_SGD|`` is about 1e-8.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from tune_robust.methods.numbers import Number
from tune_robust.methods.tensors import Tensors


def reweight_(sam_grads: Tensors, sgd_grads: Tensors, alpha: Number) -> None:
    """Multiply ``sam_grads`` by ``alpha`` on group B, in place.

    Args:
        sam_grads: second-pass gradients; changed.
        sgd_grads: raw first-pass gradients, same shapes; used as scratch, their values are lost.
        alpha: 1 is SAM, 0 removes group B, above 1 strengthens it. A 0-dim tensor on the
            gradients' device takes one operation more.
    """
    # g_SAM is in group B where it lies strictly between 0 and g_SGD, that is where g_SGD - g_SAM
    # has its sign. Only signs are multiplied with it, so nothing underflows.
    signs = sgd_grads
    torch._foreach_sub_(signs, sam_grads)
    torch._foreach_sign_(signs)
    magnitudes = torch._foreach_mul(signs, sam_grads)
    torch._foreach_clamp_min_(magnitudes, 0)  # |g_SAM| on group B, 0 elsewhere
    change = alpha - 1
    if isinstance(change, Tensor):
        torch._foreach_mul_(magnitudes, change)
        change = 1.0
    torch._foreach_addcmul_(sam_grads, signs, magnitudes, value=change)


@dataclass(frozen=True)
class GroupRule:
    """Which components are treated apart, and how; the default is the published one.

    With ``r = g_SAM / g_SGD``, ``group`` ``"a"`` is ``r >= threshold``, ``"b"``
    ``0 < r < threshold``, ``"c"`` ``r <= 0``, ``"ab"`` ``r > 0``; ``threshold`` is in (0, 1].
    ``action``: ``"reweight"`` multiplies them by alpha; ``"without"`` takes the plain gradient for
    them and SAM's for the rest, ``"only"`` the reverse (``samwo`` and ``samonly`` of the official
    code, lhchau/saner). ``soft``: on group b the factor rises linearly in r, from alpha at 0 to 1
    at ``threshold``.
    """

    action: str = "reweight"
    group: str = "b"
    threshold: float = 1.0
    soft: bool = False

    def changes(self, alpha: float | None) -> bool:
        """Whether SAM's gradient differs after it; None is a SAM without SANER."""
        return alpha is not None and (self.action != "reweight" or alpha != 1)

    def apply_(self, sam_grads: Tensors, sgd_grads: Tensors, alpha: Number) -> None:
        """Change ``sam_grads`` in place; ``sgd_grads`` is used as scratch, as in ``reweight_``."""
        if self == GroupRule():
            reweight_(sam_grads, sgd_grads, alpha)
            return
        for sam, sgd in zip(sam_grads, sgd_grads, strict=True):
            sam.copy_(self._changed(sam, sgd, alpha))

    def _changed(self, sam: Tensor, sgd: Tensor, alpha: Number) -> Tensor:
        members = self._members(sam, sgd)
        if self.action == "without":
            return torch.where(members, sgd, sam)
        if self.action == "only":
            return torch.where(members, sam, sgd)
        if not self.soft:
            return torch.where(members, alpha * sam, sam)
        # Outside the group the quotient may be anything, and is not used.
        progress = sam / (self.threshold * sgd)
        return torch.where(members, sam * (alpha + (1 - alpha) * progress), sam)

    def _members(self, sam: Tensor, sgd: Tensor) -> Tensor:
        positive = (sam.sign() == sgd.sign()) & (sam != 0)
        if self.group == "ab":
            return positive
        if self.group == "c":
            return ~positive
        smaller = sam.abs() < self.threshold * sgd.abs()
        return positive & (smaller if self.group == "b" else ~smaller)


def group_fractions(sam_grad: Tensor, sgd_grad: Tensor) -> Tensor:
    """The fractions of components in groups A, B and C: a tensor (3,) that sums to 1, no sync.

    A component that is zero in either gradient counts to C.
    """
    in_a, in_b = _groups(sam_grad, sgd_grad)
    fractions = torch.stack([in_a, in_b]).flatten(1).float().mean(dim=1)
    return torch.cat([fractions, 1 - fractions.sum(0, keepdim=True)])


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
