"""A metric over all searched dimensions, predicted at full budget."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import pandas as pd

from analysis.stored.noise import limits
from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.expectation import Expected, Scale
from analysis.surrogate.features import Choice, Number, placed, varied
from analysis.surrogate.observations import read_trials
from tune_robust.gaussian_process import FREEDOM, GaussianProcess, Looks, Predicted, Priors

_FEWEST = 4  # different settings
_PRIORS = Priors(signal=(0.0, 1.4), trial=(-3.0, 1.2), noise=(-3.0, 1.2), length=(0.5, 1.0))
"""Wider than those of a search, which must not trust few trials: selected on the populations
marked ``develop`` (docs/calibration.md)."""


@dataclass(frozen=True, eq=False)
class Landscape:
    """Predictions of one metric for any settings, from all trials of a run.

    ``dimensions``: those that differ between the trials, conditional ones and choices included;
    ``trials``: the rows of the run's table that it was fitted to.
    """

    dimensions: tuple[Number | Choice, ...]
    trials: pd.DataFrame
    _model: GaussianProcess = field(repr=False)
    _scale: Scale = field(repr=False)

    def features(self, trials: pd.DataFrame) -> np.ndarray:
        """Return the features of trials, (n, features)."""
        return np.column_stack([each.features(trials) for each in self.dimensions])

    def column(self, dimension: Number | Choice) -> int:
        """Return the first column of a dimension in the features."""
        before = self.dimensions[: self.dimensions.index(dimension)]
        return sum(each.width for each in before)

    def at(self, *groups: np.ndarray) -> Expected:
        """Predict for features (m, features), averaged over the groups row by row.

        The difference of two groups must be the same in all rows.
        """
        found = self._model.expect(*groups)
        mean = self._scale.measured(found.mean)
        low, high = self._interval(found, 0.9)
        own = self._model.spread * found.deviation / self._scale.slope(mean)
        return Expected(
            mean=mean,
            deviation=np.hypot(own, self._scale.sampling(mean)),
            doubt=found.doubt,
            low=low,
            high=high,
        )

    def interval(self, points: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the ends of the interval of new trials' values for features (m, features).

        ``level``: the probability of a value within it, in (0, 1).
        """
        return self._interval(self._model.expect(points), level)

    def draw(self, points: np.ndarray, rng: np.random.Generator, *, draws: int) -> np.ndarray:
        """Return posterior draws of the metric for features (m, features), (draws, m).

        The settings of a draw are drawn together, from a multivariate Student's t distribution with
        the scale and the tails that the values of trials have.
        """
        expected, centre = self._model.expect(points).mean, self._model.predict(points)[0]
        apart = self._model.draw(points, rng, draws=draws) - centre
        tails = np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (draws, 1)))
        return self._scale.measured(expected + self._model.spread * tails * apart)

    def known(self, points: np.ndarray) -> float:
        """Return the fraction of the variance of settings (m, features) that is predicted.

        The rest is the uncertainty of the predictions: chance gives rise to small differences that
        are as uncertain as they are large.
        """
        found = self._model.expect(points)
        predicted, uncertain = (
            found.mean.var(),
            np.mean((self._model.spread * found.deviation) ** 2),
        )
        return float(predicted / (predicted + uncertain))

    def _interval(self, found: Predicted, level: float) -> tuple[np.ndarray, np.ndarray]:
        # Only needed here.
        from scipy.special import stdtrit

        error = self._scale.errors(self._scale.measured(found.mean))
        one = np.sqrt(found.deviation**2 + self._model.noise**2 + error**2)
        half = float(stdtrit(FREEDOM, 0.5 + level / 2)) * self._model.spread * one
        measured = (self._scale.measured(found.mean + side * half) for side in (-1, 1))
        ends = [self._scale.rounded(values) for values in measured]
        return np.minimum(*ends), np.maximum(*ends)

    def of(self, trials: pd.DataFrame) -> Expected:
        """Predict for the settings of n trials."""
        return self.at(self.features(trials))


@lru_cache(maxsize=8)
def fit_landscape(run: Run, metric: str | None = None) -> Landscape | None:
    """Fit a metric (default: the objective) over all searched dimensions.

    None if the trials have fewer than four different settings, or all the same value.
    """
    run, metric = averaged(run), metric or run.objective.metric
    search = run.space.get("search") or {}
    axes = tuple(d for d in run.dimensions if d.path in search)
    seen = read_trials(run, metric)
    trials = placed(run.trials[run.trials["trial"].isin(seen["trial"])], axes)
    trials = trials.dropna(subset=[axis.path for axis in axes], how="all").reset_index(drop=True)
    seen = seen[seen["trial"].isin(trials["trial"])]
    dimensions = varied(search, trials)
    if not dimensions or seen["value"].nunique() < 2:
        return None
    points = np.column_stack([each.features(trials) for each in dimensions])
    if len(np.unique(points, axis=0)) < _FEWEST:
        return None
    scale = Scale(metric, limits(run, metric))
    rows = pd.Index(trials["trial"]).get_indexer(seen["trial"])
    values = seen["value"].to_numpy()
    repeats = trials["seeds"].to_numpy()[rows] if "seeds" in trials else 1.0
    looks = Looks(
        points=points[rows],
        budgets=seen["budget"].to_numpy(),
        trials=rows,
        values=scale.modelled(values),
        errors=scale.errors(values) / np.sqrt(repeats),
        runs=np.zeros(len(values), int),
    )
    groups = np.repeat(np.arange(len(dimensions)), [each.width for each in dimensions])
    return Landscape(dimensions, trials, GaussianProcess(looks, groups, _PRIORS), scale)
