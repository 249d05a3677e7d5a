"""What the methods work on: tensors of any shapes, one per parameter."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

Tensors = list[Tensor] | tuple[Tensor, ...]
"""What torch's ``_foreach`` functions take and return."""


def gradients(params: Iterable[Tensor]) -> list[Tensor]:
    """The gradients of those ``params`` that have one."""
    return [p.grad for p in params if p.grad is not None]
