"""Lists of tensors of any shapes, one per parameter, on which the methods operate."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

Tensors = list[Tensor] | tuple[Tensor, ...]
"""The type that torch's ``_foreach`` functions take and return."""


def gradients(params: Iterable[Tensor]) -> list[Tensor]:
    """Return the gradients of those ``params`` that have one."""
    return [p.grad for p in params if p.grad is not None]
