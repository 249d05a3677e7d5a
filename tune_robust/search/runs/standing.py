"""Where a search stands: who leads, what is spent, what is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from tune_robust.search.runs.store import ENDED, Trial
from tune_robust.search.spaces.objective import objective_of, spent
from tune_robust.search.spaces.space import Space


class Standing:
    """Of the trials so far, by name; a view, always up to date with them."""

    def __init__(self, space: Space, trials: Mapping[str, Trial]):
        self.space, self.trials, self.objective = space, trials, objective_of(space)

    @property
    def total(self) -> int:
        """How many trials there are in the end: those that the space proposes, or a confirmation's,
        which are all recorded beforehand.
        """
        first = next(iter(self.trials.values()), None)
        confirming = first is not None and first.origin == "confirmation"
        return len(self.trials) if confirming else self.space.trials

    @property
    def best(self) -> Trial | None:
        """The trial in the lead among those that have finished, or are still in the race."""
        led = [t for t in self.trials.values() if self.objective.value(t.epochs) is not None]
        racing = [t for t in led if t.status not in {"stopped", "failed"}]
        return min(
            racing or led,
            key=lambda t: self.objective.sort_key(self.objective.value(t.epochs)),
            default=None,
        )

    @property
    def ended(self) -> int:
        """How many trials are over."""
        return sum(trial.status in ENDED for trial in self.trials.values())

    @property
    def remaining(self) -> int:
        """How many trials have not ended yet, those to be proposed included."""
        return self.total - self.ended

    @property
    def counts(self) -> Counter[str]:
        """Trials by status; those to be proposed are pending."""
        counts = Counter(trial.status for trial in self.trials.values())
        counts["pending"] += self.total - len(self.trials)
        return counts

    @property
    def spent(self) -> float:
        """What all trials together have cost so far, in the budget's unit."""
        return sum(self.spent_by(trial) for trial in self.trials.values())

    @property
    def left(self) -> float | None:
        """About what the remaining trials will cost, if they go as those that have ended did.

        In the budget's unit; None before any has ended.
        """
        over = [t for t in self.trials.values() if t.status in ENDED]
        if not over:
            return None
        mean = sum(map(self.spent_by, over)) / len(over)
        under_way = [t for t in self.trials.values() if t.status not in ENDED]
        unproposed = self.total - len(self.trials)
        return mean * unproposed + sum(max(0.0, mean - self.spent_by(t)) for t in under_way)

    def spent_by(self, trial: Trial) -> float:
        """What one trial has cost so far, in the budget's unit."""
        if not trial.epochs:
            return 0.0
        return spent(self.space.budget.unit, max(trial.epochs), trial.last)
