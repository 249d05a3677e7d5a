"""A Gaussian process over trials: predictions and their uncertainty."""

from __future__ import annotations

import warnings
from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel
from threadpoolctl import ThreadpoolController

_TUNED_ON = 120  # points to tune the kernel on: each tuning step costs n^3, conditioning only once
_HELD = 400  # points to condition on
# Bounds in units of an axis: shorter lengths fit the noise of single trials, longer ones
# extrapolate beyond all trials.
_LENGTHS = (0.1, 2.0)
_BUDGET_LENGTHS = (0.3, 3.0)


class Surrogate:
    """A Matern-5/2 Gaussian process with a length scale per input and a fitted noise variance.

    Rasmussen and Williams 2006, chapters 2 and 5. The fit is deterministic.

    Args:
        inputs: Shape (n, d), each column roughly within [0, 1].
        values: Shape (n,), finite.
        budget: Whether the last input is the budget, with 1 as the full budget.
        noise: A lower bound of the variance of a single value, from its measurement.
    """

    def __init__(self, inputs: np.ndarray, values: np.ndarray, *, budget: bool, noise: float = 0.0):
        inputs, values = _subset(inputs, values, _HELD)
        self._offset, self._scale = values.mean(), values.std() or 1.0
        values = (values - self._offset) / self._scale
        amplitude = ConstantKernel(1.0, (0.1, 20.0))
        bounds = _length_bounds(inputs, budget) + [_BUDGET_LENGTHS] * budget
        shape = Matern([min(1.0, 5 * low) for low, _ in bounds], bounds, nu=2.5)
        least = float(np.clip(noise / self._scale**2, 1e-3, 1.0))
        kernel = amplitude * shape + WhiteKernel(max(0.1, least), (least, 2.0))
        tuned = _process(kernel, n_restarts_optimizer=1)
        # For matrices this small, threads cost more time than they save.
        with warnings.catch_warnings(), _one_core():
            # A length scale at its bound is valid: this input hardly matters.
            warnings.simplefilter("ignore", ConvergenceWarning)
            tuned.fit(*_subset(inputs, values, _TUNED_ON))
            self._process = _process(tuned.kernel_, optimizer=None).fit(inputs, values)
        self._noise = tuned.kernel_.k2.noise_level
        self._correction = _correction(min(len(values), _TUNED_ON), len(tuned.kernel_.theta))
        self._amplitude = tuned.kernel_.k1.k1.constant_value

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Predict at (m, d) inputs: mean, standard deviation and doubt, each of shape (m,).

        The standard deviation is that of the mean, without the noise of a single trial. The doubt
        is its fraction of the prior standard deviation, in [0, 1].
        """
        with warnings.catch_warnings(), _one_core():
            warnings.filterwarnings("ignore", "Predicted variances smaller than 0")
            mean, deviation = self._process.predict(inputs, return_std=True)
        deviation = np.sqrt(np.clip(deviation**2 - self._noise, 0, None))
        doubt = np.clip(deviation / np.sqrt(self._amplitude), 0, 1)
        return mean * self._scale + self._offset, deviation * self._scale, doubt

    def of_a_trial(self, deviation: np.ndarray) -> np.ndarray:
        """Return the standard deviation of a new trial's value, from that of the mean.

        It adds the noise of a single trial, and accounts for the parameters of the kernel, which
        are fitted to the same values.
        """
        return self._correction * np.hypot(deviation, np.sqrt(self._noise) * self._scale)


def _correction(points: int, parameters: int) -> float:
    """Return the correction of a standard deviation for fitted parameters, as in least squares."""
    return float(np.sqrt(points / max(points - parameters, points / 4)))


def _length_bounds(inputs: np.ndarray, budget: bool) -> list[tuple[float, float]]:
    """Return the bounds of each input's length scale.

    For searched dimensions the lower bound is the typical distance of two settings; a shorter
    length would fit the noise of single trials.
    """
    dimensions = inputs.shape[1] - budget
    settings = len(np.unique(inputs[:, :dimensions], axis=0))
    shortest = max(_LENGTHS[0], min(1.0, settings ** (-1 / dimensions)))
    return [(shortest, _LENGTHS[1])] * dimensions


@cache
def _threads() -> ThreadpoolController:
    """Return the controller of the linear algebra libraries; finding them is slow."""
    return ThreadpoolController()


def _one_core() -> AbstractContextManager[object]:
    return _threads().limit(limits=1)


def _process(kernel: Kernel, **options: Any) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(kernel, random_state=0, **options)


def _subset(inputs: np.ndarray, values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most ``size`` points, spread evenly over the values so that good ones remain."""
    if len(values) <= size:
        return inputs, values
    rows = np.argsort(values, kind="stable")[np.linspace(0, len(values) - 1, size).astype(int)]
    return inputs[rows], values[rows]
