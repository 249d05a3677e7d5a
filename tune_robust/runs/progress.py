"""Where a search stands: who leads, what is spent, what is left."""

from __future__ import annotations

import bisect
import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from tune_robust.runs.trial import ENDED, Trial, name_of
from tune_robust.spaces.objective import objective_of, spent
from tune_robust.spaces.space import Space


class _Place(NamedTuple):
    """Ascending order is best first; of equal trials the first proposed."""

    score: float
    number: int
    trial: Trial


class SearchProgress:
    """Of the trials so far, by name; a view, always up to date with them.

    A trial that has ended is looked at once, so that asking costs as much as trials run, not as
    have been proposed.
    """

    def __init__(self, space: Space, trials: Mapping[str, Trial]):
        self.space, self.trials, self.objective = space, trials, objective_of(space)
        self._seen = 0
        self._open: dict[str, Trial] = {}
        self._ended: Counter[str] = Counter()
        self._spent_by_ended = 0.0
        self._done: list[_Place] = []
        self._dropped: list[_Place] = []

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
        racing, dropped = [*self._race(), *self._done[:1]], self._dropped[:1]
        for places in (racing, dropped):
            led = [place for place in places if place.score < math.inf]
            if led:
                return min(led).trial
        return None

    def best_first(self) -> Iterator[Trial]:
        """All trials by the objective; those without a value last, equal ones as proposed."""
        places = heapq.merge(self._race(), self._done, self._dropped)
        return (place.trial for place in places)

    def under_way(self) -> list[Trial]:
        """The trials that have not ended, by the objective."""
        return [place.trial for place in self._race()]

    @property
    def ended(self) -> int:
        """How many trials are over."""
        self._look()
        return self._ended.total()

    @property
    def remaining(self) -> int:
        """How many trials have not ended yet, those to be proposed included."""
        return self.total - self.ended

    @property
    def counts(self) -> Counter[str]:
        """Trials by status; those to be proposed are pending."""
        self._look()
        counts = self._ended + Counter(trial.status for trial in self._open.values())
        counts["pending"] += self.total - len(self.trials)
        return counts

    @property
    def spent(self) -> float:
        """What all trials together have cost so far, in the budget's unit."""
        self._look()
        return self._spent_by_ended + sum(map(self.spent_by, self._open.values()))

    @property
    def left(self) -> float | None:
        """About what the remaining trials will cost, if they go as those that have ended did.

        In the budget's unit; None before any has ended.
        """
        if not self.ended:
            return None
        mean = self._spent_by_ended / self.ended
        unproposed = self.total - len(self.trials)
        begun = sum(max(0.0, mean - self.spent_by(trial)) for trial in self._open.values())
        return mean * unproposed + begun

    def spent_by(self, trial: Trial) -> float:
        """What one trial has cost so far, in the budget's unit."""
        if not trial.epochs:
            return 0.0
        return spent(self.space.budget.unit, max(trial.epochs), trial.last)

    def _race(self) -> list[_Place]:
        self._look()
        return sorted(map(self._place, self._open.values()))

    def _look(self) -> None:
        """Take in which trials are new and which have ended."""
        while (trial := self.trials.get(name_of(self._seen))) is not None:
            self._seen += 1
            self._open[trial.name] = trial
        for trial in [trial for trial in self._open.values() if trial.status in ENDED]:
            del self._open[trial.name]
            self._ended[trial.status] += 1
            self._spent_by_ended += self.spent_by(trial)
            places = self._done if trial.status == "done" else self._dropped
            bisect.insort(places, self._place(trial))

    def _place(self, trial: Trial) -> _Place:
        score = self.objective.sort_key(self.objective.value(trial.epochs))
        return _Place(score, trial.number, trial)
