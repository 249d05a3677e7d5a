"""A search replayed on recorded curves, under any scheduler and sampler, without training.

Sampler, study and scheduler are those of a real search; only the trials are looked up. A proposal
that was not recorded gives way to the nearest recorded trial that this replay has not used yet, and
the sampler is told the values of that one (as in Syne Tune, Salinas et al. 2022, whose simulated
backend this follows). Baselines are left out: they cost the same under all.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tune_robust.runs.trial import Trial
from tune_robust.schedulers.building import build_scheduler
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Choice, Grid
from tune_robust.spaces.objective import is_finished, spent
from tune_robust.spaces.space import Space
from tune_robust.spaces.unit_cube import to_unit
from tune_robust.tuning.simulation.recording import Pool
from tune_robust.tuning.strategy.study import Study

Clock = Literal["gradient_evaluations", "seconds"]

_SEEDS_APART = 100_000
"""A sampler's seed grows with each trial: further apart than any replay has trials."""


@dataclass(frozen=True)
class Finish:
    """A trial that ran to its end: its recorded name, its objective, and the compute that the whole
    replay had spent by then."""

    trial: str
    value: float
    compute: float


@dataclass(frozen=True)
class Replay:
    """What one replay came to. ``started``: recorded names, in their order."""

    seed: int
    started: tuple[str, ...]
    finished: tuple[Finish, ...]
    compute: float


def replay(
    pool: Pool,
    space: Space,
    *,
    seed: int = 0,
    workers: int = 1,
    clock: Clock = "gradient_evaluations",
    compute: float = math.inf,
) -> Replay:
    """Search ``pool`` once as ``space`` says.

    Args:
        pool: the recorded trials.
        space: that of the pool, with any budget and searcher.
        seed: of the sampler, beside the searcher's own; replays with different seeds share nothing.
        workers: how many trials run at a time.
        clock: what an epoch takes of a worker's time, and counts as compute.
        compute: the replay ends when this much is spent, in the clock's unit.
    """
    searcher = space.searcher.seed + _SEEDS_APART * seed
    seeded = space.searcher.model_copy(update={"seed": searcher})
    search = _Search(pool, space.model_copy(update={"searcher": seeded, "baselines": ()}), clock)
    search.run(workers, compute)
    return Replay(seed, tuple(search.started), tuple(search.finished), search.compute)


class _Search:
    """One replay under way: the part that conductor and backend have in a real search."""

    def __init__(self, pool: Pool, space: Space, clock: Clock):
        self._pool, self._space, self._clock = pool, space, clock
        self._objective = pool.objective
        self._scheduler = build_scheduler(space)
        self._recorded = Recorded(space.dimensions, pool.trials)
        self._trials: list[Trial] = []
        self._queue: list[tuple[float, int]] = []
        self.started: list[str] = []
        self.finished: list[Finish] = []
        self.compute = 0.0

    def run(self, workers: int, compute: float) -> None:
        for _ in range(workers):
            self._start(0.0)
        while self._queue and self.compute < compute:
            now, number = heapq.heappop(self._queue)
            if self._goes_on(number):
                self._await_epoch(now, number)
            else:
                self._start(now)

    def _start(self, now: float) -> None:
        """The next trial on a free worker, if there is one."""
        number = len(self._trials)
        if number >= min(self._space.trials, len(self._pool.trials)):
            return
        # A study is a function of the trials: one made anew proposes what it would have.
        asked = Study(self._space, self._objective, None, self._trials).ask(number)
        if asked is None:
            return
        origin, values = asked
        found = self._recorded.take_nearest(values)
        self.started.append(found.name)
        name = f"t{number + 1:04d}"
        self._trials.append(Trial(name, origin, found.values, found.config, status="running"))
        self._await_epoch(now, number)

    def _await_epoch(self, now: float, number: int) -> None:
        trial, curve = self._trials[number], self._curve(number)
        epoch = len(trial.epochs) + 1
        cost = spent(self._clock, epoch, curve[epoch]) - self._spent(trial)
        heapq.heappush(self._queue, (now + cost, number))

    def _goes_on(self, number: int) -> bool:
        """One epoch of a trial has ended."""
        trial, curve = self._trials[number], self._curve(number)
        epoch = len(trial.epochs) + 1
        self.compute -= self._spent(trial)
        trial.epochs[epoch] = curve[epoch]
        self.compute += self._spent(trial)
        value = self._objective.known_value(trial.epochs)
        resource = spent(self._space.budget.unit, epoch, trial.last)
        keep = self._scheduler.keep(trial.name, resource, value)
        if is_finished(self._space, epoch, len(curve), resource):
            trial.status = "done"
            self.finished.append(Finish(self.started[number], value, self.compute))
        elif not keep and number not in self._space.sentinels:
            trial.status = "stopped"
        return trial.status == "running"

    def _spent(self, trial: Trial) -> float:
        """What a trial has cost so far, by the replay's clock."""
        return spent(self._clock, len(trial.epochs), trial.last) if trial.epochs else 0.0

    def _curve(self, number: int) -> dict[int, dict[str, float | None]]:
        return self._recorded.trials[self.started[number]].epochs


