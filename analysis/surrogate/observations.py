"""The values of a metric in trials of all budgets, including stopped ones."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pandas as pd

from analysis.stored.run import Run, scored_epochs

_RUNGS = 3
_END = np.inf


@lru_cache(maxsize=8)
def read_trials(run: Run, metric: str) -> pd.DataFrame:
    """Return each trial's value where it ended, and at earlier budgets where others were stopped.

    Columns: trial, status, rung (infinite at the trial's end), spent (gradient evaluations), value.
    The result is cached: do not change it.
    """
    statuses = run.trials.set_index("trial")["status"]
    ends = scored_epochs(run.epochs, run.objective)
    stops = ends["spent"][statuses.reindex(ends.index) == "stopped"]
    total = run.epochs["trial"].map(ends["spent"])
    parts = [ends.assign(rung=_END)]
    for rung in _spread(np.unique(stops), _RUNGS):
        until = run.epochs[(run.epochs["gradient_evaluations"] <= rung) & (total > rung)]
        parts.append(scored_epochs(until, run.objective).assign(rung=rung))
    readings = pd.concat([part.reset_index() for part in parts if len(part)], ignore_index=True)
    readings = readings.assign(status=readings["trial"].map(statuses), value=readings[metric])
    return readings[["trial", "status", "rung", "spent", "value"]]


def credited(values: np.ndarray, readings: pd.DataFrame) -> np.ndarray:
    """Add to values before the end the mean gain of the finished trials from there to their end.

    ``values`` are those of the readings, on the scale in which the gain is averaged.
    """
    done = (readings["status"] == "done").to_numpy()
    if not done.any():
        return values
    spent, rungs = readings["spent"].to_numpy(), readings["rung"].to_numpy()
    course = pd.Series(values[done]).groupby(rungs[done]).mean()
    budgets = np.append(course.index[:-1], spent[done].max())
    gain = course.iloc[-1] - np.interp(np.log(spent), np.log(budgets), course)
    return np.where(done & (rungs == _END), values, values + gain)


def _spread(values: np.ndarray, size: int) -> np.ndarray:
    """Return at most ``size`` of some sorted values, including both ends."""
    if len(values) <= size:
        return values
    return values[np.linspace(0, len(values) - 1, size).round().astype(int)]
