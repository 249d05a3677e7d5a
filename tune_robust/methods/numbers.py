"""Scalars that are passed through a step."""

from __future__ import annotations

from torch import Tensor

Number = float | Tensor
"""A float, or a 0-dim tensor on a device that must not be synchronised."""


def number(value: Tensor) -> Number:
    """Return ``value`` (0-dim) as a float if it is on a CPU, where reading is free.

    Else unchanged.
    """
    return value.item() if value.device.type == "cpu" else value
