"""Would early stopping have kept the winner? How well the rungs predict the end.

This is measured on trials (the cohort) that early stopping could not select: the sentinels, or
every finished trial if nothing is stopped. For each rung it reports Spearman's rank correlation
between the values at the rung and at the end, with its percentile bootstrap interval (Efron 1979),
and whether the best trial of the cohort would have been stopped, by replaying all results through
the scheduler.
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
"""With fewer trials than this, a rank correlation is not meaningful."""

_RESAMPLES = 2000


class Result(NamedTuple):
    """One epoch of one trial: ``resource`` in the budget's unit, ``value`` of the objective."""

    trial: str
    resource: float
    value: float


@dataclass(frozen=True)
class Rung:
    """One rung; ``n`` trials of the cohort have a value there.

    ``correlation`` in [-1, 1] and its 95 % interval from ``low`` to ``high`` are None for fewer
    than ``LEAST`` trials, or if all values are equal. ``drops_best`` says whether early stopping
    would have stopped the best trial of the cohort here.
    """

    resource: float
    n: int
    correlation: float | None
    low: float | None
    high: float | None
    drops_best: bool


@dataclass(frozen=True)
class RungCheck:
    """The result of the check.

    ``cohort`` has the names of its trials, ``best`` the one that ended best.
    """

    cohort: tuple[str, ...]
    best: str | None
    rungs: tuple[Rung, ...]

    def document(self) -> dict[str, Any]:
        """Return the check and its interpretation as plain data."""
        return {**asdict(self), "reading": self.reading}

    @property
    def enough(self) -> bool:
        """Return whether the cohort is large enough for a meaningful result."""
        return len(self.cohort) >= LEAST

    @property
    def reading(self) -> str:
        """Return the interpretation as a sentence that begins in lower case."""
        count = len(self.cohort)
        if not self.enough:
            return (
                f"too few trials yet: {count} ran to the end independently of the rungs, and "
                f"{LEAST} are needed (budget.sentinels)."
            )
        dropped = [rung.resource for rung in self.rungs if rung.drops_best]
        if dropped:
            return (
                f"early stopping would have stopped {self.best}, the best of these {count} trials, "
                f"at {dropped[0]:.4g}. A later budget.grace or a smaller budget.reduction is safer."
            )
        unsure = [rung for rung in self.rungs if rung.low is None or rung.low <= 0]
        if unsure:
            return (
                f"early stopping would have kept {self.best}, the best of these {count} trials, "
                f"but the ranking at {unsure[0].resource:.4g} may not predict the ranking at the "
                "end."
            )
        return (
            f"early stopping would have kept {self.best}, the best of these {count} trials, and "
            "the ranking at each rung predicts the ranking at the end."
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
        results: the results of all trials under early stopping, in the order in which they arrived.
        cohort: the names of the trials that early stopping could not select.
        scheduler: a new scheduler.
        rungs: the resources of the rungs, ascending.
        mode: whether larger (``max``) or smaller (``min``) values are better.
        seed: the seed of the bootstrap.
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
    """Check a run on its sentinels, or on all of its trials if nothing is stopped.

    Returns None if the trials learn different labels, since their scores are not comparable; if
    there are several objectives, with which no trial is stopped; or of a population (pb2), which
    has no rungs.
    """
    if space.budget.scheduler == "pb2":
        return None
    if space.objective.against or any(varies_labels(dim.path) for dim in space.dimensions):
        return None
    objective, trials = objective_of(space), record.trials
    judged = {name for name, t in trials.items() if t.origin not in REFERENCES and not t.repeats}
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
    """Return the resources at which the scheduler would have stopped ``best``.

    Any other trial ends once it is stopped; the best one is followed to its end.
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
    """Return Spearman's correlation and its interval, without resamples in which all are equal."""
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
