"""Make the scheduler of a space, and the rungs at which early stopping is checked."""

from __future__ import annotations

from tune_robust.schedulers.asha import Asha, NoStopping, Scheduler, rung_levels
from tune_robust.schedulers.median import Median
from tune_robust.schedulers.promotion import ONE_OF, Promotion
from tune_robust.spaces.space import Space


def build_scheduler(space: Space) -> Scheduler:
    """Return a new scheduler for a space; that of a population is ``Population``."""
    if space.budget.scheduler in ("none", "pb2"):
        return NoStopping()
    if space.budget.scheduler == "promotion":
        return Promotion(
            grace=grace_of(space),
            reduction=space.budget.reduction,
            max_resource=space.max_resource,
            mode=space.objective.mode,
        )
    return stopping_scheduler(space)


def stopping_scheduler(space: Space) -> Asha | Median:
    """Return the scheduler of a space; ASHA, as by default, if the space stops nothing for good.

    For ``promotion``, as many continue at each rung as it promotes in the end, on average.
    """
    mode, grace = space.objective.mode, grace_of(space)
    if space.budget.scheduler == "median":
        return Median(grace=grace, mode=mode)
    return Asha(
        grace=grace,
        reduction=space.budget.reduction,
        max_resource=space.max_resource,
        mode=mode,
        one_of=ONE_OF if space.budget.scheduler == "promotion" else None,
    )


def rungs_of(space: Space) -> list[float]:
    """Return the resources of the scheduler's rungs; those of ASHA for schedulers without rungs."""
    return rung_levels(
        grace=grace_of(space), reduction=space.budget.reduction, max_resource=space.max_resource
    )


def grace_of(space: Space) -> float:
    """Return the resource that a trial uses before it may be stopped.

    Wrong labels are learned late: an earlier rung would rank trials by how fast they learn
    (docs/defaults.md).
    """
    return space.budget.grace or space.max_resource / space.budget.reduction
