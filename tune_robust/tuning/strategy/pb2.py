"""Population-based bandits: the settings with which a trial continues another one's network.

Parker-Holder et al. 2020 (PB2, arXiv 2002.02518): a Gaussian process over time, the score before an
interval and the settings learns what the members have gained in each interval, and an upper
confidence bound selects the settings of the next one. Settings that cannot change while training
are inherited; the model sees only members with the same changeable ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

from tune_robust.config import parse_config
from tune_robust.runs.trial import Trial
from tune_robust.schedulers.population import Population
from tune_robust.spaces.dimensions import Dimension
from tune_robust.spaces.distributions import LogUniform, Uniform
from tune_robust.spaces.unit_cube import from_unit, to_unit

_FIXED = 2
"""The inputs of the model that are not settings: the time and the score before the interval."""
_ROWS = 200
"""The most intervals that the model learns from: the latest ones, as what helps changes in time."""
_CLIPPED = 2.0
"""The largest gain, in standard deviations."""
_STARTS = 10
"""The random settings from which the bound is maximised."""
_START = (1.0, 1.0, 0.1)
_LIMITS = ((1e-5, 1e5), (1e-5, 1e5), (1e-5, 0.5))
"""Of the variance, the squared length scale, and what is forgotten over the time so far."""
_TINY = 1e-8
_JITTER = 1e-10
_IMPOSSIBLE = 1e25


class Continuation(NamedTuple):
    """A trial whose network is continued after ``epoch``, and the settings for that, by path."""

    parent: Trial
    epoch: int
    changed: dict[str, float]

    @property
    def values(self) -> dict[str, Any]:
        """The searched settings of the new trial."""
        return {**self.parent.values, **self.changed}

    def config(self) -> dict[str, Any]:
        """Return its configuration, which trains the same network from the beginning."""
        knots = [*self.parent.config.get("knots", ()), {"epoch": self.epoch, "set": self.changed}]
        document = {**self.parent.config, "knots": knots}
        return parse_config(document, f"a trial that continues {self.parent.name}").model_dump(
            mode="json"
        )


def next_continuation(
    population: Population, decision: int, *, number: int, seed: int
) -> Continuation:
    """Return trial ``number``, the next one that a population adds at a decision.

    It is a function of the recorded trials and the ``seed``, also if the decision was interrupted
    after some of its trials.
    """
    division = population.division(decision)
    rng = np.random.default_rng([seed, number])
    parent = division.parents[rng.integers(len(division.parents))]
    dimensions = population.changeable(parent)
    beside = [*division.staying, *population.continuing(decision)]
    current = [_units(dimensions, t) for t in beside if population.changeable(t) == dimensions]
    rows = [
        [gain.decision, gain.before, *_units(dimensions, gain.trial), gain.after - gain.before]
        for gain in population.gains(decision)
        if population.changeable(gain.trial) == dimensions
    ]
    place = [decision + 1, population.score(parent, decision)]
    units = _selected(np.array(rows), np.array(current), np.array(place), rng)
    changed = {
        dim.path: float(from_unit(dim.distribution, float(unit)))
        for dim, unit in zip(dimensions, units, strict=True)
    }
    return Continuation(parent, population.reached(parent, decision), changed)


def _units(dimensions: Sequence[Dimension], trial: Trial) -> list[float]:
    """Return the positions of a trial's settings in their ranges, in [0, 1]."""
    return [to_unit(_range(dim), trial.values[dim.path]) for dim in dimensions]


def _range(dimension: Dimension) -> Uniform | LogUniform:
    """Return the distribution of a dimension that may change, which is a range."""
    assert isinstance(dimension.distribution, Uniform | LogUniform)
    return dimension.distribution


