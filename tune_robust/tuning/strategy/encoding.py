"""The settings of a space as features of a Gaussian process.

A range or a grid of numbers is one feature in [0, 1]; a choice has one for each of its values, 1
for the chosen one. A dimension that is not active has 0.5, or zeros: whether it is active is a
function of the other features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tune_robust.gaussian_process import Array
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Choice, Grid, Int, LogInt
from tune_robust.spaces.unit_cube import from_unit, to_unit


class Encoding:
    """Converts settings to units, a coordinate in [0, 1] for each dimension, and to features.

    Args:
        dimensions: each after those on which its conditions depend.

    Attributes:
        groups: the number of the dimension of each feature, (features,).
        unordered: whether each dimension is a choice, (dimensions,).
    """

    def __init__(self, dimensions: Sequence[Dimension]):
        self._dimensions = dimensions
        choices = [isinstance(d.distribution, Choice) for d in dimensions]
        widths = [_cells(d) if choice else 1 for d, choice in zip(dimensions, choices, strict=True)]
        self.groups = np.repeat(np.arange(len(dimensions)), widths)
        self.unordered = np.array(choices)

    @property
    def dimensions(self) -> int:
        """The number of dimensions."""
        return len(self._dimensions)

    def units(self, settings: Sequence[Mapping[str, Any]]) -> Array:
        """Return the units of settings by path, (n, dimensions); 0.5 where one is not active."""
        rows = [[_unit(dim, values) for dim in self._dimensions] for values in settings]
        return np.array(rows, dtype=float).reshape(len(settings), self.dimensions)

    def snapped(self, units: Array) -> Array:
        """Return the units of the values to which they belong: the middle of their cells."""
        columns = [_snapped(d, units[:, n]) for n, d in enumerate(self._dimensions)]
        return np.stack(columns, axis=1)

    def features(self, units: Array) -> Array:
        """Return the features of snapped units, (n, features)."""
        columns = []
        for dim, column, active in zip(self._dimensions, units.T, self._active(units), strict=True):
            if isinstance(dim.distribution, Choice):
                chosen = (column * _cells(dim)).astype(int)
                columns += [active & (chosen == cell) for cell in range(_cells(dim))]
            else:
                columns.append(np.where(active, column, 0.5))
        return np.stack(columns, axis=1).astype(float)

    def untried(self, units: Array, *, at_least: int, at_most: int) -> dict[int, Array] | None:
        """Return what the first design still lacks; None if it is complete.

        It has a trial for each value of the largest unconditional choice, as far as ``at_most``
        trials allow.

        Args:
            units: those of the trials so far.
            at_least: the fewest trials of a complete design.
            at_most: the most trials of a design.

        Returns:
            For each unconditional choice, by the number of the dimension, the units of the values
            that have been tried least.
        """
        least, complete = {}, len(units) >= at_least
        for number, dim in enumerate(self._dimensions):
            if isinstance(dim.distribution, Choice) and not dim.when:
                cells = _cells(dim)
                tried = np.bincount((units[:, number] * cells).astype(int), minlength=cells)
                least[number] = (np.flatnonzero(tried == tried.min()) + 0.5) / cells
                complete = complete and tried.min() > 0
        return None if complete or len(units) >= at_most else least

    def _active(self, units: Array) -> list[NDArray[np.bool_]]:
        """Return for each dimension in which of the rows it is active."""
        found: list[NDArray[np.bool_]] = []
        for dim in self._dimensions:
            active = np.ones(len(units), bool)
            for path, condition in dim.conditions.items():
                holds = np.zeros(len(units), bool)
                for number, parent in enumerate(self._dimensions[: len(found)]):
                    if parent.path == path:
                        # Many rows have the same value of a choice.
                        distinct, places = np.unique(units[:, number], return_inverse=True)
                        values = (from_unit(parent.distribution, unit) for unit in distinct)
                        fits = np.array([condition.holds(v) for v in values], bool)[places]
                        holds |= found[number] & fits
                active &= holds
            found.append(active)
        return found


def _cells(dim: Dimension) -> int:
    match dim.distribution:
        case Choice(values=values) | Grid(values=values):
            return len(values)
        case Int(low=low, high=high):
            return high - low + 1
    return 0


def _unit(dim: Dimension, values: Mapping[str, Any]) -> float:
    if dim.path not in values or not dim.active(values):
        return 0.5
    match dim.distribution:
        case Choice(values=listed) | Grid(values=listed):
            return (listed.index(values[dim.path]) + 0.5) / len(listed)
    return to_unit(dim.distribution, values[dim.path])


def _snapped(dim: Dimension, units: Array) -> Array:
    if isinstance(dim.distribution, LogInt):
        return np.array([to_unit(dim.distribution, from_unit(dim.distribution, u)) for u in units])
    cells = _cells(dim)
    return (np.minimum(np.floor(units * cells), cells - 1) + 0.5) / cells if cells else units
