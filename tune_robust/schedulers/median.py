"""The median rule, without any backend.

Golovin et al. 2017 (Google Vizier), section 3.2: a trial is stopped when its best value so far is
strictly worse than the median of the other trials' running averages up to the same resource. It
assumes no shape of curves and stops about half of the trials at most at any one point: gentler than
successive halving, and slower. A function of the results alone, so replaying the recorded epochs
in their order rebuilds it exactly.
"""

from __future__ import annotations

import bisect
import statistics
from dataclasses import dataclass, field

from tune_robust.metrics import Mode, sign_of


@dataclass
class _Curve:
    """One trial's results: ``averages[i]`` is the mean of its values up to ``resources[i]``."""

    resources: list[float] = field(default_factory=list)
    averages: list[float] = field(default_factory=list)
    best: float = float("-inf")

    def add(self, resource: float, value: float) -> None:
        count = len(self.averages)
        before = self.averages[-1] if count else 0.0
        self.resources.append(resource)
        self.averages.append(before + (value - before) / (count + 1))
        self.best = max(self.best, value)

    def average_at(self, resource: float) -> float | None:
        """None if it has not come that far, or reported nothing up to there."""
        reported = bisect.bisect_right(self.resources, resource)
        if not reported or self.resources[-1] < resource:
            return None
        return self.averages[reported - 1]


class Median:
    """Stops what is worse than the median of its peers.

    Args:
        grace: resource before which no trial is stopped, > 0.
        mode: whether larger (``max``) or smaller (``min``) values are better.
        least: how many other trials must have come as far before any is stopped.
    """

    def __init__(self, *, grace: float, mode: Mode, least: int = 5):
        self._sign = sign_of(mode)
        self._grace, self._least = grace, least
        self._curves: dict[str, _Curve] = {}

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record the result; False when the trial falls short. What was reported is decided."""
        curve = self._curves.setdefault(trial, _Curve())
        if curve.resources and resource <= curve.resources[-1]:
            return True
        curve.add(resource, self._sign * value)
        if resource < self._grace:
            return True
        others = [c.average_at(resource) for name, c in self._curves.items() if name != trial]
        averages = [average for average in others if average is not None]
        return len(averages) < self._least or curve.best >= statistics.median(averages)
