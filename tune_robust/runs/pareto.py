"""Several objectives: the values of each trial, and the Pareto front."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from tune_robust.metrics import AGAINST, Mode, sign_of
from tune_robust.runs.trial import Trial
from tune_robust.spaces.objective import Objective, objective_of
from tune_robust.spaces.space import Space


class Axis(NamedTuple):
    """One objective and its direction."""

    metric: str
    mode: Mode


def axes_of(space: Space) -> list[Axis]:
    """Return the objectives of a space, the main one first."""
    against = [Axis(metric, AGAINST[metric]) for metric in space.objective.against]
    return [Axis(space.objective.metric, space.objective.mode), *against]


def values_of(trial: Trial, objective: Objective, axes: Sequence[Axis]) -> list[float] | None:
    """Return the trial's value on each axis; None if one of them is unknown.

    The objective is taken at its own epoch, the others at the last epoch.
    """
    values = [objective.value(trial.epochs), *(trial.last.get(axis.metric) for axis in axes[1:])]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def pareto_front(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """Return the finished trials that no other trial dominates, best first by the main objective.

    Of trials that are equal in all objectives, only the first is returned.
    """
    objective, axes = objective_of(space), axes_of(space)
    losses: dict[str, tuple[float, ...]] = {}
    finished = [trial for trial in trials if trial.status == "done"]
    for trial in finished:
        values = values_of(trial, objective, axes)
        if values is not None:
            signed = zip(values, axes, strict=True)
            losses[trial.name] = tuple(-sign_of(axis.mode) * v for v, axis in signed)
    # A trial can only be dominated by one that comes before it in this order.
    ordered = sorted((t for t in finished if t.name in losses), key=lambda t: losses[t.name])
    front: list[Trial] = []
    for trial in ordered:
        own = losses[trial.name]
        if not any(
            all(a <= b for a, b in zip(losses[other.name], own, strict=True)) for other in front
        ):
            front.append(trial)
    return front
