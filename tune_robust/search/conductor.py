"""The search itself: what to run next, and what each result means. Knows nothing of Ray.

A backend (Ray, or recorded curves) asks ``next_trial`` whenever it has room, hands every epoch to
``on_epoch`` and does as it is told. All that happens goes through the store, and all that the
conductor knows when it opens comes from it: an interrupted search goes on where it was.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum

from tune_robust.search.objective import objective_of, spent
from tune_robust.search.retention import drop_checkpoints
from tune_robust.search.schedulers import build_scheduler
from tune_robust.search.space import Space
from tune_robust.search.store import ENDED, RunStore, Status, Trial
from tune_robust.search.study import Study
from tune_robust.search.tables import Tables
from tune_robust.search.warm_start import WarmStart


class Decision(Enum):
    """What the backend does with a trial after an epoch."""

    GO_ON = "go on"
    END = "end"


class Conductor:
    """One search over one run.

    Args:
        space: what to search.
        store: the run, opened for writing.
        threads: CPU threads of each trial, part of its configuration.
        watcher: called with a trial after each of its events, to show progress.
    """

    def __init__(
        self,
        space: Space,
        store: RunStore,
        *,
        threads: int,
        watcher: Callable[[Trial], None] = lambda trial: None,
    ):
        self.space, self.store, self.objective = space, store, objective_of(space)
        self._threads, self._watcher = threads, watcher
        self.total = space.trials
        self._exhausted = False
        self._tables = Tables(
            store, dict.fromkeys(dim.path for dim in space.dimensions), self.objective
        )
        self._scheduler = build_scheduler(space, self.objective)
        self._replay()
        earlier = WarmStart.of(store.folder.read_meta()).trials
        self._study = Study(
            space, self.objective, store.folder.journal, self.trials.values(), earlier
        )
        self._waiting = [t for t in self.trials.values() if t.status in {"pending", "interrupted"}]
        self._tables.write()

    @property
    def trials(self) -> Mapping[str, Trial]:
        """All trials so far, by name, in the order proposed."""
        return self.store.trials

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
    def remaining(self) -> int:
        """How many trials have not ended yet, those to be proposed included."""
        return self.total - sum(t.status in ENDED for t in self.trials.values())

    @property
    def complete(self) -> bool:
        """Whether everything there was to run has ended (a grid may be smaller than the budget)."""
        proposed = len(self.trials) >= self.total or self._exhausted
        return proposed and all(t.status in ENDED for t in self.trials.values())

    def next_trial(self) -> Trial | None:
        """An interrupted trial, else a new one; None when there is nothing left to start."""
        trial = self._waiting.pop(0) if self._waiting else self._propose()
        if trial is not None:
            self.store.start(trial.name)
            self._tables.refresh()
            self._watcher(trial)
        return trial

    def on_epoch(self, name: str, epoch: int, metrics: Mapping[str, float | None]) -> Decision:
        """Record an epoch; whether the trial goes on."""
        trial = self.trials[name]
        if trial.status in ENDED:
            return Decision.END
        self.store.add_epoch(name, epoch, metrics)
        value = metrics.get(self.objective.metric)
        if value is None or not math.isfinite(value):
            self.end(name, "failed", f"{self.objective.metric} is not finite at epoch {epoch}")
            return Decision.END
        self._study.report(trial, epoch)
        finished = epoch >= trial.total_epochs
        keep = self._keep(trial, epoch)
        if finished or not keep:
            self.end(name, "done" if finished else "stopped")
            return Decision.END
        self._tables.refresh()
        self._watcher(trial)
        return Decision.GO_ON

    def end(self, name: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended and tell the sampler."""
        trial = self.trials[name]
        if trial.status in ENDED:
            return
        self.store.end(name, status, error)
        if status in ENDED:
            self._study.tell(trial)
            drop_checkpoints(self.store.folder, self.trials.values(), self.objective)
        self._tables.refresh()
        self._watcher(trial)

    def close(self) -> None:
        """Mark what still runs as interrupted and bring the tables up to date."""
        for trial in self.trials.values():
            if trial.status == "running":
                self.end(trial.name, "interrupted")
        self._tables.write()
        self.store.close()

    def _propose(self) -> Trial | None:
        number = len(self.trials)
        if number >= self.total:
            return None
        asked = self._study.ask(number)
        if asked is None:
            self._exhausted = True
            return None
        origin, values = asked
        config = self.space.config_for(values, number=number, threads=self._threads)
        return self.store.add_trial(origin, values, config.model_dump(mode="json"))

    def _keep(self, trial: Trial, epoch: int) -> bool:
        """Baselines are references: they run to their end and set no rung's bar."""
        if trial.origin == "baseline":
            return True
        until = {e: m for e, m in trial.epochs.items() if e <= epoch}
        resource = spent(self.space.budget.unit, epoch, trial.epochs[epoch])
        return self._scheduler.keep(trial.name, resource, self.objective.value(until))

    def _replay(self) -> None:
        """Rebuild the rungs from the recorded epochs, in the order in which they came.

        A crash can fall between an epoch and the decision that it led to: decide now.
        """
        for name, epoch in self.store.history:
            trial = self.trials[name]
            if trial.epochs[epoch].get(self.objective.metric) is None:
                continue
            keep = self._keep(trial, epoch)
            newest = epoch == max(trial.epochs)
            if newest and trial.status not in ENDED:
                if epoch >= trial.total_epochs:
                    self.store.end(name, "done")
                elif not keep:
                    self.store.end(name, "stopped")
