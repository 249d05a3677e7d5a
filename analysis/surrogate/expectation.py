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
"""Settings with a doubt above this are not considered good."""

_POINT = 0.01
_ODDS = (0.005, 0.995)  # fractions are clipped to this range before the logit
_OWN = 0.5  # of the sampling variance; trials share their images and part of the errors
_NINETY = 1.645  # half the width of a 90 % interval in standard deviations


def tolerance(name: str, best: float) -> float:
    """Return what counts as equal to ``best``: within one point, or 1 % for non-fractions."""
    return _POINT if metric(name).is_fraction else _POINT * abs(best)


class Expected(NamedTuple):
    """Predictions at several points; all arrays have the same shape.

    ``deviation``: the standard deviation of ``mean``, at least the sampling error of the images
    that the metric is measured on. ``doubt``: the uncertainty in [0, 1]; 0 is certain, 1 the prior.
    ``low`` and ``high``: the ends of the 90 % interval of the value of a new trial (measured by
    benchmarks/calibration.py). All values are clipped to the possible range.
    """

    mean: np.ndarray
    deviation: np.ndarray
    doubt: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def reshape(self, shape: tuple[int, ...]) -> Expected:
        """Return the same predictions in another shape."""
        return Expected(*(part.reshape(shape) for part in self))


class Expectation:
    """A surrogate of a metric over some inputs and the budget, evaluated at the full budget.

    To values at smaller budgets, the mean gain of the finished trials from there on is added;
    the surrogate, whose inputs include the budget, learns how reliable that is. Fractions are
    fitted as log odds.

    Args:
        inputs: Shape (n, d), each column roughly within [0, 1].
        readings: n rows as of ``read_trials``, without NaN among the values.
        budget: The full budget, in gradient evaluations.
        name: The name of the metric.
        limits: The possible range of the metric, and the number of images that it is measured on.
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
        noise = _OWN * float(limits.error(0.0)) ** 2
        if self._is_fraction:
            middle = values.clip(*_ODDS).mean()
            noise = _OWN * float(limits.error(middle) / (middle * (1 - middle))) ** 2
            values = logit(values.clip(*_ODDS))
        values = credited(values, readings)
        self._surrogate = Surrogate(inputs, values, budget=self._with_budget, noise=noise)

    def at(self, points: np.ndarray) -> Expected:
        """Predict at points of shape (m, d); each array of the result has shape (m,)."""
        if self._with_budget:
            points = np.column_stack([points, np.ones(len(points))])
        mean, deviation, doubt = self._surrogate.predict(points)
        of_a_trial = self._surrogate.of_a_trial(deviation)
        if self._is_fraction:
            mean = expit(mean)
            slope = mean * (1 - mean)  # derivative of a fraction by its log odds
            deviation, of_a_trial = deviation * slope, of_a_trial * slope
        mean = self._limits.clip(mean)
        error = self._limits.error(mean)
        deviation, of_a_trial = np.hypot(deviation, error), np.maximum(of_a_trial, error)
        low, high = (self._limits.clip(mean + side * _NINETY * of_a_trial) for side in (-1, 1))
        return Expected(mean, deviation, doubt, low, high)
