"""Predict a metric at full budget, from trials with different budgets."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.stored.noise import Limits
from analysis.surrogate.gaussian_process import Surrogate
from analysis.surrogate.observations import credited
from tune_robust.metrics import metric

SURE = 0.5
"""The doubt above which nothing is called good."""

_POINT = 0.01
_ODDS = (0.005, 0.995)  # fractions beyond are as good as none and all
_OWN = 0.5  # of the sampling variance: trials share their images, and so part of their errors
_NINETY = 1.645  # standard deviations from the middle to the ends of a 90 % interval


def tolerance(name: str, best: float) -> float:
    """How far a metric may lie from its ``best`` to be as good: one point, or 1 % of the best where
    it is no fraction.
    """
    return _POINT if metric(name).is_fraction else _POINT * abs(best)


class Expected(NamedTuple):
    """Predictions at several points; all arrays have the same shape.

    ``deviation``: the standard deviation of ``mean``, no smaller than the sampling error of the
    images that the metric is measured on. ``doubt``: 0 sure, 1 knowing nothing. ``low`` and
    ``high``: the 90 % interval. Nothing lies outside what is possible.
    """

    mean: np.ndarray
    deviation: np.ndarray
    doubt: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def reshape(self, shape: tuple[int, ...]) -> Expected:
        """The same in another shape."""
        return Expected(*(part.reshape(shape) for part in self))


class Expectation:
    """A surrogate of a metric over some inputs and the budget, asked at the full budget.

    Readings at smaller budgets are credited with what the finished trials still gained from there;
    the surrogate, which has the budget as an input, learns how far that holds. Fractions are fitted
    as log odds.

    Args:
        inputs: (n, d), each within about [0, 1].
        readings: n rows as of ``read_trials``, with no NaN among the values.
        budget: the full one, in gradient evaluations.
        name: the metric's.
        limits: what the metric can be, and on how many images it is measured.
    """

    def __init__(
        self, inputs: np.ndarray, readings: pd.DataFrame, budget: float, name: str, limits: Limits
    ):
        self._is_fraction, self._limits = metric(name).is_fraction, limits
        fidelity = np.log(readings["spent"].to_numpy() / budget)
        span = -float(fidelity.min())
        self._with_budget = span > 0
        if self._with_budget:
            inputs = np.column_stack([inputs, 1 + fidelity / span])
        values = readings["value"].to_numpy()
        noise = 0.0
        if self._is_fraction:
            middle = values.clip(*_ODDS).mean()
            noise = _OWN * float(limits.error(middle) / (middle * (1 - middle))) ** 2
            values = logit(values.clip(*_ODDS))
        values = credited(values, readings)
        self._surrogate = Surrogate(inputs, values, budget=self._with_budget, noise=noise)

    def at(self, points: np.ndarray) -> Expected:
        """Predict at (m, d) points; each array of the result has shape (m,)."""
        if self._with_budget:
            points = np.column_stack([points, np.ones(len(points))])
        mean, deviation, doubt = self._surrogate.predict(points)
        if self._is_fraction:
            mean = expit(mean)
            deviation = deviation * mean * (1 - mean)  # the slope of a fraction over its log odds
        mean = self._limits.clip(mean)
        deviation = np.hypot(deviation, self._limits.error(mean))
        low, high = (self._limits.clip(mean + side * _NINETY * deviation) for side in (-1, 1))
        return Expected(mean, deviation, doubt, low, high)