def _selected(
    rows: np.ndarray, current: np.ndarray, place: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return the settings with the largest upper confidence bound of the gain, (d,) in [0, 1].

    With equal times in all rows, as at the first decision, the model knows nothing of ``place``,
    and settings that are far from the current ones are selected.

    Args:
        rows: what was seen: decision, score before, settings and gain, (n, 2 + d + 1).
        current: the settings of trials that continue beside this one, (m, d).
        place: the decision and the score from which the trial starts, (2,).
        rng: the source of the random numbers.
    """
    rows = rows[-_ROWS:]
    before = rows[:, :_FIXED]
    lowest, spread = before.min(axis=0), np.ptp(before, axis=0) + _TINY
    seen = np.hstack([(before - lowest) / spread, rows[:, _FIXED:-1]])
    here = (place - lowest) / spread
    gains = (rows[:, -1] - rows[:, -1].mean()) / (rows[:, -1].std() + _TINY)
    beside = np.hstack([np.tile(here, (len(current), 1)), current])
    bound = _UpperBound(seen, np.clip(gains, -_CLIPPED, _CLIPPED), beside)

    def loss(settings: np.ndarray) -> float:
        return -bound(np.hstack([here, settings]))

    limits = [(0.0, 1.0)] * (rows.shape[1] - _FIXED - 1)
    starts = rng.random((_STARTS, len(limits)))
    found = [minimize(loss, start, bounds=limits, method="L-BFGS-B") for start in starts]
    return np.clip(min(found, key=lambda each: each.fun).x, 0, 1)


class _UpperBound:
    """The upper confidence bound of a time-varying Gaussian process.

    As in Ray's implementation of PB2, the bound is the mean plus a multiple of the variance, which
    explores less than the paper's standard deviation; and the variance is that of a second process,
    fitted to the inputs whose values are not known as well, with values of 0.

    Args:
        seen: inputs (n, 2 + d), the time first.
        values: at these, (n,), standardised.
        beside: inputs whose values are not known yet, but will be, (m, 2 + d).
    """

    def __init__(self, seen: np.ndarray, values: np.ndarray, beside: np.ndarray):
        self._mean = _Process(seen, values)
        self._whole = self._mean
        if len(beside):
            padded = np.concatenate([values, np.zeros(len(beside))])
            self._whole = _Process(np.vstack([seen, beside]), padded)
        self._multiple = math.sqrt(0.2 + max(0.0, math.log(0.4 * len(seen))))

    def __call__(self, at: np.ndarray) -> float:
        """Return the bound at an input (2 + d,)."""
        return self._mean.mean(at) + self._multiple * self._whole.variance(at)


class _Process:
    """A Gaussian process without noise, fitted by its likelihood.

    The covariance is ``variance * exp(-|x - x'|^2 / length) * (1 - forgetting)^(|t - t'| / 2)``.
    """

    def __init__(self, inputs: np.ndarray, values: np.ndarray):
        self._inputs = inputs
        self._apart, self._squared = _distances(inputs, inputs)
        # Of equal inputs the matrix may be singular whatever the parameters; the start then stays.
        fitted = minimize(
            self._loss,
            np.log(_START),
            args=(values,),
            jac=True,
            bounds=np.log(_LIMITS),
            method="L-BFGS-B",
        )
        self._logs = fitted.x if fitted.fun < _IMPOSSIBLE else np.log(_START)
        covariance = _covariance(self._apart, self._squared, self._logs)
        jitter = _JITTER
        while (factor := _factor(covariance, jitter)) is None:
            jitter *= 10
        self._factor = factor
        self._weights = cho_solve(factor, values)

    def mean(self, at: np.ndarray) -> float:
        """Return the mean at an input (2 + d,)."""
        return float(self._near(at) @ self._weights)

    def variance(self, at: np.ndarray) -> float:
        """Return the variance at an input (2 + d,)."""
        near = self._near(at)
        return max(0.0, math.exp(self._logs[0]) - float(near @ cho_solve(self._factor, near)))

    def _near(self, at: np.ndarray) -> np.ndarray:
        return _covariance(*_distances(at[None], self._inputs), self._logs)[0]

    def _loss(self, logs: np.ndarray, values: np.ndarray) -> tuple[float, np.ndarray]:
        """Return minus the logarithm of the likelihood, up to a constant, and its gradient."""
        covariance = _covariance(self._apart, self._squared, logs)
        if (factor := _factor(covariance, _JITTER)) is None:
            return _IMPOSSIBLE, np.zeros(len(logs))
        weights = cho_solve(factor, values)
        loss = 0.5 * values @ weights + np.log(np.diag(factor[0])).sum()
        outer = cho_solve(factor, np.eye(len(values))) - np.outer(weights, weights)
        length, forgetting = np.exp(logs[1:])
        slopes = (
            covariance,
            covariance * self._squared / length,
            -covariance * self._apart / 2 * forgetting / (1 - forgetting),
        )
        return float(loss), np.array([0.5 * (outer * slope).sum() for slope in slopes])


def _distances(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distances in time, and the squared ones of the other inputs, (k, n) each."""
    apart = np.abs(a[:, None, 0] - b[None, :, 0])
    return apart, ((a[:, None, 1:] - b[None, :, 1:]) ** 2).sum(axis=-1)


def _covariance(apart: np.ndarray, squared: np.ndarray, logs: np.ndarray) -> np.ndarray:
    variance, length, forgetting = np.exp(logs)
    return variance * np.exp(-squared / length) * (1 - forgetting) ** (apart / 2)


def _factor(covariance: np.ndarray, jitter: float) -> tuple[np.ndarray, bool] | None:
    """Return the Cholesky factor with ``jitter`` on the diagonal; None if it is singular."""
    try:
        return cho_factor(covariance + jitter * np.eye(len(covariance)))
    except np.linalg.LinAlgError:
        return None
