"""A box of settings: a range of each number, with the other settings of one trial."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.surrogate.features import Number
from analysis.surrogate.landscape import Landscape

STEP = 0.025
"""The fraction of an axis by which a box grows at a time."""


class Box(NamedTuple):
    """The trial that it grew from (one row), the numbers that apply to it, and its bounds.

    ``low`` and ``high`` are positions on the numbers' axes, in [0, 1].
    """

    start: pd.DataFrame
    sides: tuple[Number, ...]
    low: np.ndarray
    high: np.ndarray

    @property
    def width(self) -> float:
        """The mean width of the sides, in [0, 1]."""
        return float((self.high - self.low).mean())

    def ranges(self) -> list[tuple[Number, tuple[float, float]]]:
        """Return the numbers, each with the ends of its range, as positions on its axis."""
        ends = zip(self.low.tolist(), self.high.tolist(), strict=True)
        return list(zip(self.sides, ends, strict=True))

    def bounds(self) -> dict[str, tuple[float, float]]:
        """Return the lower and upper bound by path."""
        ends = ((each, each.axis.from_unit([low, high])) for each, (low, high) in self.ranges())
        return {number.path: (float(low), float(high)) for number, (low, high) in ends}

    def holds(self, positions: np.ndarray) -> np.ndarray:
        """Return whether each of the positions (m, sides) is in the box."""
        inside = (positions >= self.low - 1e-9) & (positions <= self.high + 1e-9)
        return np.asarray(inside.all(axis=1))

    def alike(self, land: Landscape, trials: pd.DataFrame) -> np.ndarray:
        """Return whether each trial differs from ``start`` in nothing but the numbers."""
        columns = [land.column(number) for number in self.sides]
        points, start = land.features(trials), land.features(self.start)
        same = np.delete(points, columns, axis=1) == np.delete(start, columns, axis=1)
        return same.all(axis=1)

    def positions(self, land: Landscape, trials: pd.DataFrame) -> np.ndarray:
        """Return the positions (m, sides) of trials on the numbers' axes."""
        return land.features(trials)[:, [land.column(number) for number in self.sides]]


def slice_of(
    land: Landscape, start: pd.DataFrame, sides: tuple[Number, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function from positions (m, sides) to features; the others are those of a trial."""
    features, columns = land.features(start), [land.column(number) for number in sides]

    def points(positions: np.ndarray) -> np.ndarray:
        rows = np.repeat(features, len(positions), axis=0)
        rows[:, columns] = positions
        return rows

    return points


def spread(count: int, dimensions: int) -> np.ndarray:
    """Return (count, dimensions) points that fill [0, 1] evenly; they are deterministic.

    They are those of a Kronecker sequence, whose steps are powers of the root of
    x ** (dimensions + 1) = x + 1 (Roberts 2018).
    """
    root = 2.0
    for _ in range(50):
        root = (1 + root) ** (1 / (dimensions + 1))
    steps = root ** -np.arange(1.0, dimensions + 1)
    return (0.5 + np.arange(1, count + 1)[:, None] * steps) % 1
