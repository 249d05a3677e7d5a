"""Replay a search on recorded curves, with any scheduler and sampler, without training.

Conductor, study and scheduler are those of a real search; only the trials are looked up, and kept
in memory. A proposal that was not recorded is replaced by the nearest recorded trial that this
replay has not used yet, and the sampler is told the values of that trial (as in Syne Tune, Salinas
et al. 2022, whose simulated backend this follows). Baselines are left out, since they cost the same
in every search. A setting that was recorded with several seeds is found with one of them, drawn at
random; a repeat (``budget.repeats``) is the next of them.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

import numpy as np

from tune_robust.errors import UserError
from tune_robust.runs.trial import Origin, Trial, name_of
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import Choice, Grid
from tune_robust.spaces.objective import spent
from tune_robust.spaces.space import Space
from tune_robust.spaces.unit_cube import to_unit
from tune_robust.tuning.engine.conductor import Conductor, Decision
from tune_robust.tuning.engine.slots import Slots
from tune_robust.tuning.simulation.memory_store import MemoryStore
from tune_robust.tuning.simulation.recording import Pool
from tune_robust.tuning.strategy.repeats import MOST
from tune_robust.tuning.strategy.study import Study
from tune_robust.tuning.strategy.warm_start import EarlierTrial

Clock = Literal["gradient_evaluations", "seconds"]

_SEEDS_APART = 100_000
"""The distance of the seeds of two replays, since a sampler's seed grows with each trial."""


@dataclass(frozen=True)
class Finish:
    """A trial that ran to its end: recorded name, objective, and compute used by then."""

    trial: str
    value: float
    compute: float


@dataclass(frozen=True)
class Replay:
    """The result of one replay; ``started`` has the recorded names of the trials, in order."""

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
    target: float | None = None,
    earlier: Sequence[EarlierTrial] = (),
) -> Replay:
    """Search ``pool`` once with ``space``.

    Args:
        pool: the recorded trials.
        space: the space of the pool, with any budget and searcher.
        seed: added to the searcher's own seed; replays with different seeds are independent.
        workers: how many trials run at a time.
        clock: the unit in which the time of an epoch, and its compute, are measured.
        compute: the replay ends when this much is used, in the clock's unit.
        target: the replay also ends when a finished trial has this objective or a better one.
        earlier: trials of other runs from which the sampler learns first, as in a warm start.

    Raises:
        UserError: the space has ``budget.repeats: auto``, but the recording has too few seeds; the
            budget limits the time, and the clock counts gradient evaluations; or the scheduler is
            pb2.
    """
    if space.budget.scheduler == "pb2":
        raise UserError(
            "budget.scheduler: found pb2, which cannot be replayed: its trials change their "
            "settings while they train, and the recorded ones have trained with constant settings. "
            "Choose asha, promotion, median or none."
        )
    if clock != "seconds":
        _check_untimed(space)
    searcher = space.searcher.seed + _SEEDS_APART * seed
    seeded = space.searcher.model_copy(update={"seed": searcher})
    searched = space.model_copy(update={"searcher": seeded, "baselines": ()})
    search = _Backend(pool, searched, clock, workers, earlier)
    search.run(compute, target)
    return Replay(seed, tuple(search.started), tuple(search.finished), search.compute)


def _check_untimed(space: Space) -> None:
    for name in ("hours", "gpu_hours"):
        if (limit := getattr(space.budget, name)) is not None:
            raise UserError(
                f"budget.{name}: {limit:g} limits the time of the search. Replay it with --clock "
                f"seconds, or without the limit: --set budget.{name}=null"
            )


class _Backend:
    """Runs the conductor's trials by looking up their epochs in the order in which they end."""

    def __init__(
        self,
        pool: Pool,
        space: Space,
        clock: Clock,
        workers: int,
        earlier: Sequence[EarlierTrial],
    ):
        store = MemoryStore()
        self._clock = clock
        self._proposals = _RecordedProposals(pool, space, store.trials, earlier)
        self._now = 0.0
        self._conductor = Conductor(
            space, store, threads=1, proposals=self._proposals, clock=lambda: self._now
        )
        gpus = space.resources.gpus
        held = 1.0 if gpus == "auto" else gpus
        self._conductor.give(Slots(cpus=1, gpus=held, concurrency=workers))
        self._queue: list[tuple[float, int]] = []
        self.finished: list[Finish] = []
        self.compute = 0.0

    @property
    def started(self) -> list[str]:
        """The recorded names of the trials, in order."""
        return [trial.name for trial in self._proposals.taken]

    def run(self, compute: float, target: float | None) -> None:
        """Run until no trial is left, ``compute`` is used or ``target`` is reached."""
        self._fill()
        while self._queue and self.compute < compute and not self._reached(target):
            self._now, number = heapq.heappop(self._queue)
            trial = self._conductor.trials[name_of(number)]
            if self._epoch_ended(trial) is Decision.GO_ON:
                self._await_epoch(trial)
            else:
                self._fill()

    def _reached(self, target: float | None) -> bool:
        if target is None or not self.finished:
            return False
        return not self._conductor.objective.better(target, self.finished[-1].value)

    def _fill(self) -> None:
        """Start trials on all free workers, as long as there are trials."""
        while (trial := self._conductor.next_trial()) is not None:
            self._await_epoch(trial)

    def _await_epoch(self, trial: Trial) -> None:
        epoch = len(trial.epochs) + 1
        cost = self._spent(trial, epoch) - self._spent(trial, epoch - 1)
        heapq.heappush(self._queue, (self._now + cost, trial.number))

    def _epoch_ended(self, trial: Trial) -> Decision:
        epoch, curve = len(trial.epochs) + 1, self._curve(trial)
        self.compute -= self._spent(trial, epoch - 1)
        self.compute += self._spent(trial, epoch)
        decision = self._conductor.on_epoch(trial.name, epoch, curve[epoch])
        if decision is Decision.GO_ON and epoch == len(curve):
            # The recording gave its trials less time than this search does.
            self._conductor.end(trial.name, "done")
            decision = Decision.END
        if trial.status == "done":
            value = self._conductor.objective.known_value(trial.epochs)
            recorded = self._proposals.taken[trial.number]
            self.finished.append(Finish(recorded.name, value, self.compute))
        return decision

    def _spent(self, trial: Trial, epoch: int) -> float:
        """Return the compute of a trial up to ``epoch``, in the replay's unit."""
        return spent(self._clock, epoch, self._curve(trial)[epoch]) if epoch else 0.0

    def _curve(self, trial: Trial) -> dict[int, dict[str, float | None]]:
        return self._proposals.taken[trial.number].epochs


