"""The axes of a run's figures: its searched dimensions as the space declares them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tune_robust.spaces.dimensions import Dimension, parse_dimension
from tune_robust.spaces.distributions import (
    Choice,
    Distribution,
    Grid,
    Int,
    LogInt,
    LogUniform,
    Plain,
)

_LOG_RATIO = 20  # a list of numbers whose largest ratio exceeds this has a log axis


@dataclass(frozen=True)
class Axis:
    """The axis of a searched path. Without numbers, ``low`` and ``high`` are None.

    ``whole``: whether only integers are allowed. ``options``: the numbers allowed, sorted; empty if
    all numbers between the bounds are allowed.
    """

    path: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    options: tuple[float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Return whether the values are numbers, which have a position on the axis."""
        return self.low is not None

    @property
    def bounds(self) -> tuple[float, float]:
        """Return both ends of the axis.

        Raises:
            ValueError: The axis is not numeric.
        """
        if self.low is None or self.high is None:
            raise ValueError(f"the values of {self.path} are not numbers: their axis has no ends")
        return self.low, self.high

    def to_unit(self, values: Any) -> np.ndarray:
        """Map values to positions in [0, 1] along the axis, on a log scale if the axis is log."""
        values = np.asarray(values, dtype=float)
        low, high = self._ends()
        return ((np.log(values) if self.log else values) - low) / (high - low)

    def from_unit(self, positions: Any) -> np.ndarray:
        """Map positions in [0, 1] to values, the inverse of ``to_unit``."""
        low, high = self._ends()
        values = low + np.asarray(positions, dtype=float) * (high - low)
        return np.exp(values) if self.log else values

    def nearest(self, value: float) -> float | int:
        """Return the allowed setting nearest to ``value``, rounded to three digits."""
        if self.options:
            place = np.abs(self.to_unit(self.options) - self.to_unit(value)).argmin()
            value = self.options[place]
        elif not self.whole:
            value = float(f"{value:.3g}")
        return round(value) if self.whole else float(value)

    def covering(self, values: np.ndarray) -> Axis:
        """Return the axis, extended to any values beyond its ends."""
        low, high = self.bounds
        return replace(self, low=min(low, float(values.min())), high=max(high, float(values.max())))

    def _ends(self) -> tuple[float, float]:
        low, high = self.bounds
        return (math.log(low), math.log(high)) if self.log else (low, high)


def axes_of(search: Mapping[str, Any], kind: Mapping[str, Plain] | None = None) -> tuple[Axis, ...]:
    """Return the axes of a space's ``search`` mapping, in its order.

    The alternatives of a path, each with its condition, share one axis. ``kind`` (values of other
    paths, as ``{"method": "sam"}``) leaves out the paths that are not drawn for it. A distribution
    that this version cannot read has no axis.
    """
    axes = []
    for path, given in search.items():
        alternatives = given if isinstance(given, list) else [given]
        try:
            dimensions = [parse_dimension(path, alternative) for alternative in alternatives]
        except ValueError:
            axes.append(Axis(path))
            continue
        drawn = [d.distribution for d in dimensions if _may_be_drawn(d, kind or {})]
        if drawn:
            axes.append(_joined(path, [_axis(path, distribution) for distribution in drawn]))
    return tuple(axes)


def _may_be_drawn(dimension: Dimension, kind: Mapping[str, Plain]) -> bool:
    """Return whether no condition on a path of ``kind`` fails; others are undecided."""
    conditions = dimension.conditions
    return all(conditions[path].holds(kind[path]) for path in conditions.keys() & kind.keys())


def _joined(path: str, alternatives: list[Axis]) -> Axis:
    if not all(axis.is_numeric for axis in alternatives):
        return Axis(path)
    ends = [axis.bounds for axis in alternatives]
    return Axis(
        path,
        min(low for low, _ in ends),
        max(high for _, high in ends),
        all(a.log for a in alternatives),
        all(a.whole for a in alternatives),
        tuple(sorted({value for a in alternatives for value in a.options})),
    )


def _axis(path: str, distribution: Distribution) -> Axis:
    if not isinstance(distribution, Choice | Grid):
        low, high = map(float, distribution.ends())
        log = isinstance(distribution, LogUniform | LogInt)
        return Axis(path, low, high, log, whole=isinstance(distribution, Int | LogInt))
    values = distribution.values
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return Axis(path)
    low, high = float(min(values)), float(max(values))
    if low == high:
        return Axis(path)
    log = low > 0 and high / low >= _LOG_RATIO
    whole = all(isinstance(value, int) for value in values)
    return Axis(path, low, high, log, whole, tuple(sorted(map(float, values))))
