"""Known points: settings that a search tries besides its proposals, such as published ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tune_robust.config import TrainConfig
from tune_robust.errors import Problem, nearest
from tune_robust.spaces.checks import Resolved
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Choice
from tune_robust.spaces.overrides import SpaceOverrides
from tune_robust.spaces.paths import get_path

Point = Mapping[str, Any]


class KnownPoints:
    """Sorts known points into those inside the space, and problems.

    A point that ``--set`` has excluded (by another distribution, or by fixing a dimension at
    another value) is silently ignored, so that the list need not be repeated. The same applies to a
    point that sets a dimension that is never drawn.
    """

    def __init__(
        self,
        resolved: Resolved,
        searched: Sequence[str],
        overrides: SpaceOverrides,
        base: TrainConfig | None,
    ):
        self._resolved, self._searched = resolved, searched
        self._overrides, self._base = overrides, base

    def sort(self, given: Mapping[int, Point]) -> tuple[list[dict[str, Any]], list[Problem]]:
        """Return the points inside the space, and the problems of the others, by number."""
        points, problems = [], []
        for number, point in given.items():
            if self._taken_out(point):
                continue
            rest = {path: v for path, v in point.items() if path not in self._overrides.removed}
            messages = {path: self._message(path, rest) for path in rest}
            problems += [Problem(f"known.{number}.{p}", m) for p, m in messages.items() if m]
            if rest:
                points.append(rest)
        return points, problems

    def _taken_out(self, point: Point) -> bool:
        removed, searched = self._overrides.removed, self._overrides.search
        return (
            any(path in self._resolved.left_out for path in point)
            or any(p in searched and not self._in_some(p, point[p]) for p in point)
            or any(p in removed and not self._is_fixed_at(p, point[p]) for p in point)
        )

    def _is_fixed_at(self, path: str, value: Any) -> bool:
        return self._base is not None and get_path(self._base, path) == value

    def _in_some(self, path: str, value: Any) -> bool:
        return any(d.distribution.contains(value) for d in self._alternatives(path))

    def _alternatives(self, path: str) -> list[Dimension]:
        return [d for d in self._resolved.dimensions if d.path == path]

    def _message(self, path: str, point: Point) -> str | None:
        if path not in self._searched:
            close = nearest(path, self._searched)
            return f"it is not searched.{close} Searched: {', '.join(self._searched)}"
        alternatives = self._alternatives(path)
        if not alternatives or (self._resolved.problems and any(d.when for d in alternatives)):
            return None  # it cannot be checked before the search section is valid
        active = [d for d in alternatives if d.active(point)]
        if not active:
            conditions = (
                " and ".join(c.describe(on) for on, c in d.conditions.items()) for d in alternatives
            )
            return f"it is searched only when {' or '.join(conditions)}: the point must say so"
        if not any(d.distribution.contains(point[path]) for d in active):
            allowed = " or ".join(str(d.distribution) for d in active)
            close = nearest(point[path], _words(active))
            message = f"found {point[path]!r}; expected a value of {allowed}"
            return f"{message}.{close}" if close else message
        return None


def _words(alternatives: Sequence[Dimension]) -> list[str]:
    """Return the text among the choices."""
    choices = (d.distribution.values for d in alternatives if isinstance(d.distribution, Choice))
    return [value for values in choices for value in values if isinstance(value, str)]
