"""Estimate the time of a search by simulating its scheduler with the times of a few real steps."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean

from tune_robust.runs.retention import FILES, most_kept
from tune_robust.schedulers.asha import Asha, NoStopping, Scheduler
from tune_robust.schedulers.building import stopping_scheduler
from tune_robust.spaces.objective import is_finished, spent
from tune_robust.spaces.space import Space
from tune_robust.tuning.simulation.kinds import SEARCHES, Kind, drawn_trials, kind_of

Seconds = Mapping[Kind, float]


@dataclass(frozen=True)
class Rung:
    """How many trials reach ``resource``, in the budget's unit, and how many continue."""

    resource: float
    reach: float
    go_on: float


@dataclass(frozen=True)
class Course:
    """The mean course of a search.

    It has the seconds from the first trial to the last, the compute used, the number of trials that
    run to their end, and the rungs.
    """

    seconds: float
    gradient_evaluations: float
    finished: float
    rungs: tuple[Rung, ...] = ()


def expected_course(
    space: Space, epoch_seconds: Seconds, *, at_a_time: int, stopping: bool
) -> Course:
    """Return the mean over searches whose trials are drawn and ranked at random.

    A trial has the same rank at all epochs, so that the savings of early stopping depend only on
    the rules of the scheduler. A real search stops somewhat fewer trials, because ties survive and
    because a sampler that learns proposes better trials later.

    Args:
        space: the space of the search.
        epoch_seconds: the seconds per epoch of each kind of trial that the space can draw.
        at_a_time: how many trials run at the same time.
        stopping: whether the space's scheduler stops trials.
    """
    courses = [
        _Course(space, epoch_seconds, at_a_time, stopping, seed).run() for seed in range(SEARCHES)
    ]
    columns = zip(*(course.rungs for course in courses), strict=True)
    return Course(
        seconds=fmean(course.seconds for course in courses),
        gradient_evaluations=fmean(course.gradient_evaluations for course in courses),
        finished=fmean(course.finished for course in courses),
        rungs=tuple(
            Rung(rungs[0].resource, fmean(r.reach for r in rungs), fmean(r.go_on for r in rungs))
            for rungs in columns
        ),
    )


class _Course:
    """A simulated search."""

    def __init__(
        self, space: Space, epoch_seconds: Seconds, at_a_time: int, stopping: bool, seed: int
    ):
        self._space, self._seconds, self._at_a_time = space, epoch_seconds, at_a_time
        self._trials = list(drawn_trials(space, seed))
        rng = random.Random(seed)
        self._scores = [rng.random() for _ in self._trials]
        stops = stopping and space.budget.scheduler != "none"
        self._scheduler: Scheduler = stopping_scheduler(space) if stops else NoStopping()
        self._queue: list[tuple[float, int, int]] = []
        self._stopped: list[str] = []

    def run(self) -> Course:
        """Run to the end of the last trial."""
        waiting = iter(range(len(self._trials)))
        for number in itertools.islice(waiting, self._at_a_time):
            self._await_epoch(0.0, number, 1)
        now, passes, finished = 0.0, 0, 0
        while self._queue:
            now, number, epoch = heapq.heappop(self._queue)
            config = self._trials[number][1]
            passes += config.passes_per_step
            cost = self._spent(number, epoch)
            if is_finished(self._space, epoch, config.total_epochs, cost):
                finished += 1
            elif self._keep(number, epoch):
                self._await_epoch(now, number, epoch + 1)
                continue
            for following in itertools.islice(waiting, 1):
                self._await_epoch(now, following, 1)
        return Course(now, passes, finished, tuple(self._rungs()))

    def _await_epoch(self, now: float, number: int, epoch: int) -> None:
        heapq.heappush(self._queue, (now + self._epoch_seconds(number), number, epoch))

    def _epoch_seconds(self, number: int) -> float:
        return self._seconds[kind_of(self._trials[number][1])]

    def _keep(self, number: int, epoch: int) -> bool:
        is_baseline, _ = self._trials[number]
        if is_baseline:
            return True
        resource = self._spent(number, epoch)
        keep = self._scheduler.keep(str(number), resource, self._scores[number])
        if keep or number in self._space.sentinels:
            return True
        self._stopped.append(str(number))
        return False

    def _spent(self, number: int, epoch: int) -> float:
        config = self._trials[number][1]
        metrics = {
            "gradient_evaluations": config.passes_per_step * epoch,
            "seconds": self._epoch_seconds(number) * epoch,
        }
        return spent(self._space.budget.unit, epoch, metrics)

    def _rungs(self) -> Iterator[Rung]:
        """Yield the rungs of ASHA; other schedulers have none."""
        if not isinstance(self._scheduler, Asha):
            return
        rungs = self._scheduler.rungs
        last = [max(r for r in rungs if trial in rungs[r]) for trial in self._stopped]
        for resource, results in rungs.items():
            yield Rung(resource, len(results), len(results) - last.count(resource))


def checkpoints_bytes(size: int, space: Space, at_a_time: int) -> int:
    """Return the most that checkpoints of ``size`` take, also of finished or paused trials."""
    return size * FILES * (at_a_time + most_kept(space))
