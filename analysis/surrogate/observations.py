"""The values of a metric in trials of all budgets, including stopped ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from analysis.stored.run import Run, scored_epochs

_RUNGS = 3  # budgets before the end at which all trials are read
_EQUAL = 1.15  # budgets whose ratio is at most this are one: methods differ in the cost of an epoch


@lru_cache(maxsize=8)
def read_trials(run: Run, metric: str) -> pd.DataFrame:
    """Return what is known of each trial: its values at the budgets where trials were cut off.

    A finished trial has a value at its end and one at each of up to three budgets where others were
    stopped; a stopped or running one has those at the budgets that it reached, and none at the end.
    Trials that failed are left out.

    Columns: trial, budget (the fraction of a finished trial, 1 at the end), value. The result is
    cached: do not change it.
    """
    usable = run.trials[run.trials["status"] != "failed"].set_index("trial")
    epochs = run.epochs[run.epochs["trial"].isin(usable.index)]
    full = full_budget(run.trials)
    ends = scored_epochs(epochs, run.objective)
    finished = ends[usable["status"].reindex(ends.index) == "done"]
    parts = [finished.assign(budget=1.0)]
    for cut in _cuts(ends["spent"].drop(finished.index).to_numpy(), full):
        until = scored_epochs(epochs[epochs["gradient_evaluations"] <= cut], run.objective)
        reached = until[ends["spent"].reindex(until.index) * _EQUAL >= cut]
        parts.append(reached.assign(budget=min(cut / full, 1.0)))
    found = pd.concat([part.reset_index() for part in parts], ignore_index=True)
    found = found.drop_duplicates(["trial", "budget"])
    return found.assign(value=found[metric])[["trial", "budget", "value"]].dropna()


def full_budget(trials: pd.DataFrame) -> float:
    """Return the gradient evaluations of a finished trial, or the most of any if none finished."""
    spent = trials["gradient_evaluations"]
    done = float(spent[trials["status"] == "done"].max())
    return float(spent.max()) if np.isnan(done) else done


def _cuts(spent: np.ndarray, full: float) -> list[float]:
    """Return up to three budgets, the lowest and the highest included, that stand for ``spent``."""
    cuts: list[float] = []
    for budget in np.unique(spent[(spent > 0) & (spent <= full)])[::-1]:
        if not cuts or cuts[-1] > _EQUAL * budget:
            cuts.append(float(budget))
    if len(cuts) <= _RUNGS:
        return cuts
    return [cuts[place] for place in np.linspace(0, len(cuts) - 1, _RUNGS).round().astype(int)]
