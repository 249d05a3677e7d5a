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
_ROWS = 1000
"""The most intervals that the model learns from: the latest ones."""
_CLIPPED = 2.0
"""The largest gain, in standard deviations."""
_TRIED = 1000
"""The random settings of which the best are improved."""
_START = (1.0, 1.0, 0.1, 0.1)
_LIMITS = ((1e-2, 1e2), (1e-2, 1e2), (1e-5, 0.5), (1e-3, 1.0))
"""Of the variance, the squared length scale, what is forgotten over the time so far, the noise."""


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

    Args:
        rows: what was seen: decision, score before, settings and gain, (n, 2 + d + 1).
        current: the settings of trials that continue beside this one, (m, d).
        place: the decision and the score from which the trial starts, (2,).
        rng: the source of the random numbers.
    """
    rows = rows[-_ROWS:]
    lowest, spread = rows[:, :_FIXED].min(axis=0), np.ptp(rows[:, :_FIXED], axis=0)
    spread[spread == 0] = 1
    seen = np.hstack([(rows[:, :_FIXED] - lowest) / spread, rows[:, _FIXED:-1]])
    here = (place - lowest) / spread
    gains = rows[:, -1] - rows[:, -1].mean()
    gains = np.clip(gains / (gains.std() or 1), -_CLIPPED, _CLIPPED)
    bound = _UpperBound(seen, gains, np.hstack([np.tile(here, (len(current), 1)), current]))

    def loss(settings: np.ndarray) -> np.ndarray:
        settings = np.atleast_2d(settings)
        return -bound(np.hstack([np.tile(here, (len(settings), 1)), settings]))

    tried = rng.random((_TRIED, rows.shape[1] - _FIXED - 1))
    best = tried[loss(tried).argmin()]
    limits = [(0.0, 1.0)] * len(best)
    return minimize(lambda at: loss(at)[0], best, bounds=limits, method="L-BFGS-B").x


class _UpperBound:
    """The upper confidence bound of a time-varying Gaussian process.

    The covariance is ``variance * exp(-|x - x'|^2 / length) * (1 - forgetting)^(|t - t'| / 2)``,
    and the values have independent noise; these four parameters maximise the likelihood. The bound
    is the mean plus a multiple of the variance, as in Ray's implementation of PB2; it explores less
    than with the standard deviation of the paper.

    Args:
        seen: inputs (n, 2 + d), the time first.
        values: at these, (n,), standardised.
        current: inputs whose values are not known yet, but will be, (m, 2 + d).
    """

    def __init__(self, seen: np.ndarray, values: np.ndarray, current: np.ndarray):
        self._seen, self._beside = seen, np.vstack([seen, current])
        self._logs = _fitted(seen, values)
        self._weights = cho_solve(self._factor(seen), values)
        self._all = self._factor(self._beside)
        self._multiple = math.sqrt(0.2 + max(0.0, math.log(0.4 * len(seen))))

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        """Return the bounds at inputs (k, 2 + d)."""
        near = _covariance(inputs, self._beside, self._logs)
        known = np.einsum("kn,nk->k", near, cho_solve(self._all, near.T))
        variance = np.maximum(math.exp(self._logs[0]) - known, 0)
        return near[:, : len(self._seen)] @ self._weights + self._multiple * variance

    def _factor(self, inputs: np.ndarray) -> tuple[np.ndarray, bool]:
        return cho_factor(_noisy_covariance(inputs, self._logs))


def _covariance(a: np.ndarray, b: np.ndarray, logs: np.ndarray) -> np.ndarray:
    variance, length, forgetting, _ = np.exp(logs)
    apart = np.abs(a[:, None, 0] - b[None, :, 0])
    squared = ((a[:, None, 1:] - b[None, :, 1:]) ** 2).sum(axis=-1)
    return variance * np.exp(-squared / length) * (1 - forgetting) ** (apart / 2)


def _noisy_covariance(inputs: np.ndarray, logs: np.ndarray) -> np.ndarray:
    return _covariance(inputs, inputs, logs) + math.exp(logs[-1]) * np.eye(len(inputs))


def _fitted(inputs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the logarithms of the parameters with the largest likelihood."""

    def loss(logs: np.ndarray) -> float:
        factor, lower = cho_factor(_noisy_covariance(inputs, logs))
        explained = values @ cho_solve((factor, lower), values)
        return float(0.5 * explained + np.log(np.diag(factor)).sum())

    return minimize(loss, np.log(_START), bounds=np.log(_LIMITS), method="L-BFGS-B").x
