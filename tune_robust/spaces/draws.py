"""Combinations of values that the dimensions of a space can take, and the points of a grid."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Condition


class Draws:
    """The combinations of values of the dimensions, by a few representative values of each.

    The representatives are every listed value, the ends of each range, and a value on either side
    of each number that a condition compares with, so that what is true for them is true for all
    values.
    """

    def __init__(self, dimensions: Sequence[Dimension]):
        self.dimensions = dimensions
        cuts: dict[str, set[float]] = {}
        for dimension in dimensions:
            for path, condition in dimension.conditions.items():
                cuts.setdefault(path, set()).update(condition.cuts)
        self._probes = {id(d): d.distribution.probes(cuts.get(d.path, ())) for d in dimensions}

    def probes(self, dimension: Dimension) -> tuple[Any, ...]:
        """Return the representative values of a dimension."""
        return self._probes[id(dimension)]

    def first(self, *conditions: Mapping[str, Condition]) -> dict[str, Any] | None:
        """Return values that meet all the conditions, including inherited ones, or None."""
        wanted = [pair for mapping in conditions for pair in mapping.items()]
        return next(self._assignments(wanted, {}), None)

    def _assignments(
        self, wanted: list[tuple[str, Condition]], values: dict[str, Any]
    ) -> Iterator[dict[str, Any]]:
        if not wanted:
            yield values
            return
        (path, condition), *rest = wanted
        if path in values:
            if condition.holds(values[path]):
                yield from self._assignments(rest, values)
            return
        for dimension in self.dimensions:
            if dimension.path == path:
                needed = [*dimension.conditions.items(), *rest]
                for probe in filter(condition.holds, self.probes(dimension)):
                    yield from self._assignments(needed, {**values, path: probe})

    def each(self) -> Iterator[tuple[Dimension, dict[str, Any]]]:
        """Yield every dimension with each of its representatives, in a complete draw."""
        for dimension in self.dimensions:
            needed = self.first(dimension.conditions)
            if needed is not None:
                for probe in self.probes(dimension):
                    yield dimension, self._completed({**needed, dimension.path: probe})

    def pairs(self) -> Iterator[dict[str, Any]]:
        """Yield complete draws with all pairs of representatives of every two dimensions."""
        for one, other in itertools.combinations(self.dimensions, 2):
            if one.path == other.path:
                continue
            wanted = [*one.conditions.items(), *other.conditions.items()]
            for a, b in itertools.product(self.probes(one), self.probes(other)):
                values = next(self._assignments(wanted, {one.path: a, other.path: b}), None)
                if values is not None:
                    yield self._completed(values)

    def _completed(self, values: dict[str, Any]) -> dict[str, Any]:
        for dimension in self.dimensions:
            if dimension.path not in values and dimension.active(values):
                values[dimension.path] = self.probes(dimension)[-1]
        return values


def grid_points(dimensions: Iterable[Dimension]) -> list[dict[str, Any]]:
    """Return every combination of the values; conditional dimensions only where active."""
    points: list[dict[str, Any]] = [{}]
    for dim in dimensions:
        points = [extended for point in points for extended in _extended(point, dim)]
    return points


def _extended(point: dict[str, Any], dim: Dimension) -> list[dict[str, Any]]:
    if not dim.active(point):
        return [point]
    return [{**point, dim.path: value} for value in dim.distribution.ends()]
