"""Estimate the time of a search by simulating its scheduler with the times of a few real steps."""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import fmean, median
from typing import NamedTuple

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

    It has the seconds from the first trial to the last, those during which trials hold a GPU,
    weighted by its fraction, the compute used, the numbers of trials that start and that run to
    their end, and the rungs.
    """

    seconds: float
    gpu_seconds: float
    gradient_evaluations: float
    started: float
    finished: float
    rungs: tuple[Rung, ...] = ()


def expected_course(
    space: Space,
    epoch_seconds: Seconds,
    *,
    at_a_time: int,
    stopping: bool,
    gpus: float = 0.0,
    start: float = 0.0,
) -> Course:
    """Return the mean over searches whose trials are drawn and ranked at random.

    A trial has the same rank at all epochs, so that the savings of early stopping depend only on
    the rules of the scheduler. A real search stops somewhat fewer trials, because ties survive and
    because a sampler that learns proposes better trials later. As in a real search, no trial starts
    that would not be expected to finish within ``budget.hours`` and ``budget.gpu_hours``.

    Args:
        space: the space of the search.
        epoch_seconds: the seconds per epoch of each kind of trial that the space can draw.
        at_a_time: how many trials run at the same time.
        stopping: whether the space's scheduler stops trials.
        gpus: the fraction of a GPU that each trial holds.
        start: the seconds before the first trial, which count in ``budget.hours``.
    """
    given = _Given(space, epoch_seconds, at_a_time, stopping, gpus, start)
    courses = [_Course(given, seed).run() for seed in range(SEARCHES)]
    columns = zip(*(course.rungs for course in courses), strict=True)
    return Course(
        seconds=fmean(course.seconds for course in courses),
        gpu_seconds=fmean(course.gpu_seconds for course in courses),
        gradient_evaluations=fmean(course.gradient_evaluations for course in courses),
        started=fmean(course.started for course in courses),
        finished=fmean(course.finished for course in courses),
        rungs=tuple(
            Rung(rungs[0].resource, fmean(r.reach for r in rungs), fmean(r.go_on for r in rungs))
            for rungs in columns
        ),
    )


class _Given(NamedTuple):
    """The arguments of ``expected_course``."""

    space: Space
    seconds: Seconds
    at_a_time: int
    stopping: bool
    gpus: float
    start: float


class _Course:
    """A simulated search."""

    def __init__(self, given: _Given, seed: int):
        self._given, self._space, self._seconds = given, given.space, given.seconds
        self._trials = list(drawn_trials(given.space, seed))
        self._waiting = iter(range(len(self._trials)))
        rng, space = random.Random(seed), given.space
        self._scores = [rng.random() for _ in self._trials]
        self._typical = median(map(self._trial_seconds, range(len(self._trials))))
        self._started = 0
        self._device_seconds = 0.0
        stops = given.stopping and space.budget.scheduler not in ("none", "pb2")
        self._scheduler: Scheduler = stopping_scheduler(space) if stops else NoStopping()
        self._queue: list[tuple[float, int, int]] = []
        self._stopped: list[str] = []

    def run(self) -> Course:
        """Run to the end of the last trial."""
        now, passes, finished = 0.0, 0, 0
        self._fill(now)
        while self._queue:
            now, number, epoch = heapq.heappop(self._queue)
            config = self._trials[number][1]
            passes += config.passes_per_step
            self._device_seconds += self._epoch_seconds(number)
            cost = self._spent(number, epoch)
            if is_finished(self._space, epoch, config.total_epochs, cost):
                finished += 1
            elif self._keep(number, epoch):
                self._await_epoch(now, number, epoch + 1)
                continue
            self._fill(now)
        gpu_seconds = self._given.gpus * self._device_seconds
        return Course(now, gpu_seconds, passes, self._started, finished, tuple(self._rungs()))

    def _fill(self, now: float) -> None:
        """Start trials that are expected to finish in time, as many as run at the same time."""
        while len(self._queue) < self._given.at_a_time and self._in_time(now):
            number = next(self._waiting, None)
            if number is None:
                return
            self._started += 1
            self._await_epoch(now, number, 1)

    def _in_time(self, now: float) -> bool:
        budget, typical = self._space.budget, self._typical
        if budget.hours is not None and self._given.start + now + typical >= 3600 * budget.hours:
            return False
        if budget.gpu_hours is None:
            return True
        running = sum(
            self._trial_seconds(number) - (epoch - 1) * self._epoch_seconds(number)
            for _, number, epoch in self._queue
        )
        expected = self._given.gpus * (self._device_seconds + running + typical)
        return expected < 3600 * budget.gpu_hours

    def _trial_seconds(self, number: int) -> float:
        return self._epoch_seconds(number) * self._trials[number][1].total_epochs

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
