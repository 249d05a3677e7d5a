"""The scheduler that a space's budget asks for."""

from __future__ import annotations

from tune_robust.search.asha import Asha, NoStopping, Scheduler
from tune_robust.search.median import Median
from tune_robust.search.objective import Objective
from tune_robust.search.space import Space


def grace_of(space: Space) -> float:
    """The resource before which no trial is stopped."""
    return space.budget.grace or space.max_resource / space.budget.reduction**2


def build_scheduler(space: Space, objective: Objective) -> Scheduler:
    """A new scheduler, without any results yet."""
    budget = space.budget
    if budget.scheduler == "none":
        return NoStopping()
    if budget.scheduler == "median":
        return Median(grace=grace_of(space), mode=objective.mode)
    return Asha(
        grace=grace_of(space),
        reduction=budget.reduction,
        max_resource=space.max_resource,
        mode=objective.mode,
    )
