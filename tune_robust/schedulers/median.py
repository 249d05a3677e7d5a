"""The median rule, without any backend.

Golovin et al. 2017 (Google Vizier), section 3.2: a trial is stopped if its best value so far is
strictly worse than the median of the other trials' running averages up to the same resource. The
rule makes no assumption on the shape of the curves and stops at most about half of the trials at
any point, which makes it more cautious than successive halving, and slower. A trial is compared
with the latest PEERS at most, so that decisions do not become slower. The rule depends only on the
results, so replaying the recorded epochs in their order restores it exactly.
"""

from __future__ import annotations

import bisect
import statistics
from dataclasses import dataclass, field
from itertools import islice

from tune_robust.metrics import Mode, sign_of

PEERS = 512
"""The most trials that one is compared with: the latest ones."""


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
        """Return the average up to ``resource``.

        None if there is none or the trial has not got that far.
        """
        reported = bisect.bisect_right(self.resources, resource)
        if not reported or self.resources[-1] < resource:
            return None
        return self.averages[reported - 1]


class Median:
    """Stop trials that are worse than the median of the others.

    Args:
        grace: the resource that a trial uses before it may be stopped, > 0.
        mode: whether larger (``max``) or smaller (``min``) values are better.
        least: how many other trials must have used as much before a trial may be stopped.
    """

    def __init__(self, *, grace: float, mode: Mode, least: int = 5):
        self._sign = sign_of(mode)
        self._grace, self._least = grace, least
        self._curves: dict[str, _Curve] = {}

    def keep(self, trial: str, resource: float, value: float) -> bool:
        """Record the result; return False to stop the trial. A repeated result stops nothing."""
        curve = self._curves.setdefault(trial, _Curve())
        if curve.resources and resource <= curve.resources[-1]:
            return True
        curve.add(resource, self._sign * value)
        if resource < self._grace:
            return True
        peers = islice(reversed(self._curves.items()), PEERS)
        others = [other.average_at(resource) for name, other in peers if name != trial]
        averages = [average for average in others if average is not None]
        return len(averages) < self._least or curve.best >= statistics.median(averages)
