"""Would early stopping have kept the winner? How well the rungs foretell the end.

Measured on a cohort that early stopping could not have selected: the sentinels, or every finished
trial where nothing is stopped. At each rung: Spearman's rank correlation between the values there
and at the end, its percentile-bootstrap interval (Efron 1979), and whether the cohort's best would
have been dropped, by replaying all results through the scheduler itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from tune_robust.metrics import Mode, sign_of
from tune_robust.runs.record import Record
from tune_robust.runs.trial import REFERENCES
from tune_robust.schedulers.asha import Scheduler
from tune_robust.schedulers.building import rungs_of, stopping_scheduler
from tune_robust.spaces.dimensions import varies_labels
from tune_robust.spaces.objective import objective_of, spent
from tune_robust.spaces.space import Space

LEAST = 4
"""Trials below which a rank correlation says nothing."""

_RESAMPLES = 2000


class Result(NamedTuple):
    """One epoch of one trial: ``resource`` in the budget's unit, ``value`` of the objective."""

    trial: str
    resource: float
    value: float


@dataclass(frozen=True)
class Rung:
    """One rung. ``n``: trials of the cohort with a value there.

    ``correlation`` in [-1, 1] and its 95 % interval ``low`` to ``high``: None for fewer than
    ``LEAST`` trials, or when all of them are equal. ``drops_best``: early stopping would have
    dropped the cohort's best here.
    """

    resource: float
    n: int
    correlation: float | None
    low: float | None
    high: float | None
    drops_best: bool


@dataclass(frozen=True)
class RungCheck:
    """The whole check. ``cohort``: names of its trials; ``best``: the one that ended best."""

    cohort: tuple[str, ...]
    best: str | None
    rungs: tuple[Rung, ...]

    def document(self) -> dict[str, Any]:
        """As plain data, with its reading."""
        return {**asdict(self), "reading": self.reading}

    @property
    def enough(self) -> bool:
        """Whether the cohort is large enough to say anything."""
        return len(self.cohort) >= LEAST

    @property
    def reading(self) -> str:
        """What it means, in a sentence that begins in lower case."""
        count = len(self.cohort)
        if not self.enough:
            return (
                f"too few trials yet: {count} ran to the end whatever their rungs said, {LEAST} "
                "are needed (budget.sentinels)."
            )
        dropped = [rung.resource for rung in self.rungs if rung.drops_best]
        if dropped:
            return (
                f"early stopping would have dropped {self.best}, the best of these {count} trials, "
                f"at {dropped[0]:.4g}. A later budget.grace or a smaller budget.reduction is safer."
            )
        unsure = [rung for rung in self.rungs if rung.low is None or rung.low <= 0]
        if unsure:
            return (
                f"early stopping would have kept {self.best}, the best of these {count} trials, "
                f"but the ranking at {unsure[0].resource:.4g} may say nothing of the end."
            )
        return (
            f"early stopping would have kept {self.best}, the best of these {count} trials, and "
            "the ranking at each rung foretells the end."
        )


def check_rungs(
    results: Iterable[Result],
    cohort: Collection[str],
    *,
    scheduler: Scheduler,
    rungs: Sequence[float],
    mode: Mode,
    seed: int = 0,
) -> RungCheck:
    """Check the ``rungs`` on a cohort of trials that ran to their end.

    Args:
        results: those of all trials that early stopping judges, in the order in which they came.
        cohort: names of the trials that it could not have selected.
        scheduler: one that has seen nothing yet.
        rungs: their resources, ascending.
        mode: whether larger (``max``) or smaller (``min``) values are better.
        seed: of the bootstrap.
    """
    results = list(results)
    curves: dict[str, list[Result]] = {}
    for result in results:
        if result.trial in cohort:
            curves.setdefault(result.trial, []).append(result)
    sign = sign_of(mode)
    best = max(curves, key=lambda trial: sign * curves[trial][-1].value, default=None)
    dropped = _dropped_at(results, best, scheduler)
    checked = []
    for number, rung in enumerate(rungs):
        following = rungs[number + 1] if number + 1 < len(rungs) else float("inf")
        drops = any(rung <= resource < following for resource in dropped)
        checked.append(_rung(rung, curves, drops, seed))
    return RungCheck(cohort=tuple(curves), best=best, rungs=tuple(checked))


def check_run(space: Space, record: Record) -> RungCheck | None:
    """The check of a run: its cohort are the sentinels, or all where nothing is stopped.

    None where trials learn different labels, whose scores do not compare, and where there are
    several objectives, by which no trial is stopped.
    """
    if space.objective.against or any(varies_labels(dim.path) for dim in space.dimensions):
        return None
    objective, trials = objective_of(space), record.trials
    judged = {name for name, t in trials.items() if t.origin not in REFERENCES}
    free = space.budget.scheduler == "none"
    cohort = [
        name for name in judged if trials[name].status == "done" and (free or trials[name].sentinel)
    ]
    seen: dict[str, dict[int, Mapping[str, float | None]]] = {}
    results = []
    for name, epoch in record.history if cohort else ():
        metrics = trials[name].epochs[epoch]
        until = seen.setdefault(name, {})
        until[epoch] = metrics
        value = objective.value(until)
        if name in judged and value is not None:
            results.append(Result(name, spent(space.budget.unit, epoch, metrics), value))
    return check_rungs(
        results,
        cohort,
        scheduler=stopping_scheduler(space),
        rungs=rungs_of(space),
        mode=objective.mode,
    )


def _dropped_at(results: Sequence[Result], best: str | None, scheduler: Scheduler) -> list[float]:
    """The resources at which the scheduler would have dropped ``best``.

    Any other trial goes no further once it is dropped; the best is followed to its end.
    """
    if best is None:
        return []
    dropped, gone = [], set()
    for trial, resource, value in results:
        if trial in gone or scheduler.keep(trial, resource, value):
            continue
        if trial == best:
            dropped.append(resource)
        else:
            gone.add(trial)
    return dropped


def _rung(rung: float, curves: Mapping[str, Sequence[Result]], drops: bool, seed: int) -> Rung:
    pairs = []
    for curve in curves.values():
        there = next((result.value for result in curve if result.resource >= rung), None)
        if there is not None:
            pairs.append((there, curve[-1].value))
    correlation, low, high = _correlation(np.array(pairs), seed)
    return Rung(rung, len(pairs), correlation, low, high, drops)


def _correlation(pairs: np.ndarray, seed: int) -> tuple[float | None, float | None, float | None]:
    """Spearman's, and its interval. A resample in which all are equal ranks nothing: left out."""
    if len(pairs) < LEAST or (pairs == pairs[0]).all(axis=0).any():
        return None, None, None
    # Slow to import, and only needed here.
    from scipy.stats import rankdata

    draws = np.random.default_rng(seed).integers(len(pairs), size=(_RESAMPLES, len(pairs)))
    samples = np.concatenate([pairs[None], pairs[draws]])
    ranks = rankdata(samples, axis=1)
    ranks -= ranks.mean(axis=1, keepdims=True)
    there, end = ranks[..., 0], ranks[..., 1]
    scale = np.sqrt((there**2).sum(axis=1) * (end**2).sum(axis=1))
    ranked = scale > 0
    correlations = (there * end).sum(axis=1)[ranked] / scale[ranked]
    low, high = np.quantile(correlations[1:], [0.025, 0.975])
    return float(correlations[0]), float(low), float(high)