class Recorded:
    """Recorded trials as points, each to be taken once."""

    def __init__(self, dimensions: Sequence[Dimension], trials: Sequence[Trial]):
        self._dimensions = dimensions
        self.trials = {trial.name: trial for trial in trials}
        self._names = list(self.trials)
        self._points = np.array([self._point(trial.values) for trial in trials])
        self._free = np.ones(len(trials), bool)

    def take_nearest(self, values: Mapping[str, Any]) -> Trial:
        """The nearest free trial, the first recorded of several.

        Distance in the unit cube over the dimensions of ``values``; another category, or a
        dimension that the recorded trial does not have, is at distance 1.
        """
        point = self._point(values)
        active = ~np.isnan(point)
        apart = np.abs(self._points - point)[:, active]
        apart = np.nan_to_num(np.minimum(apart, 1.0), nan=1.0)
        distance = np.where(self._free, (apart**2).sum(axis=1), np.inf)
        nearest = int(distance.argmin())
        self._free[nearest] = False
        return self.trials[self._names[nearest]]

    def _point(self, values: Mapping[str, Any]) -> np.ndarray:
        """One coordinate per dimension: in [0, 1], or a category's number; NaN if not active."""
        return np.array([_coordinate(dim, values) for dim in self._dimensions])


def _coordinate(dim: Dimension, values: Mapping[str, Any]) -> float:
    if dim.path not in values or not dim.active(values):
        return math.nan
    match dim.distribution:
        case Choice(values=listed) | Grid(values=listed):
            return float(listed.index(values[dim.path]))
    return to_unit(dim.distribution, values[dim.path])


def open_grid(document: Mapping[str, Any]) -> dict[str, Any]:
    """A space's document with a range for each grid of numbers, from its first to its last.

    The range is logarithmic where the grid's steps are more even as ratios, and whole where its
    numbers are: so that a sampler finds what it would find in a real search.
    """
    search = {
        path: [_opened(d) for d in given] if isinstance(given, list) else _opened(given)
        for path, given in document["search"].items()
    }
    return {**document, "search": search}


def _opened(distribution: Mapping[str, Any]) -> Mapping[str, Any]:
    values = distribution.get("grid", [])
    if len(values) < 2:
        return distribution
    low, high = min(values), max(values)
    kind = "int" if all(isinstance(value, int) for value in values) else "uniform"
    steps = np.diff(np.sort(values))
    if low > 0:
        ratios = np.diff(np.log(np.sort(values)))
        if ratios.std() / ratios.mean() < steps.std() / steps.mean():
            kind = f"log_{kind}"
    rest = {key: value for key, value in distribution.items() if key != "grid"}
    return {kind: [low, high], **rest}
