"""What to expect of a metric at full budget, from trials that reached different ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from analysis.formatting import metric
from analysis.surrogate.gaussian_process import Surrogate
from analysis.surrogate.observations import credited

_ODDS = (0.005, 0.995)  # shares beyond are as good as none and all


class Expectation:
    """A surrogate of a metric over some inputs and the budget, asked at the full budget.

    Readings at smaller budgets are credited with what the finished trials still gained from there;
    the surrogate, which has the budget as an input, learns how far that holds. Shares are fitted as
    log odds.

    Args:
        inputs: (n, d), each within about [0, 1].
        readings: n rows as of ``read_trials``, with no NaN among the values.
        budget: the full one, in gradient evaluations.
        name: the metric's.
    """

    def __init__(self, inputs: np.ndarray, readings: pd.DataFrame, budget: float, name: str):
        self._is_share = metric(name).is_share
        fidelity = np.log(readings["spent"].to_numpy() / budget)
        span = -float(fidelity.min())
        self._with_budget = span > 0
        if self._with_budget:
            inputs = np.column_stack([inputs, 1 + fidelity / span])
        values = readings["value"].to_numpy()
        values = credited(logit(values.clip(*_ODDS)) if self._is_share else values, readings)
        self._surrogate = Surrogate(inputs, values, budget=self._with_budget)

    def at(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At (m, d) points: mean, standard deviation and doubt (0 sure, 1 knowing nothing)."""
        if self._with_budget:
            points = np.column_stack([points, np.ones(len(points))])
        mean, deviation, doubt = self._surrogate.predict(points)
        if self._is_share:
            mean = expit(mean)
            deviation = deviation * mean * (1 - mean)  # the slope of a share over its log odds
        return mean, deviation, doubt
