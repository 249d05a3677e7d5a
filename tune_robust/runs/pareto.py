"""Several objectives: what each trial has of them, and which trials none beats in all."""

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
    """The objectives of a space, the main one first."""
    against = [Axis(metric, AGAINST[metric]) for metric in space.objective.against]
    return [Axis(space.objective.metric, space.objective.mode), *against]


def values_of(trial: Trial, objective: Objective, axes: Sequence[Axis]) -> list[float] | None:
    """Where the trial stands on each axis; None if it is not known on one of them.

    The objective counts at its own epoch, the rest at the last.
    """
    values = [objective.value(trial.epochs), *(trial.last.get(axis.metric) for axis in axes[1:])]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def pareto_front(trials: Iterable[Trial], space: Space) -> list[Trial]:
    """The finished trials that no other equals or beats in all objectives, best first by the main
    one. Of trials that are equal in all, the first stands for them.
    """
    objective, axes = objective_of(space), axes_of(space)
    losses: dict[str, tuple[float, ...]] = {}
    finished = [trial for trial in trials if trial.status == "done"]
    for trial in finished:
        values = values_of(trial, objective, axes)
        if values is not None:
            signed = zip(values, axes, strict=True)
            losses[trial.name] = tuple(-sign_of(axis.mode) * v for v, axis in signed)
    # A trial can only be beaten by one that comes before it in this order.
    ordered = sorted((t for t in finished if t.name in losses), key=lambda t: losses[t.name])
    front: list[Trial] = []
    for trial in ordered:
        own = losses[trial.name]
        if not any(
            all(a <= b for a, b in zip(losses[other.name], own, strict=True)) for other in front
        ):
            front.append(trial)
    return front
