"""The searched dimensions of a run, as its space declares them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

_RANGES = {"uniform": False, "log_uniform": True, "int": False, "log_int": True}
_LOG_RATIO = 20  # a list of positive numbers that spans more than this is spaced by ratio


@dataclass(frozen=True)
class Dimension:
    """A searched path. Numeric ones have bounds; the others have ``low`` and ``high`` of None.

    ``whole``: whether it takes whole numbers alone. ``options``: the only numbers it takes, sorted,
    empty where it takes all between its bounds.
    """

    path: str
    low: float | None = None
    high: float | None = None
    log: bool = False
    whole: bool = False
    options: tuple[float, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether its values lie on an axis."""
        return self.low is not None

    def to_unit(self, values: Any) -> np.ndarray:
        """Values as positions in [0, 1] along the axis (its logarithm where it is log)."""
        values = np.asarray(values, dtype=float)
        low, high = self._ends()
        return ((np.log(values) if self.log else values) - low) / (high - low)

    def from_unit(self, positions: Any) -> np.ndarray:
        """The inverse of ``to_unit``."""
        low, high = self._ends()
        values = low + np.asarray(positions, dtype=float) * (high - low)
        return np.exp(values) if self.log else values

    def nearest(self, value: float) -> float | int:
        """The setting next to ``value`` that may be chosen, rounded to three digits."""
        if self.options:
            place = np.abs(self.to_unit(self.options) - self.to_unit(value)).argmin()
            value = self.options[place]
        elif not self.whole:
            value = float(f"{value:.3g}")
        return round(value) if self.whole else float(value)

    def covering(self, values: np.ndarray) -> Dimension:
        """The same axis, made longer where a value lies beyond its ends."""
        low, high = min(self.low, float(values.min())), max(self.high, float(values.max()))
        return replace(self, low=low, high=high)

    def _ends(self) -> tuple[float, float]:
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


def parse_dimensions(
    search: Mapping[str, Any], kind: Mapping[str, str] | None = None
) -> tuple[Dimension, ...]:
    """The dimensions of a space's ``search`` mapping, in its order.

    A path may have alternatives, each under its condition: together they span one axis. ``kind``
    (values of other paths, as ``{"method": "sam"}``) leaves out those that are not drawn for it.
    """
    dimensions = []
    for path, given in search.items():
        alternatives = given if isinstance(given, list) else [given]
        drawn = [a for a in alternatives if _is_drawn(a.get("when") or {}, kind or {})]
        if drawn:
            dimensions.append(_joined([_dimension(path, alternative) for alternative in drawn]))
    return tuple(dimensions)


def _is_drawn(when: Mapping[str, Any], kind: Mapping[str, str]) -> bool:
    for path, condition in when.items():
        if path in kind and not isinstance(condition, Mapping):
            allowed = condition if isinstance(condition, list) else [condition]
            if kind[path] not in allowed:
                return False
    return True


def _joined(alternatives: list[Dimension]) -> Dimension:
    first = alternatives[0]
    if not all(dimension.is_numeric for dimension in alternatives):
        return Dimension(first.path)
    return Dimension(
        first.path,
        min(d.low for d in alternatives),
        max(d.high for d in alternatives),
        all(d.log for d in alternatives),
        all(d.whole for d in alternatives),
        tuple(sorted({value for d in alternatives for value in d.options})),
    )


def _dimension(path: str, distribution: Mapping[str, Any]) -> Dimension:
    for kind, log in _RANGES.items():
        if kind in distribution:
            low, high = map(float, distribution[kind])
            return Dimension(path, low, high, log, kind.endswith("int"))
    values = distribution.get("choice") or distribution.get("grid") or []
    if not all(isinstance(v, int | float) and not isinstance(v, bool) for v in values):
        return Dimension(path)
    low, high = float(min(values, default=0)), float(max(values, default=0))
    if low == high:
        return Dimension(path)
    log = low > 0 and high / low >= _LOG_RATIO
    whole = all(isinstance(value, int) for value in values)
    return Dimension(path, low, high, log, whole, tuple(sorted(map(float, values))))
