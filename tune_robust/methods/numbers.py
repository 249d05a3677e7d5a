"""Scalars that are passed through a step."""

from __future__ import annotations

from torch import Tensor

Number = float | Tensor
"""A float, or a 0-dim tensor on a device that must not be synchronised."""


def readable(value: Tensor) -> bool:
    """Return whether reading ``value`` needs no host sync, as on a CPU."""
    return value.device.type == "cpu"


def number(value: Tensor) -> Number:
    """Return ``value`` (0-dim) as a float if it is on a CPU; else unchanged."""
    return value.item() if readable(value) else value
