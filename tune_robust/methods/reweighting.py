"""SANER reweights some components of SAM's gradient (Luong et al. 2024, arXiv 2411.17132).

With ``r = g_SAM / g_SGD`` per component, group A has ``r >= 1``, group B ``0 < r < 1`` (same sign,
smaller magnitude), and group C ``r <= 0``. Late in training, group B fits wrong labels more than
correct ones. Signs and magnitudes are compared without a division: the official code's ``g_SGD +
1e-8`` flips the sign of ``r`` where ``|g_SGD|`` is about 1e-8.
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
        sgd_grads: raw first-pass gradients, same shapes; they are overwritten.
        alpha: 1 is SAM, 0 removes group B, above 1 strengthens it; a float, or a 0-dim tensor on
            the device of the gradients.
    """
    # g_SAM is in group B where it lies strictly between 0 and g_SGD, that is, where g_SGD - g_SAM
    # has the same sign as g_SAM. Only signs are multiplied, so nothing underflows.
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
    """Which components are treated separately, and how; the default is the published rule.

    With ``r = g_SAM / g_SGD``, ``group`` ``"a"`` is ``r >= threshold``, ``"b"`` ``0 < r <
    threshold``, ``"c"`` ``r <= 0`` and ``"ab"`` ``r > 0``; ``threshold`` is in (0, 1]. ``action``:
    ``"reweight"`` multiplies these components by alpha; ``"without"`` uses the plain gradient for
    them and SAM's for the others; ``"only"`` is the reverse (``samwo`` and ``samonly`` in the
    official code, lhchau/saner). ``soft``: in group b the factor rises linearly in r, from alpha at
    0 to 1 at ``threshold``.
    """

    action: str = "reweight"
    group: str = "b"
    threshold: float = 1.0
    soft: bool = False

    def changes(self, alpha: float | None) -> bool:
        """Return whether SAM's gradient is changed; ``alpha`` is None for SAM without SANER."""
        return alpha is not None and (self.action != "reweight" or alpha != 1)

    def apply_(self, sam_grads: Tensors, sgd_grads: Tensors, alpha: Number) -> None:
        """Change ``sam_grads`` in place; ``sgd_grads`` is overwritten, as in ``reweight_``."""
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
        # Outside the group the quotient may have any value and is not used.
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
    """Return the fractions of components in groups A, B and C: (3,), sums to 1, no host sync.

    A component that is zero in either gradient counts as C.
    """
    in_a, in_b = _groups(sam_grad, sgd_grad)
    fractions = torch.stack([in_a, in_b]).flatten(1).float().mean(dim=1)
    return torch.cat([fractions, 1 - fractions.sum(0, keepdim=True)])


def group_fitting(sam_grad: Tensor, sgd_grad: Tensor, grad: Tensor) -> Tensor:
    """Return ``<grad, g_SAM>`` over the components of groups A, B and C: (3,), no host sync.

    To first order and per unit of learning rate, this is how much each group's part of a step along
    ``-g_SAM`` lowers the loss whose gradient is ``grad``. All arguments have the same shape.
    """
    in_a, in_b = _groups(sam_grad, sgd_grad)
    fitting = sam_grad * grad
    a, b = (fitting * in_a).sum(), (fitting * in_b).sum()
    return torch.stack([a, b, (fitting * ~(in_a | in_b)).sum()])


def _groups(sam_grad: Tensor, sgd_grad: Tensor) -> tuple[Tensor, Tensor]:
    """Return which components are in A and in B.

    The others, including zeros in either, are in C.
    """
    same_sign = sam_grad.sign() == sgd_grad.sign()
    same_sign &= sam_grad != 0
    smaller = sam_grad.abs() < sgd_grad.abs()
    return same_sign & ~smaller, same_sign & smaller
