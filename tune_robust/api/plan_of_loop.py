"""What a search with a loop of the user's own comes to, in the loop's own units."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tune_robust.errors import UserError
from tune_robust.loops import check_loop
from tune_robust.spaces.space import Space
from tune_robust.tuning.simulation.kinds import kinds_of
from tune_robust.tuning.simulation.plan import Course, expected_course


def plan_of_loop(space: Space) -> dict[str, Any]:
    """Return the trials, reports and rungs of a search, without its time, which the loop alone has.

    Each report counts as one epoch, and as one gradient evaluation.

    Raises:
        UserError: the loop cannot be called, or the budget is in seconds.
    """
    for config in space.examples:
        check_loop(config)
    if space.budget.unit == "seconds":
        raise UserError(
            f"{space.name}: the budget is in seconds, and plan cannot time a loop of your own: "
            "only the loop knows how long a report takes. Search with --trials 1 to see."
        )
    untimed = space.budget.model_copy(update={"hours": None, "gpu_hours": None})
    space = space.model_copy(update={"budget": untimed})
    kinds = kinds_of(space)
    ones = dict.fromkeys(kinds, 1.0)
    full, expected = (
        expected_course(space, ones, at_a_time=1, stopping=stopping) for stopping in (False, True)
    )
    return {
        "space": space.name,
        "loop": space.train["loop"]["name"],
        "trials": space.trials,
        "reports": max(config.epochs for config in kinds.values()),
        "scheduler": space.budget.scheduler,
        "repeats": space.budget.repeats,
        "unit": space.budget.unit,
        "without_stopping": _course(full),
        "expected": _course(expected),
        "rungs": [asdict(rung) for rung in expected.rungs],
    }


def _course(course: Course) -> dict[str, float]:
    return {"reports": course.gradient_evaluations, "finished": course.finished}
