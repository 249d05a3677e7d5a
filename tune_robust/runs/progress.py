"""The progress of a search: the best trial, the compute used, and the compute left."""

from __future__ import annotations

import bisect
import heapq
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import fmean
from typing import NamedTuple

from tune_robust.runs.expected_gain import ExpectedGain
from tune_robust.runs.trial import ENDED, Trial, name_of
from tune_robust.spaces.objective import objective_of, spent
from tune_robust.spaces.space import Space


class _Place(NamedTuple):
    """A sort key: ascending order is best first; equal trials are in the order proposed."""

    score: float
    number: int
    trial: Trial


class SearchProgress:
    """The progress of the trials so far: a view of ``trials``, by name, that is always up to date.

    A trial that has ended is evaluated once, so that the cost of a query depends on the running
    trials, not on all trials.

    Attributes:
        expected_gain: what the trials that are left are expected to gain, if it is known.
    """

    expected_gain: ExpectedGain | None = None

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
        """The total number of trials: those of the space, or of a confirmation, which are all
        recorded at its start. A population that has lost members may have fewer in the end.
        """
        first = next(iter(self.trials.values()), None)
        confirming = first is not None and first.origin == "confirmation"
        if confirming:
            return len(self.trials)
        self._look()
        return most_trials(self.space, len(self.trials), self._ended.total())

    @property
    def best(self) -> Trial | None:
        """The best trial among those that have finished or are still running.

        A setting that was repeated counts by the mean of its finished trials, as its first one.
        """
        new = [place for place in self._race() if place.trial.repeats is None]
        racing, dropped = [*new, *self._finished()[:1]], self._dropped[:1]
        for places in (racing, dropped):
            led = [place for place in places if place.score < math.inf]
            if led:
                return min(led).trial
        return None

    def best_first(self) -> Iterator[Trial]:
        """Iterate over all trials by the objective; trials without a value come last."""
        places = heapq.merge(self._race(), self._done, self._dropped)
        return (place.trial for place in places)

    def under_way(self) -> list[Trial]:
        """Return the trials that have not ended, sorted by the objective."""
        return [place.trial for place in self._race()]

    @property
    def ended(self) -> int:
        """The number of trials that have ended."""
        self._look()
        return self._ended.total()

    @property
    def remaining(self) -> int:
        """The number of trials that have not ended, including those still to be proposed."""
        return self.total - self.ended

    @property
    def counts(self) -> Counter[str]:
        """The number of trials by status; those still to be proposed are pending."""
        self._look()
        counts = self._ended + Counter(trial.status for trial in self._open.values())
        counts["pending"] += self.total - len(self.trials)
        return counts

    @property
    def spent(self) -> float:
        """The compute that all trials have used so far, in the budget's unit."""
        self._look()
        return self._spent_by_ended + sum(map(self.spent_by, self._open.values()))

    @property
    def left(self) -> float | None:
        """An estimate of the compute left, if the other trials take as much as those that ended.

        In the budget's unit; None before any has ended. The members of a population train to the
        end of a complete trial, or are replaced by others that do.
        """
        if self.space.budget.scheduler == "pb2":
            first = max(0, self.space.trials - len(self.trials))
            used = (self._used(trial) for trial in self.under_way())
            return sum(self.space.max_resource - each for each in used) + (
                self.space.max_resource * first
            )
        if not self.ended:
            return None
        mean = self._spent_by_ended / self.ended
        unproposed = self.total - len(self.trials)
        begun = sum(max(0.0, mean - self.spent_by(trial)) for trial in self._open.values())
        return mean * unproposed + begun

    def spent_by(self, trial: Trial) -> float:
        """Return the compute that one trial has used so far, in the budget's unit.

        Without that of the trial that it continues.
        """
        inherited = trial.inherited
        unit = self.space.budget.unit
        before = spent(unit, inherited.epoch, inherited._asdict()) if inherited else 0.0
        return self._used(trial) - before

    def _used(self, trial: Trial) -> float:
        """Return the compute of a trial's network so far, in the budget's unit."""
        if trial.epochs:
            return spent(self.space.budget.unit, max(trial.epochs), trial.last)
        begins = trial.continues
        return spent(self.space.budget.unit, begins.epoch, begins._asdict()) if begins else 0.0

    def _finished(self) -> list[_Place]:
        """Return a place for each finished setting, by its mean score."""
        if not any(place.trial.repeats for place in self._done):
            return self._done
        settings: dict[str, list[_Place]] = {}
        for place in sorted(self._done, key=lambda place: place.number):
            settings.setdefault(place.trial.repeats or place.trial.name, []).append(place)
        return sorted(
            same[0]._replace(score=fmean(place.score for place in same))
            for same in settings.values()
        )

    def _race(self) -> list[_Place]:
        self._look()
        return sorted(map(self._place, self._open.values()))

    def _look(self) -> None:
        """Update for new trials and for those that have ended."""
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


def most_trials(space: Space, proposed: int, ended: int) -> int:
    """Return how many trials a search has in the end, of which so many are proposed and ended.

    A population in which most members have failed continues fewer networks than planned.
    """
    over = space.budget.scheduler == "pb2" and space.trials <= proposed == ended
    return proposed if over else space.total_trials
