"""The scale on which a metric is modelled, and predictions on the metric's own."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from analysis.stored.noise import Limits
from tune_robust.metrics import metric

SURE = 0.5
"""Settings with a doubt above this are not considered good."""

_POINT = 0.01
_IMAGES = 300  # at most, for log odds: those of a perfect score grow with the number of images
_SPARE = 0.1  # between the score of a perfect model and the end of the scale
_OWN = 0.5  # of the sampling variance; trials share their images and part of the errors


def tolerance(name: str, best: float) -> float:
    """Return what counts as equal to ``best``: within one point, or 1 % for non-fractions."""
    return _POINT if metric(name).is_fraction else _POINT * abs(best)


class Expected(NamedTuple):
    """Predictions at several points; all arrays have the same shape.

    ``deviation``: the standard deviation of ``mean``, at least the sampling error of the images
    that the metric is measured on. ``doubt``: the uncertainty in [0, 1]; 0 is certain, 1 the prior.
    ``low`` and ``high``: the ends of the 90 % interval of the value of a new trial (measured by
    benchmarks/calibration.py). All values are within the possible range.
    """

    mean: np.ndarray
    deviation: np.ndarray
    doubt: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def reshape(self, shape: tuple[int, ...]) -> Expected:
        """Return the same predictions in another shape."""
        return Expected(*(part.reshape(shape) for part in self))


class Scale:
    """Converts values of a metric to those that are modelled: larger ones are better.

    A value between two bounds becomes its log odds, with a little above the upper bound as the
    whole; a positive one without an upper bound, such as a loss, its logarithm; any other one stays
    as it is.

    Args:
        name: The name of the metric.
        limits: The possible range of its values and the number of images it is measured on.
    """

    def __init__(self, name: str, limits: Limits):
        self._limits, self._sign = limits, 1.0 if metric(name).mode == "max" else -1.0
        # Trials exceed the score of a perfect model on noisy labels by chance, and those near the
        # end of the scale must not be torn apart.
        end = min(limits.high + _SPARE, metric(name).bounds[1])
        self._low, self._span = limits.low, end - limits.low
        self._bounded = math.isfinite(self._span)
        self._positive = not self._bounded and metric(name).bounds[0] == 0
        self._images = min(limits.images or _IMAGES, _IMAGES)

    def modelled(self, values: np.ndarray) -> np.ndarray:
        """Return the modelled values."""
        if self._bounded:
            odds = self._fractions(values)
            values = np.log(odds / (1 - odds))
        elif self._positive:
            values = np.log(np.maximum(values, 1e-12))
        return self._sign * values

    def measured(self, modelled: np.ndarray) -> np.ndarray:
        """Return the values of the metric, within the possible range."""
        values = self._sign * modelled
        if self._bounded:
            odds = 0.5 * (1 + np.tanh(values / 2))
            values = self._low + self._span * (odds + (odds - 0.5) / self._images)
        elif self._positive:
            values = np.exp(values)
        return self._limits.clip(values)

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """Round fractions to whole images, since scores are: an end close to 1 becomes 1."""
        if not self._limits.images:
            return values
        return self._limits.clip(np.round(values * self._limits.images) / self._limits.images)

    def slope(self, values: np.ndarray) -> np.ndarray:
        """Return the derivative of the modelled values by those of the metric, without its sign."""
        if self._bounded:
            odds = self._fractions(values)
            return 1 / (odds * (1 - odds) * self._span)
        return 1 / np.maximum(values, 1e-12) if self._positive else np.ones_like(values)

    def errors(self, values: np.ndarray) -> np.ndarray:
        """Return the sampling errors of values on the modelled scale, without the shared part."""
        # A score without mistakes has an error too: without the half images it would be 0.
        usual = self._low + self._span * self._fractions(values) if self._bounded else values
        return math.sqrt(_OWN) * self._limits.error(usual) * self.slope(values)

    def sampling(self, values: np.ndarray) -> np.ndarray:
        """Return the whole sampling errors of values, in their own unit."""
        return self._limits.error(values)

    def _fractions(self, values: np.ndarray) -> np.ndarray:
        """Return the fractions of the scale with half an image added at either end (Haldane)."""
        whole = np.clip((values - self._low) / self._span, 0, 1)
        return (whole * self._images + 0.5) / (self._images + 1)