class _RecordedProposals:
    """Proposals of a study, each replaced by the nearest recorded trial that is not yet used.

    A study cannot change its proposals. Since it is a function of the trials, a new one is made
    from them for each proposal, as when a search is resumed, and nothing needs to be reported to
    it.
    """

    def __init__(
        self,
        pool: Pool,
        space: Space,
        trials: Mapping[str, Trial],
        earlier: Sequence[EarlierTrial],
    ):
        self._space, self._objective, self._trials = space, pool.objective, trials
        self._earlier = earlier
        self._recorded = Recorded(space.dimensions, pool.trials, seed=space.searcher.seed)
        if space.budget.repeats == "auto" and self._recorded.fewest_seeds < MOST:
            raise UserError(
                f"budget.repeats: found auto; expected off, as the recording has settings with "
                f"fewer than {MOST} seeds, and a repeat needs another one."
            )
        self.planned = len(space.known)
        self.taken: list[Trial] = []

    def ask(
        self, number: int, repeats: Trial | None = None
    ) -> tuple[Origin, dict[str, Any]] | None:
        """Do the same as ``Study.ask``; also return None if every recorded setting is used."""
        if repeats is None and self._recorded.is_used_up:
            return None
        study = Study(self._space, self._objective, None, self._trials.values(), self._earlier)
        asked = study.ask(number, repeats)
        if asked is None:
            return None
        origin, values = asked
        if repeats is None:
            found = self._recorded.take_nearest(values)
        else:
            found = self._recorded.take_again(self.taken[repeats.number])
        self.taken.append(found)
        return origin, found.values

    def add(self, trial: Trial) -> None:
        """Do nothing: no recorded trial continues another one."""

    def report(self, trial: Trial, epoch: int) -> None:
        """Do nothing: the trials have the results."""

    def tell(self, trial: Trial) -> None:
        """Do nothing: the trials have the results."""


class Recorded:
    """Recorded settings as points, each of which is used once, with its seeds in a random order.

    Args:
        dimensions: those of the space.
        trials: trials with the same values differ in their seeds.
        seed: determines the order of the seeds.
    """

    def __init__(self, dimensions: Sequence[Dimension], trials: Sequence[Trial], *, seed: int = 0):
        self._dimensions = dimensions
        settings: dict[str, list[Trial]] = {}
        for trial in trials:
            settings.setdefault(_setting(trial), []).append(trial)
        self._names = list(settings)
        self.fewest_seeds = min(map(len, settings.values()))
        random = Random(seed)
        self._waiting = {name: random.sample(same, len(same)) for name, same in settings.items()}
        self._points = np.array([self._point(same[0].values) for same in settings.values()])
        self._free = np.ones(len(settings), bool)

    @property
    def is_used_up(self) -> bool:
        """Whether every setting is used."""
        return not self._free.any()

    def take_nearest(self, values: Mapping[str, Any]) -> Trial:
        """Return a trial of the nearest unused setting; of several, the one recorded first.

        The distance is that in the unit cube over the dimensions of ``values``; another category,
        or a dimension that the recorded trial lacks, has distance 1.
        """
        point = self._point(values)
        active = ~np.isnan(point)
        apart = np.abs(self._points - point)[:, active]
        apart = np.nan_to_num(np.minimum(apart, 1.0), nan=1.0)
        distance = np.where(self._free, (apart**2).sum(axis=1), np.inf)
        nearest = int(distance.argmin())
        self._free[nearest] = False
        return self._waiting[self._names[nearest]].pop()

    def take_again(self, trial: Trial) -> Trial:
        """Return a trial with the setting of ``trial`` and a seed that is not used yet."""
        return self._waiting[_setting(trial)].pop()

    def _point(self, values: Mapping[str, Any]) -> np.ndarray:
        """Return a coordinate per dimension: in [0, 1], or a category's number; NaN if inactive."""
        return np.array([_coordinate(dim, values) for dim in self._dimensions])


def _setting(trial: Trial) -> str:
    return json.dumps(trial.values, sort_keys=True)


def _coordinate(dim: Dimension, values: Mapping[str, Any]) -> float:
    if dim.path not in values or not dim.active(values):
        return math.nan
    match dim.distribution:
        case Choice(values=listed) | Grid(values=listed):
            return float(listed.index(values[dim.path]))
    return to_unit(dim.distribution, values[dim.path])


def open_grid(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space's document with a range in place of each grid of numbers.

    The range is logarithmic if the grid's steps are more even as ratios, and integer if its numbers
    are, so that a sampler finds the same as in a real search.
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
