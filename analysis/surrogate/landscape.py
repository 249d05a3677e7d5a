"""The objective over all searched dimensions, predicted at full budget."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from analysis.stored.axes import Axis, axes_of
from analysis.stored.noise import limits
from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.expectation import Expectation, Expected
from analysis.surrogate.observations import read_trials
from analysis.surrogate.surface import full_budget, of_one_kind

_FEWEST = 4  # different settings per numeric dimension
_APART = 0.5  # distance of two options of a choice, in units of an axis


@dataclass(frozen=True, eq=False)
class Landscape:
    """Predictions of the objective at any setting, from trials of the best trial's kind.

    ``numeric``: the numeric dimensions varied among them; ``choices``: the tried options of the
    other dimensions. ``trials``: the rows of the run's table that lie on every axis.
    """

    numeric: tuple[Axis, ...]
    choices: dict[str, tuple[Any, ...]]
    trials: pd.DataFrame
    expectation: Expectation

    def positions(self, trials: pd.DataFrame) -> np.ndarray:
        """Return the positions of trials on the numeric dimensions, (n, d) in [0, 1]."""
        return _positions(self.numeric, trials)

    def at(self, positions: np.ndarray, chosen: dict[str, Any]) -> Expected:
        """Predict at positions of shape (m, d) with the options ``chosen``."""
        options = pd.DataFrame([chosen] * len(positions))
        return self.expectation.at(np.column_stack([positions, _coded(self.choices, options)]))

    def of(self, trials: pd.DataFrame) -> Expected:
        """Predict for the settings of n trials."""
        inputs = np.column_stack([self.positions(trials), _coded(self.choices, trials)])
        return self.expectation.at(inputs)


@lru_cache(maxsize=4)
def fit_landscape(run: Run) -> Landscape | None:
    """Fit the landscape of the run's objective; None if too few settings were tried.

    A numeric dimension that does not apply to a trial is set to its middle. Choices are one-hot
    encoded.
    """
    run = averaged(run)
    trials, kind = of_one_kind(run)
    searched = axes_of(run.space.get("search") or {}, kind)
    numeric = tuple(d for d in searched if d.is_numeric and trials[d.path].nunique() > 1)
    paths = [dimension.path for dimension in numeric]
    if not numeric:
        return None
    trials = trials.dropna(subset=paths, how="all")
    for dimension in numeric:
        if dimension.log:
            values = trials[dimension.path].astype("float64")
            trials = trials[~(values <= 0)]  # rho = 0 is not on a log axis
    numeric = tuple(d.covering(trials[d.path].dropna().to_numpy(float)) for d in numeric)
    tried = {d.path: trials[d.path].dropna().unique() for d in searched if not d.is_numeric}
    choices = {path: tuple(options) for path, options in tried.items() if len(options) > 1}
    readings = read_trials(run, run.objective.metric)
    readings = readings[readings["status"] != "failed"].dropna(subset=["value"])
    readings = readings.merge(trials[["trial", *paths, *choices]], on="trial")
    places = readings.drop_duplicates("trial")
    if len(places) < _FEWEST * len(numeric) or places["value"].nunique() == 1:
        return None
    inputs = np.column_stack([_positions(numeric, readings), _coded(choices, readings)])
    name = run.objective.metric
    expectation = Expectation(inputs, readings, full_budget(trials), name, limits(run, name))
    return Landscape(numeric, choices, trials, expectation)


def _positions(numeric: tuple[Axis, ...], trials: pd.DataFrame) -> np.ndarray:
    columns = [d.to_unit(trials[d.path].astype("float64")) for d in numeric]
    return np.nan_to_num(np.column_stack(columns), nan=0.5)


def _coded(choices: dict[str, tuple[Any, ...]], trials: pd.DataFrame) -> np.ndarray:
    """Return the one-hot encoding of the options, (n, number of options)."""
    columns = [
        _APART * (trials[path] == option).to_numpy(float)
        for path, options in choices.items()
        for option in options
    ]
    return np.column_stack(columns) if columns else np.empty((len(trials), 0))
