"""The search itself: what to run next, and what each result means, independently of Ray.

A backend (Ray, or recorded curves) calls ``next_trial`` whenever it has a free slot, passes every
epoch to ``on_epoch`` and carries out the decision. Everything is recorded in the store, and the
conductor starts from the store alone, so that an interrupted search continues where it was.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict
from enum import Enum
from typing import Any, Generic, Protocol

from typing_extensions import TypeVar

from tune_robust.runs.expected_gain import ExpectedGain, ends_search
from tune_robust.runs.progress import SearchProgress
from tune_robust.runs.store import RunStore
from tune_robust.runs.trial import ENDED, REFERENCES, Continued, Origin, Status, Trial
from tune_robust.runs.trial_store import TrialStore
from tune_robust.schedulers.building import build_scheduler
from tune_robust.schedulers.population import Population
from tune_robust.schedulers.promotion import Promotion
from tune_robust.spaces.objective import is_finished, objective_of, spent
from tune_robust.spaces.space import Space
from tune_robust.tuning.engine.deadline import Limit, TimeLimits
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.strategy.repeats import setting_to_repeat
from tune_robust.tuning.strategy.stopping import expected_gain, settled
from tune_robust.tuning.strategy.study import Study
from tune_robust.tuning.strategy.warm_start import WarmStart

RETRIES = 2
"""How often in a row, without an epoch in between, a trial with a lost process is retried."""


HOPELESS = 3
"""The search stops if this many trials fail with the same error and no trial has succeeded."""


class Decision(Enum):
    """What the backend is to do with a trial after an epoch."""

    GO_ON = "go on"
    END = "end"


class Proposals(Protocol):
    """Proposes the trials and learns from their results; in a real search, this is ``Study``."""

    @property
    def planned(self) -> int:
        """The number of trials that no sampler draws; nothing is repeated before as many."""

    def ask(
        self, number: int, repeats: Trial | None = None
    ) -> tuple[Origin, dict[str, Any]] | None:
        """Return the origin and the values of trial ``number``; None if there are no more.

        With ``repeats``, they are those of that trial, which is trained again with another seed.
        """

    def add(self, trial: Trial) -> None:
        """Add a trial that was not asked for, as it continues another one."""

    def report(self, trial: Trial, epoch: int) -> None:
        """Report one epoch of a running trial."""

    def tell(self, trial: Trial) -> None:
        """Report how a trial ended, by its status."""


Store = TypeVar("Store", bound=TrialStore, default=RunStore)


class Conductor(Generic[Store]):
    """One search over one run.

    Args:
        space: what to search.
        store: the run, opened for writing.
        threads: the CPU threads of each trial, which are part of its configuration.
        proposals: what proposes the trials; None for a study of the trials in ``store``.
        watcher: called with a trial after each of its events, to show progress.
        clock: the seconds since some moment, for the limits of time.

    Attributes:
        out_of_time: the limit of the budget because of which no trial is proposed any more.
        hopeless: the error with which all of the first trials, at least three, have failed, so that
            no trial is proposed any more; otherwise None.
    """

    def __init__(
        self,
        space: Space,
        store: Store,
        *,
        threads: int,
        proposals: Proposals | None = None,
        watcher: Callable[[Trial], None] = lambda trial: None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self.space, self.store, self.objective = space, store, objective_of(space)
        self._threads, self._watcher = threads, watcher
        self._given_proposals = proposals
        self._given: Slots | None = None
        self._slots: Slots | None = None
        self._began_with: dict[str, Slots] = {}
        self._needed: dict[str, Slots] = {}
        self._running: set[str] = set()
        self._lost: Counter[str] = Counter()
        self._limits = TimeLimits(space.budget, store.meta, clock)
        self._begun = False
        self.reload()

    def reload(self) -> None:
        """Start from the store as it is now, after changes of which this object has not heard."""
        self.progress = SearchProgress(self.space, self.store.trials)
        self.progress.expected_gain = self._recorded_gain()
        self._judged, self._exhausted = -1, self._converged
        self.out_of_time: Limit | None = None
        self.hopeless: str | None = None
        self._scheduler = build_scheduler(self.space)
        self._population = Population(self.space, self.trials) if self._has_population else None
        self._resume_paused()
        self._replay()
        self._proposals = self._given_proposals or self._study()
        self._upkeep = self.store.upkeep(self.space)
        self._waiting = [t for t in self.trials.values() if t.status in {"pending", "interrupted"}]
        self._upkeep.write()

    @property
    def trials(self) -> Mapping[str, Trial]:
        """All trials so far, by name, in the order of the proposals."""
        return self.store.trials

    @property
    def complete(self) -> bool:
        """Whether all trials have ended (a grid may be smaller than the budget, or time is up)."""
        proposed = len(self.trials) >= self.progress.total or self._exhausted
        return proposed and all(t.status in ENDED for t in self.trials.values())

    @property
    def running(self) -> int:
        """The number of trials that are running."""
        return len(self._running)

    def give(self, slots: Slots) -> None:
        """Use these slots; run.json records them, also when they are reduced."""
        self._given = slots
        self._take_slots()

    @property
    def given(self) -> Slots:
        """The slots of the last ``give``, which must have been called."""
        return _after_give(self._given)

    @property
    def slots(self) -> Slots:
        """The given slots, reduced after out-of-memory errors; ``give`` must have been called."""
        return _after_give(self._slots)

    def next_trial(self) -> Trial | None:
        """Return an interrupted trial, else a paused one that is promoted, else a new one.

        Returns None if no trial is left or can finish in time, all slots are in use, or the search
        is ``hopeless``.
        """
        if self.hopeless is not None:
            return None
        if self._slots is not None and self.running >= self._slots.concurrency:
            return None
        self._continue_best()
        trial = self._continued()
        if trial is None and not self._has_converged():
            trial = self._promoted() or self._propose()
        if trial is None and not self._running:
            trial = self._first_to_finish()
        if trial is None and not self._running:
            self._stop_paused()
        if trial is not None:
            self._begun = True
            self.store.start(trial.name)
            self._running.add(trial.name)
            self._limits.started(trial, self._gpus)
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
        """Record an epoch, with its calibration if known; return whether to continue."""
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
            self.end(name, "done" if finished else self._dropped)
            return Decision.END
        self._upkeep.refresh()
        self._watcher(trial)
        return Decision.GO_ON

    def note(self, name: str, text: str) -> None:
        """Record a remark on a trial, which continues."""
        self.store.note(name, text)
        self._watcher(self.trials[name])

    def end(self, name: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended and tell the sampler."""
        trial = self.trials[name]
        if trial.status in ENDED:
            return
        self.store.end(name, status, error)
        self._running.discard(name)
        self._limits.ended(name)
        if status in ENDED:
            self._proposals.tell(trial)
            self._upkeep.ended(trial)
        if status == "failed":
            self.hopeless = self._shared_error()
        self._note_time()
        self._upkeep.refresh()
        self._watcher(trial)

    def _shared_error(self) -> str | None:
        """Return the error with which three trials have failed, if no trial has succeeded yet.

        For a traceback, this is its last line.
        """
        trials = self.trials.values()
        failed = [trial for trial in trials if trial.status == "failed"]
        errors = {(trial.error or "").strip().rpartition("\n")[2] for trial in failed}
        others = any(trial.epochs for trial in trials if trial.status != "failed")
        return errors.pop() if len(failed) >= HOPELESS and len(errors) == 1 and not others else None

    def process_lost(self, name: str, reason: str) -> None:
        """Retry a trial whose process died from its last checkpoint, as long as it makes progress.

        Lost nodes therefore do not use up the retries of a trial.
        """
        self._lost[name] += 1
        if self._lost[name] > RETRIES:
            self.end(name, "failed", f"its process was lost {RETRIES + 1} times in a row: {reason}")
        else:
            self._retry(name, f"its process was lost, retried: {reason}")

    def out_of_memory(self, name: str, reason: str) -> None:
        """Retry a trial that ran out of GPU memory from its last checkpoint, with fewer at a time.

        A trial that has a GPU to itself (or runs alone) and still runs out of memory fails
        permanently, and no longer reduces the concurrency of the others.

        Args:
            name: the trial; it was started after ``give``.
            reason: the message of the device.
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
        """Set the given slots, or the fewest that a trial which ran out of memory needs."""
        self._slots = min(
            [self.given, *self._needed.values()], key=lambda s: (s.concurrency, -s.gpus)
        )
        self.store.update_meta(slots=asdict(self.slots))

    def _retry(self, name: str, reason: str) -> None:
        self.end(name, "interrupted", reason)
        self._waiting.insert(0, self.trials[name])

    def close(self) -> None:
        """Mark running trials as interrupted, update the tables, and release the run.

        Raises:
            OSError: the storage cannot be written; the run is released all the same, and running
                trials count as interrupted when it is opened next.
        """
        try:
            for trial in self.trials.values():
                if trial.status == "running":
                    self.end(trial.name, "interrupted")
            self._upkeep.write()
        finally:
            self.store.close()

    def _study(self) -> Study:
        """Return a study of everything recorded, and of the trials of earlier runs."""
        earlier, trials = WarmStart.of(self.store.meta).trials, self.trials.values()
        return Study(self.space, self.objective, self.store.journal, trials, earlier)

    @property
    def _dropped(self) -> Status:
        """The status of a trial that the scheduler does not keep."""
        return "paused" if self.space.budget.pauses else "stopped"

    @property
    def _has_population(self) -> bool:
        return self.space.budget.scheduler == "pb2"

    def _resume_paused(self) -> None:
        """Pause the trials again that were stopped only because the search had ended.

        It has been given more trials or more time since then, so that they may be promoted.
        """
        if len(self.trials) >= self.progress.total or self._converged or self._has_population:
            return
        for trial in self.trials.values():
            if trial.is_continuable:
                self.store.end(trial.name, "paused")

    def _continue_best(self) -> None:
        """Make the decision that is due in a population, if there is one."""
        population = self._population
        if population is None or (decision := population.due) is None:
            return
        from tune_robust.tuning.strategy.pb2 import next_continuation  # slow to import

        ending = population.division(decision).ending
        for trial in ending:
            self.end(trial.name, "stopped")
        while len(population.continuing(decision)) < len(ending):
            number, seed = len(self.trials), self.space.searcher.seed
            found = next_continuation(population, decision, number=number, seed=seed)
            used = found.parent.epochs[found.epoch]
            trial = self.store.add_trial(
                "sampled",
                found.values,
                found.config(),
                continues=Continued(
                    found.parent.name,
                    found.epoch,
                    float(used["gradient_evaluations"] or 0),
                    float(used["seconds"] or 0),
                ),
            )
            self._proposals.add(trial)
            self._waiting.append(trial)

    def _promoted(self) -> Trial | None:
        if self._population is not None:
            return self._in_time(self._population.released(self._paused))
        if not isinstance(self._scheduler, Promotion):
            return None
        return self._in_time(self._scheduler.promoted(self._paused))

    def _first_to_finish(self) -> Trial | None:
        """Return the best paused trial of a search that would end without a finished one.

        With few trials, none may be among the best half at every rung.
        """
        searched = (trial for trial in self.trials.values() if trial.origin not in REFERENCES)
        if not isinstance(self._scheduler, Promotion) or any(t.status == "done" for t in searched):
            return None
        return self._in_time(self._scheduler.foremost(self._paused))

    @property
    def _paused(self) -> set[str]:
        return {trial.name for trial in self.trials.values() if trial.status == "paused"}

    def _in_time(self, name: str | None) -> Trial | None:
        """Return the trial of this name, if it can finish in time."""
        found = None if name is None else self.trials[name]
        return found if found is not None and self._late(found) is None else None

    def _stop_paused(self) -> None:
        """Stop the trials that are still paused when nothing is left that could promote them."""
        for trial in self.trials.values():
            if trial.status == "paused":
                self.end(trial.name, "stopped")

    @property
    def _gpus(self) -> float:
        return 0.0 if self._slots is None else self._slots.gpus

    def _late(self, trial: Trial | None) -> Limit | None:
        """Return the limit of time that keeps a trial, None for a new one, from finishing."""
        return self._limits.exceeded(trial, reversed([*self.trials.values()]), gpus=self._gpus)

    def _recorded_gain(self) -> ExpectedGain | None:
        """Return the gain in run.json, unless the run is continued with another budget."""
        found, budget = ExpectedGain.of(self.store.meta), self.space.budget
        return found if found and budget.stop == "auto" and found.total == budget.trials else None

    @property
    def _converged(self) -> bool:
        return ends_search(self.progress.expected_gain)

    def _has_converged(self) -> bool:
        """Return whether the trials that are left are not worth their compute; record their gain.

        It is computed whenever another trial has ended or paused, once there are as many trials as
        baselines and known points.
        """
        space, trials = self.space, self.trials
        if space.budget.stop != "auto" or len(trials) < len(space.baselines) + len(space.known):
            return False
        found = settled(trials.values())
        if not self._converged and len(found) != self._judged:
            self._judged = len(found)
            if (gain := expected_gain(space, found, left=space.trials - len(trials))) is not None:
                self.progress.expected_gain = gain
                self.store.update_meta(expected_gain=gain._asdict())
        self._exhausted = self._exhausted or self._converged
        return self._converged

    def _continued(self) -> Trial | None:
        """Return the first interrupted trial that can finish in time.

        The others wait, since running trials that stop early may leave GPU-hours for them; when no
        trial is running, they are stopped.
        """
        for trial in [*self._waiting]:
            in_time = self._late(trial) is None
            if in_time or not self._running:
                self._waiting.remove(trial)
            if in_time:
                return trial
            if not self._running:
                self.end(trial.name, "stopped")
        return None

    def _note_time(self) -> None:
        """Record the time used, for when the search is resumed, and whether it is up."""
        if self._limits.any and (self._begun or self.out_of_time):
            self.store.update_meta(**self._limits.used, out_of_time=self.out_of_time is not None)

    def _propose(self) -> Trial | None:
        number = len(self.trials)
        if number >= min(self.space.trials, self.progress.total):
            return None
        if (limit := self._late(None)) is not None:
            if not self._running:
                self._exhausted, self.out_of_time = True, limit
                self._note_time()
            return None
        repeated = self._to_repeat(number)
        asked = self._proposals.ask(number, repeated)
        if asked is None:
            self._exhausted = True
            return None
        origin, values = asked
        name = None if repeated is None else repeated.name
        before = 0 if name is None else 1 + sum(t.repeats == name for t in self.trials.values())
        config = self.space.config_for(values, number=number, repeat=before, threads=self._threads)
        return self.store.add_trial(
            origin,
            values,
            config.model_dump(mode="json"),
            sentinel=repeated is None and origin == "sampled" and self._is_sentinel(number),
            repeats=name,
        )

    def _to_repeat(self, number: int) -> Trial | None:
        """Return the trial whose setting trial ``number`` repeats; None for a new setting."""
        if self.space.budget.repeats == "off" or number < self._proposals.planned:
            return None
        return setting_to_repeat(self.trials.values(), self.objective)

    def _is_sentinel(self, number: int) -> bool:
        """Return whether a trial is a sentinel; an extended run has no additional ones.

        One that falls on a repeat is the next new trial instead. Known points that are tried later
        count as if they had come first, since they are no sentinels.
        """
        trials = self.trials.values()
        known = sum(trial.origin == "known" and trial.repeats is None for trial in trials)
        number += len(self.space.known) - known
        due = sum(planned <= number for planned in self.space.sentinels)
        so_far = sum(trial.sentinel for trial in trials)
        return so_far < min(due, self.space.budget.sentinels)

    def _missing(self, metrics: Mapping[str, float | None]) -> str | None:
        """Return the first objective that has no finite value."""
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
        """Return whether a trial continues.

        Baselines and repeats always do, and do not count in the rungs. Sentinels run to their end
        as well, but count in the rungs like any other trial.
        """
        if trial.origin in REFERENCES or trial.repeats is not None:
            return True
        if self._population is not None:
            return not self._population.pauses(trial, epoch)
        until = {e: m for e, m in trial.epochs.items() if e <= epoch}
        resource = self._spent(trial, epoch)
        keep = self._scheduler.keep(trial.name, resource, self.objective.known_value(until))
        return keep or trial.sentinel

    def _replay(self) -> None:
        """Rebuild the rungs from the recorded epochs, in their order of arrival.

        A crash may have happened between an epoch and its decision, which is then made now.
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
                elif not keep and trial.paused_at < epoch:
                    self.store.end(name, self._dropped)


def _after_give(slots: Slots | None) -> Slots:
    if slots is None:
        raise RuntimeError("the conductor has no slots yet: call give() first")
    return slots


def _too_large(reason: str) -> str:
    return (
        f"out of GPU memory although it ran alone: {reason} It needs more than one GPU has left: "
        "set a smaller train.batch_size or model; if other programs use the GPU, end them; with "
        "resources.gpus: 1 each trial has a GPU to itself from the start."
    )
