"""A Gaussian process over trials: what it expects where, and how unsure it is."""

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

_TUNED_ON = 120  # points the kernel is tuned on: tuning costs n^3 many times, conditioning once
_HELD = 400  # points it is conditioned on
# In units of an axis: shorter lengths fit the luck of single trials, longer ones claim to know what
# no trial has tried.
_LENGTHS = (0.1, 2.0)
_BUDGET_LENGTHS = (0.3, 3.0)


class Surrogate:
    """A Matern-5/2 Gaussian process with a length per input and a noise of its own.

    Rasmussen and Williams 2006, chapters 2 and 5. Deterministic: equal data give an equal fit.

    Args:
        inputs: (n, d), each within about [0, 1].
        values: (n,), finite.
        budget: whether the last input is the budget, 1 being the full one.
        noise: the variance that a single value has at least, from how it was measured.
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
        # Matrices this small are solved by one core faster than several can share them out.
        with warnings.catch_warnings(), _one_core():
            # A length at its bound is an answer ("this input hardly matters"), not a failure.
            warnings.simplefilter("ignore", ConvergenceWarning)
            tuned.fit(*_subset(inputs, values, _TUNED_ON))
            self._process = _process(tuned.kernel_, optimizer=None).fit(inputs, values)
        self._noise = tuned.kernel_.k2.noise_level
        self._amplitude = tuned.kernel_.k1.k1.constant_value

    def predict(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """At (m, d) inputs: the expected value, its standard deviation, and the doubt, each (m,).

        The deviation is that of the mean, without the noise of a single trial. The doubt is its
        fraction of what it would be knowing nothing, in [0, 1].
        """
        with warnings.catch_warnings(), _one_core():
            warnings.filterwarnings("ignore", "Predicted variances smaller than 0")
            mean, deviation = self._process.predict(inputs, return_std=True)
        deviation = np.sqrt(np.clip(deviation**2 - self._noise, 0, None))
        doubt = np.clip(deviation / np.sqrt(self._amplitude), 0, 1)
        return mean * self._scale + self._offset, deviation * self._scale, doubt


def _length_bounds(inputs: np.ndarray, budget: bool) -> list[tuple[float, float]]:
    """Of each searched dimension: no length is shorter than the typical distance of two settings,
    at which it would fit the noise of single trials.
    """
    dimensions = inputs.shape[1] - budget
    settings = len(np.unique(inputs[:, :dimensions], axis=0))
    shortest = max(_LENGTHS[0], min(1.0, settings ** (-1 / dimensions)))
    return [(shortest, _LENGTHS[1])] * dimensions


@cache
def _threads() -> ThreadpoolController:
    """Finding the libraries takes longer than most of what they are asked here."""
    return ThreadpoolController()


def _one_core() -> AbstractContextManager[object]:
    return _threads().limit(limits=1)


def _process(kernel: Kernel, **options: Any) -> GaussianProcessRegressor:
    return GaussianProcessRegressor(kernel, random_state=0, **options)


def _subset(inputs: np.ndarray, values: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """At most ``size`` points, spread evenly over the values so that the good ones stay covered."""
    if len(values) <= size:
        return inputs, values
    rows = np.argsort(values, kind="stable")[np.linspace(0, len(values) - 1, size).astype(int)]
    return inputs[rows], values[rows]
