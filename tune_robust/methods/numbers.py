"""Single numbers on their way through a step."""

from __future__ import annotations

from torch import Tensor

Number = float | Tensor
"""A float, or a 0-dim tensor of a device that must not be waited for."""


def readable(value: Tensor) -> bool:
    """Whether to read ``value`` is free, as on a CPU, and waits for no device."""
    return value.device.type == "cpu"


def number(value: Tensor) -> Number:
    """``value`` (0-dim) as a float where reading it is free; else as it is."""
    return value.item() if readable(value) else value
