"""Asynchronous successive halving with a free choice of the resource, without any backend.

Li et al. 2020 (arXiv 1810.05934), stopping variant: a trial that reaches a rung continues if it is
among the best 1/reduction of all trials that have reached the rung. The caller chooses the
resource; with gradient evaluations, SGD and SAM are compared at equal compute. The rungs depend
only on the results, so replaying the recorded epochs in their order restores them exactly.
"""

from __future__ import annotations

import bisect
import math
from typing import Protocol

from tune_robust.metrics import Mode, sign_of


class Scheduler(Protocol):
    """Decide after each epoch whether a trial continues."""

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record that ``trial`` has reached ``value`` at ``resource``; return False to stop it."""


class NoStopping:
    """Let every trial run to its end."""

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Always True."""
        return True


def rung_levels(*, grace: float, reduction: int, max_resource: float) -> list[float]:
    """Return the resource of each rung, ascending: grace * reduction^i below ``max_resource``."""
    levels = []
    # A ninth of the total, times nine, can be slightly less than the total by rounding.
    while grace < max_resource * (1 - 1e-9):
        levels.append(grace)
        grace *= reduction
    return levels


class Asha:
    """Stop trials at rungs at grace * reduction^i below ``max_resource``.

    Args:
        grace: the resource that a trial uses before it may be stopped, > 0.
        reduction: eta >= 2; the best 1/eta of the trials at a rung continue.
        max_resource: the resource of a complete trial; there is no rung at the end.
        mode: whether larger (``max``) or smaller (``min``) values are better.
        one_of: one of so many trials at a rung continues; ``reduction`` by default.
    """

    def __init__(
        self,
        *,
        grace: float,
        reduction: int,
        max_resource: float,
        mode: Mode,
        one_of: int | None = None,
    ):
        self._sign = sign_of(mode)
        self._one_of = one_of or reduction
        levels = rung_levels(grace=grace, reduction=reduction, max_resource=max_resource)
        self.rungs: dict[float, dict[str, float]] = {level: {} for level in levels}
        self._sorted: dict[float, list[float]] = {level: [] for level in levels}

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record the trial in each rung that it has newly reached; False if one stops it.

        A rung with fewer than ``one_of`` results stops no trial, and ties survive, because
        accuracies on a small validation set are coarse.
        """
        reached = [m for m, r in self.rungs.items() if m <= resource and trial not in r]
        for level in reached:
            self.rungs[level][trial] = self._sign * value
            bisect.insort(self._sorted[level], self._sign * value)
        return all(self._among_best(self._sign * value, self._sorted[m]) for m in reached)

    def _among_best(self, value: float, results: list[float]) -> bool:
        if len(results) < self._one_of:
            return True
        places = math.ceil(len(results) / self._one_of)
        return len(results) - bisect.bisect_right(results, value) < places
