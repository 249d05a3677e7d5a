"""Sentinels: sampled trials that are never stopped early, to measure what stopping costs.

They are a cohort that early stopping does not select, on which ``rung_check`` measures how well the
rungs predict the end.
"""

from __future__ import annotations

from tune_robust.errors import Problem
from tune_robust.spaces.sections import Budget


def sentinel_numbers(sentinels: int, *, planned: int, total: int) -> frozenset[int]:
    """Return the numbers of the sentinels among the sampled trials, ``planned`` to ``total``.

    They are evenly spaced from the first sampled trial on, so that the early ones are drawn at
    random.
    """
    sampled = total - planned
    return frozenset(planned + n for n in range(sampled) if n * sentinels % sampled < sentinels)


def sentinel_problems(budget: Budget, *, planned: int, total: int) -> list[Problem]:
    """Return why the budget's sentinels are not valid, if so."""
    sampled = max(0, total - planned)
    if budget.sentinels and budget.scheduler == "none":
        message = (
            f"found {budget.sentinels}; expected 0, as scheduler none stops nothing: every "
            "finished trial serves as one already"
        )
    elif budget.sentinels > sampled:
        message = (
            f"found {budget.sentinels}; expected at most {sampled}: of {total} trials that many "
            "are sampled, the others being baselines and known points. Lower it or raise "
            "budget.trials"
        )
    else:
        return []
    return [Problem("budget.sentinels", message)]
