"""A population of trials that train side by side: who waits, who ends and who is continued.

Population-based training (Jaderberg et al. 2017, arXiv 1711.09846) in synchronous intervals: every
member pauses at the next decision, until all that have not failed are there. The worst quarter then
end, and as many new trials continue networks of the best quarter; the settings of these are
selected in ``tuning.strategy.pb2``. Everything here is a function of the recorded trials, so that
a search that is resumed decides as if it had not been interrupted.
"""

from __future__ import annotations

import bisect
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from tune_robust.runs.trial import ENDED, REFERENCES, Trial
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.objective import objective_of, spent
from tune_robust.spaces.searchers import is_changeable
from tune_robust.spaces.space import Space


class Gain(NamedTuple):
    """The objective of a member at a decision (from 0), and at the one before it."""

    trial: Trial
    decision: int
    before: float
    after: float


class Division(NamedTuple):
    """What a decision does to the members, best first: it ends some, and continues ``parents``.

    As many trials continue parents as members end. The parents stay, too.
    """

    parents: list[Trial]
    staying: list[Trial]
    ending: list[Trial]


class Population:
    """The members of a population: all trials but the baselines.

    Args:
        space: the space of the search, whose ``decisions`` are the resources of the decisions.
        trials: the trials so far, by name, which may change.
    """

    def __init__(self, space: Space, trials: Mapping[str, Trial]):
        self._space, self._trials = space, trials
        self._decisions, self._objective = space.decisions, objective_of(space)

    @property
    def due(self) -> int | None:
        """The decision that all members have reached and that has not been made, if there is one.

        A decision that was interrupted while it was recorded is due again.
        """
        if len(self._trials) < self._space.trials:
            return None
        passed = min((self._passed(trial) for trial in self._alive()), default=0)
        return passed - 1 if passed and not self._is_made(passed - 1) else None

    def pauses(self, trial: Trial, epoch: int) -> bool:
        """Return whether a member waits after ``epoch`` for a decision."""
        before = self._passed(trial, epoch - 1)
        passed = self._passed(trial, epoch)
        return passed > before and not self._is_made(passed - 1)

    def released(self, paused: Collection[str]) -> str | None:
        """Return the first of the ``paused`` members that need not wait any longer."""
        waiting = [trial for trial in self._alive() if trial.name in paused]
        made = {passed: self._is_made(passed - 1) for passed in set(map(self._passed, waiting))}
        return next((trial.name for trial in waiting if made[self._passed(trial)]), None)

    def ranked(self, decision: int) -> list[Trial]:
        """Return the members that have trained until a decision, best first."""
        there = [trial for trial in self._members() if self._has_score(trial, decision)]
        return sorted(there, key=lambda trial: self._rank(trial, decision))

    def division(self, decision: int) -> Division:
        """Return what a decision does to the members.

        None ends unless there is a better one with settings that can change.
        """
        ranked = self.ranked(decision)
        count = min(self._space.replaced, len(ranked) // 2)
        staying = ranked[: len(ranked) - count]
        parents = [trial for trial in staying if self.changeable(trial)][:count]
        return (
            Division(parents, staying, ranked[len(staying) :])
            if parents
            else Division([], ranked, [])
        )

    def changeable(self, trial: Trial) -> list[Dimension]:
        """Return the dimensions of a trial that may change while it trains."""
        return [d for d in self._space.dimensions if is_changeable(d) and d.active(trial.values)]

    def continuing(self, decision: int) -> list[Trial]:
        """Return the trials that continue a member from a decision on, in their order."""
        return [t for t in self._members() if t.continues and self._inherited(t) == decision + 1]

    def reached(self, trial: Trial, decision: int) -> int:
        """Return the epoch after which a member's own training has reached a decision; 0 if not."""
        if self._inherited(trial) > decision:
            return 0
        epochs = sorted(trial.epochs)
        place = bisect.bisect_right(epochs, decision, key=lambda epoch: self._passed(trial, epoch))
        return epochs[place] if place < len(epochs) else 0

    def score(self, trial: Trial, decision: int) -> float:
        """Return the objective of a member at a decision, which it has reached."""
        until = self.reached(trial, decision)
        return self._objective.known_value({e: m for e, m in trial.epochs.items() if e <= until})

    def gains(self, decision: int) -> Iterator[Gain]:
        """Yield what each member has gained in each interval up to a decision, the first first.

        What a network scores before its training is not known: those of the first interval gain
        over the worst of them.
        """
        for number in range(decision + 1):
            ranked = self.ranked(number)
            for trial in sorted(ranked, key=lambda trial: trial.number):
                parent = trial.continues and self._trials[trial.continues.trial]
                if number == 0:
                    before = self.score(ranked[-1], number)
                elif parent and self._inherited(trial) == number:
                    before = self.score(parent, number - 1)
                else:
                    before = self.score(trial, number - 1)
                yield Gain(trial, number, before, self.score(trial, number))

    def _members(self) -> list[Trial]:
        return [trial for trial in self._trials.values() if trial.origin not in REFERENCES]

    def _alive(self) -> list[Trial]:
        return [trial for trial in self._members() if trial.status not in ENDED]

    def _is_made(self, decision: int) -> bool:
        """Return whether a decision has been recorded, in any case once a member is beyond it."""
        if any(self._is_beyond(trial, decision) for trial in self._members()):
            return True
        proposed = len(self._trials) >= self._space.trials
        if not proposed or any(self._passed(trial) <= decision for trial in self._alive()):
            return False
        return len(self.continuing(decision)) >= len(self.division(decision).ending)

    def _is_beyond(self, trial: Trial, decision: int) -> bool:
        if not trial.epochs or self._passed(trial) <= decision:
            return False
        until = self.reached(trial, decision)
        return trial.epoch > (until or trial.begins_after)

    def _passed(self, trial: Trial, epoch: int | None = None) -> int:
        """Return how many decisions a network has reached, after ``epoch`` or by now."""
        epoch = trial.epoch if epoch is None else epoch
        if epoch not in trial.epochs:
            return self._inherited(trial) if epoch >= trial.begins_after else 0
        used = spent(self._space.budget.unit, epoch, trial.epochs[epoch])
        return bisect.bisect_right(self._decisions, used * (1 + 1e-9))

    def _inherited(self, trial: Trial) -> int:
        """Return how many decisions the network that a trial continues had reached."""
        if trial.continues is None:
            return 0
        used = spent(self._space.budget.unit, trial.begins_after, trial.continues._asdict())
        return bisect.bisect_right(self._decisions, used * (1 + 1e-9))

    def _has_score(self, trial: Trial, decision: int) -> bool:
        """Return whether a member has reached a decision, and not failed there."""
        epoch = self.reached(trial, decision)
        return epoch > 0 and trial.epochs[epoch].get(self._objective.metric) is not None

    def _rank(self, trial: Trial, decision: int) -> tuple[float, int]:
        return self._objective.sort_key(self.score(trial, decision)), trial.number
