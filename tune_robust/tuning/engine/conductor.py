"""The search itself: what to run next, and what each result means. Knows nothing of Ray.

A backend (Ray, or recorded curves) asks ``next_trial`` whenever it has room, hands every epoch to
``on_epoch`` and does as it is told. All that happens goes through the store, and all that the
conductor knows when it opens comes from it: an interrupted search goes on where it was.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import ENDED, REFERENCES, Origin, Status, Trial
from tune_robust.runs.trial_store import TrialStore
from tune_robust.schedulers.building import build_scheduler
from tune_robust.spaces.objective import is_finished, objective_of, spent
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.strategy.study import Study
from tune_robust.tuning.strategy.warm_start import WarmStart

RETRIES = 2
"""How often in a row, without an epoch between, a trial whose process was lost goes on."""


HOPELESS = 3
"""How many trials in a row fail with the same error, and none otherwise, until the search stops."""


class Decision(Enum):
    """What the backend does with a trial after an epoch."""

    GO_ON = "go on"
    END = "end"


class Proposals(Protocol):
    """What proposes the trials and learns how they go; ``Study`` is what does in a real search."""

    def ask(self, number: int) -> tuple[Origin, dict[str, Any]] | None:
        """The origin and the values of trial ``number``; None when there are no more."""

    def report(self, trial: Trial, epoch: int) -> None:
        """One epoch of a running trial."""

    def tell(self, trial: Trial) -> None:
        """How a trial ended, by its status."""


Store = TypeVar("Store", bound=TrialStore, default=RunStore)


class Conductor(Generic[Store]):
    """One search over one run.

    Args:
        space: what to search.
        store: the run, opened for writing.
        threads: CPU threads of each trial, part of its configuration.
        proposals: what proposes the trials; None for a study of what ``store`` has.
        watcher: called with a trial after each of its events, to show progress.

    Attributes:
        hopeless: the error that all of the first trials, at least three, have failed with; no trial
            is proposed any more. None as long as that is not so.
    """

    def __init__(
        self,
        space: Space,
        store: Store,
        *,
        threads: int,
        proposals: Proposals | None = None,
        watcher: Callable[[Trial], None] = lambda trial: None,
    ):
        self.space, self.store, self.objective = space, store, objective_of(space)
        self._threads, self._watcher = threads, watcher
        self.progress = SearchProgress(space, store.trials)
        self._given: Slots | None = None
        self._slots: Slots | None = None
        self._began_with: dict[str, Slots] = {}
        self._needed: dict[str, Slots] = {}
        self._running: set[str] = set()
        self._lost: Counter[str] = Counter()
        self._exhausted = False
        self.hopeless: str | None = None
        self._scheduler = build_scheduler(space)
        self._replay()
        self._proposals = proposals or self._study()
        self._upkeep = store.upkeep(space)
        self._waiting = [t for t in self.trials.values() if t.status in {"pending", "interrupted"}]
        self._upkeep.write()

    @property
    def trials(self) -> Mapping[str, Trial]:
        """All trials so far, by name, in the order proposed."""
        return self.store.trials

    @property
    def complete(self) -> bool:
        """Whether everything there was to run has ended (a grid may be smaller than the budget)."""
        proposed = len(self.trials) >= self.progress.total or self._exhausted
        return proposed and all(t.status in ENDED for t in self.trials.values())

    @property
    def running(self) -> int:
        """How many trials run now."""
        return len(self._running)

    def give(self, slots: Slots) -> None:
        """Run on these slots; run.json keeps them, and what out-of-memory leaves of them."""
        self._given = slots
        self._take_slots()

    @property
    def given(self) -> Slots:
        """The slots of the last ``give``, which must have been called."""
        return _after_give(self._given)

    @property
    def slots(self) -> Slots:
        """Those given, or what out-of-memory has left of them; ``give`` must have been called."""
        return _after_give(self._slots)

    def next_trial(self) -> Trial | None:
        """An interrupted trial, else a new one.

        None when none is left, all slots are taken, or the search is ``hopeless``.
        """
        if self.hopeless is not None:
            return None
        if self._slots is not None and self.running >= self._slots.concurrency:
            return None
        trial = self._waiting.pop(0) if self._waiting else self._propose()
        if trial is not None:
            self.store.start(trial.name)
            self._running.add(trial.name)
            if self._slots is not None:
                self._began_with[trial.name] = self._slots
            self._upkeep.refresh()
            self._watcher(trial)
        return trial

    def on_epoch(
        self,
        name: str,
        epoch: int,
        metrics: Mapping[str, float | None],
        *,
        reliability: list[list[float]] | None = None,
    ) -> Decision:
        """Record an epoch, and how confidence holds at it if that is known; whether to go on."""
        trial = self.trials[name]
        if trial.status in ENDED:
            return Decision.END
        if epoch not in trial.epochs:
            self._lost.pop(name, None)
        self.store.add_epoch(name, epoch, metrics, reliability)
        if missing := self._missing(metrics):
            self.end(name, "failed", f"{missing} is not finite at epoch {epoch}")
            return Decision.END
        self.hopeless = None
        self._proposals.report(trial, epoch)
        finished = self._finished(trial, epoch)
        keep = self._keep(trial, epoch)
        if finished or not keep:
            self.end(name, "done" if finished else "stopped")
            return Decision.END
        self._upkeep.refresh()
        self._watcher(trial)
        return Decision.GO_ON

    def note(self, name: str, text: str) -> None:
        """Record something that happened to a trial, which goes on."""
        self.store.note(name, text)
        self._watcher(self.trials[name])

    def end(self, name: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended and tell the sampler."""
        trial = self.trials[name]
        if trial.status in ENDED:
            return
        self.store.end(name, status, error)
        self._running.discard(name)
        if status in ENDED:
            self._proposals.tell(trial)
            self._upkeep.ended(trial)
        if status == "failed":
            self.hopeless = self._shared_error()
        self._upkeep.refresh()
        self._watcher(trial)

    def _shared_error(self) -> str | None:
        """The error that three trials have failed with, if no trial has got anywhere yet.

        Of a traceback, that is its last line: what was raised.
        """
        trials = self.trials.values()
        failed = [trial for trial in trials if trial.status == "failed"]
        errors = {(trial.error or "").strip().rpartition("\n")[2] for trial in failed}
        others = any(trial.epochs for trial in trials if trial.status != "failed")
        return errors.pop() if len(failed) >= HOPELESS and len(errors) == 1 and not others else None

    def process_lost(self, name: str, reason: str) -> None:
        """A trial's process died: retry it from its last checkpoint, for as long as it gets on.

        Nodes that come and go take no trial's chances away.
        """
        self._lost[name] += 1
        if self._lost[name] > RETRIES:
            self.end(name, "failed", f"its process was lost {RETRIES + 1} times in a row: {reason}")
        else:
            self._retry(name, f"its process was lost, retried: {reason}")

    def out_of_memory(self, name: str, reason: str) -> None:
        """A trial ran out of GPU memory: retry it from its last checkpoint, with fewer at a time.

        A trial that has a whole GPU (or runs alone) and still runs out fails for good, and no
        longer holds the others to a lower concurrency.

        Args:
            name: the trial; it was started after ``give``.
            reason: what the device said.
        """
        needed = self._began_with[name].halved()
        if needed is None:
            self._needed.pop(name, None)
            self.end(name, "failed", _too_large(reason))
        else:
            self._needed[name] = needed
        self._take_slots()
        if needed is not None:
            self._retry(name, f"out of GPU memory, retried with {self.slots.describe()}: {reason}")

    def _take_slots(self) -> None:
        """Those given, or the fewest that a trial which ran out of memory needs."""
        self._slots = min(
            [self.given, *self._needed.values()], key=lambda s: (s.concurrency, -s.gpus)
        )
        self.store.update_meta(slots=asdict(self.slots))

    def _retry(self, name: str, reason: str) -> None:
        self.end(name, "interrupted", reason)
        self._waiting.insert(0, self.trials[name])

    def close(self) -> None:
        """Mark what still runs as interrupted, bring the tables up to date, release the run.

        Raises:
            OSError: when the storage cannot be written to; the run is released all the same, and
                what still ran counts as interrupted when it is next opened.
        """
        try:
            for trial in self.trials.values():
                if trial.status == "running":
                    self.end(trial.name, "interrupted")
            self._upkeep.write()
        finally:
            self.store.close()

    def _study(self) -> Study:
        """Of what is recorded so far, and of the trials of earlier runs that it sets out from."""
        earlier, trials = WarmStart.of(self.store.meta).trials, self.trials.values()
        return Study(self.space, self.objective, self.store.journal, trials, earlier)

    def _propose(self) -> Trial | None:
        number = len(self.trials)
        if number >= self.progress.total:
            return None
        asked = self._proposals.ask(number)
        if asked is None:
            self._exhausted = True
            return None
        origin, values = asked
        config = self.space.config_for(values, number=number, threads=self._threads)
        return self.store.add_trial(
            origin, values, config.model_dump(mode="json"), sentinel=self._is_sentinel(number)
        )

    def _is_sentinel(self, number: int) -> bool:
        """An extended run has no more of them than the budget says."""
        if number not in self.space.sentinels:
            return False
        so_far = sum(trial.sentinel for trial in self.trials.values())
        return so_far < self.space.budget.sentinels

    def _missing(self, metrics: Mapping[str, float | None]) -> str | None:
        """The first of the objectives that has no finite value."""
        for metric in (self.objective.metric, *self.space.objective.against):
            value = metrics.get(metric)
            if value is None or not math.isfinite(value):
                return metric
        return None

    def _spent(self, trial: Trial, epoch: int) -> float:
        return spent(self.space.budget.unit, epoch, trial.epochs[epoch])

    def _finished(self, trial: Trial, epoch: int) -> bool:
        return is_finished(self.space, epoch, trial.total_epochs, self._spent(trial, epoch))

    def _keep(self, trial: Trial, epoch: int) -> bool:
        """References run to their end and set no rung's bar.

        Sentinels run to their end as well, but count in the rungs like any other.
        """
        if trial.origin in REFERENCES:
            return True
        until = {e: m for e, m in trial.epochs.items() if e <= epoch}
        resource = self._spent(trial, epoch)
        keep = self._scheduler.keep(trial.name, resource, self.objective.known_value(until))
        return keep or trial.sentinel

    def _replay(self) -> None:
        """Rebuild the rungs from the recorded epochs, in the order in which they came.

        A crash can fall between an epoch and the decision that it led to: decide now.
        """
        for name, epoch in self.store.history:
            trial = self.trials[name]
            if self._missing(trial.epochs[epoch]):
                continue
            keep = self._keep(trial, epoch)
            newest = epoch == max(trial.epochs)
            if newest and trial.status not in ENDED:
                if self._finished(trial, epoch):
                    self.store.end(name, "done")
                elif not keep:
                    self.store.end(name, "stopped")


def _after_give(slots: Slots | None) -> Slots:
    if slots is None:
        raise RuntimeError("the conductor has no slots yet: call give() first")
    return slots


def _too_large(reason: str) -> str:
    return (
        f"out of GPU memory with nothing beside it: {reason} It needs more than one GPU has left: "
        "set a smaller train.batch_size or model; if other programs use the GPU, end them; with "
        "resources.gpus: 1 each trial has a GPU to itself from the start."
    )
