"""Map dimensions to coordinates in [0, 1] that are uniform under the distribution."""

from __future__ import annotations

import math
from typing import Any

from tune_robust.spaces.distributions import (
    Choice,
    Distribution,
    Grid,
    Int,
    LogInt,
    LogUniform,
    Uniform,
)


def from_unit(distribution: Distribution, unit: float) -> Any:
    """Return the value at ``unit`` in [0, 1]; integers and listed values have equal cells."""
    match distribution:
        case Uniform(low=low, high=high):
            return _within(low + unit * (high - low), low, high)
        case LogUniform(low=low, high=high):
            return _within(low * (high / low) ** unit, low, high)
        case Int(low=low, high=high):
            return low + _cell(unit, high - low + 1)
        case LogInt(low=low, high=high):
            first, last = low - 0.5, high + 0.5
            return _within(round(first * (last / first) ** unit), low, high)
        case Choice(values=values) | Grid(values=values):
            return values[_cell(unit, len(values))]


def to_unit(distribution: Uniform | LogUniform | Int | LogInt, value: float) -> float:
    """Return the position of ``value`` in [0, 1]; for an integer, the middle of its cell."""
    match distribution:
        case Uniform(low=low, high=high):
            return (value - low) / (high - low)
        case LogUniform(low=low, high=high):
            return math.log(value / low) / math.log(high / low)
        case Int(low=low, high=high):
            return (value - low + 0.5) / (high - low + 1)
        case LogInt(low=low, high=high):
            first, last = low - 0.5, high + 0.5
            return math.log(value / first) / math.log(last / first)


def _cell(unit: float, cells: int) -> int:
    return min(int(unit * cells), cells - 1)


def _within(value: float, low: float, high: float) -> float:
    """Return ``value``, limited to the ends, which rounding may exceed."""
    return min(max(value, low), high)
