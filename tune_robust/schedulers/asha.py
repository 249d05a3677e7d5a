"""Compute-aware asynchronous successive halving, without any backend.

Li et al. 2020 (arXiv 1810.05934), stopping variant: a trial that reaches a rung goes on when it is
among the best 1/reduction of all that have reached the rung. The resource is whatever the caller
counts; in gradient evaluations, SGD and SAM meet at equal compute. Rungs are a function of the
results alone, so replaying the recorded epochs in their order rebuilds them exactly.
"""

from __future__ import annotations

import bisect
import math
from typing import Protocol

from tune_robust.metrics import Mode, sign_of


class Scheduler(Protocol):
    """Decides, epoch by epoch, whether a trial goes on."""

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record that ``trial`` has reached ``value`` at ``resource``; False stops it."""


class NoStopping:
    """Every trial runs to its end."""

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Always True."""
        return True


def rung_levels(*, grace: float, reduction: int, max_resource: float) -> list[float]:
    """The resource of each rung, ascending: grace * reduction^i below ``max_resource``."""
    levels = []
    # A ninth of the whole, times nine, can fall short of it by a rounding error.
    while grace < max_resource * (1 - 1e-9):
        levels.append(grace)
        grace *= reduction
    return levels


class Asha:
    """Rungs at grace * reduction^i below ``max_resource``.

    Args:
        grace: resource before which no trial is stopped, > 0.
        reduction: eta >= 2; the best 1/eta at a rung go on.
        max_resource: a full trial's resource; the end itself is no rung.
        mode: whether larger (``max``) or smaller (``min``) values are better.
    """

    def __init__(self, *, grace: float, reduction: int, max_resource: float, mode: Mode):
        self._sign = sign_of(mode)
        self._reduction = reduction
        levels = rung_levels(grace=grace, reduction=reduction, max_resource=max_resource)
        self.rungs: dict[float, dict[str, float]] = {level: {} for level in levels}
        self._sorted: dict[float, list[float]] = {level: [] for level in levels}

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record the trial in each rung it has newly reached; False when it falls short in one.

        Fewer than ``reduction`` results decide nothing yet, and ties survive: accuracies on a small
        validation set are coarse.
        """
        reached = [m for m, r in self.rungs.items() if m <= resource and trial not in r]
        for level in reached:
            self.rungs[level][trial] = self._sign * value
            bisect.insort(self._sorted[level], self._sign * value)
        return all(self._among_best(self._sign * value, self._sorted[m]) for m in reached)

    def _among_best(self, value: float, results: list[float]) -> bool:
        if len(results) < self._reduction:
            return True
        places = math.ceil(len(results) / self._reduction)
        return len(results) - bisect.bisect_right(results, value) < places
