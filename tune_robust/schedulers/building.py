"""The scheduler that a space asks for, and the rungs at which early stopping is looked at."""

from __future__ import annotations

from tune_robust.schedulers.asha import Asha, NoStopping, Scheduler, rung_levels
from tune_robust.schedulers.median import Median
from tune_robust.spaces.space import Space


def build_scheduler(space: Space) -> Scheduler:
    """A scheduler that has seen nothing yet."""
    return NoStopping() if space.budget.scheduler == "none" else stopping_scheduler(space)


def stopping_scheduler(space: Space) -> Asha | Median:
    """The same; where the space stops nothing, the asha that it would have had."""
    mode, grace = space.objective.mode, grace_of(space)
    if space.budget.scheduler == "median":
        return Median(grace=grace, mode=mode)
    return Asha(
        grace=grace,
        reduction=space.budget.reduction,
        max_resource=space.max_resource,
        mode=mode,
    )


def rungs_of(space: Space) -> list[float]:
    """The resources of its rungs; those of asha for the schedulers that have none."""
    return rung_levels(
        grace=grace_of(space), reduction=space.budget.reduction, max_resource=space.max_resource
    )


def grace_of(space: Space) -> float:
    """The resource before which no trial is stopped.

    Wrong labels are learned late: an earlier rung ranks by how fast a trial learns
    (docs/defaults.md).
    """
    return space.budget.grace or space.max_resource / space.budget.reduction
