"""Asynchronous successive halving that pauses trials and promotes the best of them later.

Li et al. 2020 (arXiv 1810.05934), promotion variant: a trial that reaches a rung is paused unless
it is among the best half there. As others reach the rung, a paused one may come to be among these;
it is then promoted, and continues from its checkpoint. No good trial is lost for having come early,
only postponed. With the usual 1/reduction in place of a half, too few trials would have finished
early in a search (docs/performance.md). As in ``Asha``, the caller chooses the resource, and
replaying the recorded epochs in their order restores the rungs exactly.
"""

from __future__ import annotations

from collections.abc import Collection

from tune_robust.metrics import Mode, sign_of
from tune_robust.schedulers.asha import rung_levels

ONE_OF = 2
"""One of so many trials at a rung continues."""


class Promotion:
    """Pause trials at rungs at grace * reduction^i below ``max_resource``; promote the best half.

    Args:
        grace: the resource of the first rung, > 0.
        reduction: eta >= 2, the ratio of one rung to the one before.
        max_resource: the resource of a complete trial; there is no rung at the end.
        mode: whether larger (``max``) or smaller (``min``) values are better.
    """

    def __init__(self, *, grace: float, reduction: int, max_resource: float, mode: Mode):
        self._sign = sign_of(mode)
        levels = rung_levels(grace=grace, reduction=reduction, max_resource=max_resource)
        self._rungs: dict[float, dict[str, float]] = {level: {} for level in levels}

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record the trial in each rung that it has newly reached; False if it is to pause there.

        Of equal trials, the one that reached the rung first comes first.
        """
        reached = [m for m, rung in self._rungs.items() if m <= resource and trial not in rung]
        for level in reached:
            self._rungs[level][trial] = self._sign * value
        return not reached or trial in self._best_at(reached[-1])

    def promoted(self, paused: Collection[str]) -> str | None:
        """Return which of the ``paused`` trials continues, the furthest and best first, or None."""
        waiting = set(paused)
        for level in reversed(self._rungs):
            here = (trial for trial in self._best_at(level) if trial in waiting)
            if (found := next(here, None)) is not None:
                return found
            waiting -= self._rungs[level].keys()
        return None

    def foremost(self, paused: Collection[str]) -> str | None:
        """Return the furthest and best of the ``paused`` trials; None if there is none."""
        for level in reversed(self._rungs):
            here = (trial for trial in self._ranked(level) if trial in paused)
            if (found := next(here, None)) is not None:
                return found
        return None

    def _best_at(self, level: float) -> list[str]:
        ranked = self._ranked(level)
        return ranked[: len(ranked) // ONE_OF]

    def _ranked(self, level: float) -> list[str]:
        rung = self._rungs[level]
        return sorted(rung, key=lambda trial: -rung[trial])
