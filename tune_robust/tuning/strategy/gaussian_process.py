"""A Gaussian process over settings and budgets, which learns from trials of any length.

The model of MOBSTER (Klein et al. 2020, arXiv 2003.10865), with few parameters. A look at trial i,
with the settings x, after the fraction r of a complete trial is

    y = offset(r) + f(x, r) + g(i, r) + noise.

``offset`` is the mean course of training. ``f`` is smooth in the settings (Matern 5/2, with a
length for each dimension), and ``g`` is the trial's own deviation, which all its looks share. f and
g at two budgets correlate the less, the further these are apart. The parameters are those of the
maximum a posteriori. There is no random number in it: equal looks give equal predictions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST = 512
"""The most looks that a prediction takes into account."""

_FITTED = 128
"""The most looks to which the parameters are fitted."""

_OFFSET = 4.0
"""The prior variance of ``offset`` at each budget, in units of the variance of the looks."""

_DRIFT = 0.2
"""f and g at two budgets correlate exp(-_DRIFT * |log(r / r')|)."""

_PRIORS = {"signal": (0.0, 0.7), "trial": (-2.5, 0.7), "noise": (-3.0, 0.7), "length": (0.0, 0.7)}
"""Mean and standard deviation of the normal prior on the logarithm of each parameter.

The first three are variances, in units of the variance of the looks.
"""

_WITHIN = 4.0
"""How many standard deviations of its prior a parameter may lie from the mean."""

_STEPS = 40
"""The most steps of the optimiser of the parameters."""


@dataclass(frozen=True)
class Looks:
    """What has been seen of the trials: one row for each look.

    Attributes:
        points: the settings as features in the unit cube, (n, features).
        budgets: the fractions of a complete trial, in (0, 1], (n,).
        trials: the numbers of the trials, (n,).
        values: the values, larger ones being better, (n,).
    """

    points: Array
    budgets: Array
    trials: NDArray[np.int64]
    values: Array

    def __len__(self) -> int:
        return len(self.values)

    def __add__(self, other: Looks) -> Looks:
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Looks(*(np.concatenate(pair) for pair in pairs))

    def bounded(self, most: int) -> Looks:
        """Return at most ``most`` looks: half of them the best, the others evenly over time."""
        if len(self) <= most:
            return self
        order = np.argsort(-self.values, kind="stable")
        best, others = order[: most // 2], np.sort(order[most // 2 :])
        places = np.linspace(0, len(others) - 1, most - len(best)).round().astype(int)
        rows = np.sort(np.concatenate([best, others[places]]))
        return Looks(*(column[rows] for column in vars(self).values()))


class GaussianProcess:
    """The model, fitted to ``looks``.

    Args:
        looks: at least one look.
        groups: the number of the dimension of each feature, from 0, (features,). The features of a
            dimension share a length.
    """

    def __init__(self, looks: Looks, groups: NDArray[np.int64]):
        self._groups = groups
        self._centre = float(np.mean(looks.values))
        self._scale = float(np.std(looks.values)) or 1.0
        self._parameters = self._fit(looks.bounded(_FITTED))
        self._condition(looks.bounded(MOST))

    def imagine(self, points: Array) -> None:
        """Take trials that are still running into account, as if they had ended as predicted.

        Where they are, less is to be learned (the kriging believer of Ginsbourger et al. 2010).

        Args:
            points: their settings, (m, features).
        """
        if not len(points):
            return
        ends = np.ones(len(points))
        across = self._smooth(points, ends) + _OFFSET * (self._looks.budgets == 1.0)
        values = self._centre + self._scale * (across @ self._weights)
        trials = -1 - np.arange(len(points))
        self._condition(self._looks + Looks(points, ends, trials, values))

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of f at the end of a trial, each (m,).

        They are in the unit of the looks and relative to the mean trial: without ``offset``, the
        seed and the noise.

        Args:
            points: the settings, (m, features).
        """
        # Only needed here.
        from scipy.linalg import solve_triangular

        across = self._smooth(points, np.ones(len(points)))
        explained = (solve_triangular(self._factor, across.T, lower=True) ** 2).sum(axis=0)
        variance = np.maximum(np.exp(self._parameters[0]) - explained, 1e-12)
        return self._scale * (across @ self._weights), self._scale * np.sqrt(variance)

    @property
    def noise(self) -> float:
        """The standard deviation of the looks at the ends of trials with equal settings."""
        _, trial, noise = np.exp(self._parameters[:3])
        return self._scale * float(np.sqrt(trial + noise))

    def draw(self, points: Array, rng: np.random.Generator, *, draws: int) -> Array:
        """Return draws of f at the end of a trial, as ``predict`` has it, (draws, m).

        Args:
            points: the settings, (m, features).
            rng: draws the random numbers.
            draws: how many.
        """
        # Only needed here.
        from scipy.linalg import solve_triangular

        across = self._smooth(points, np.ones(len(points)))
        explained = solve_triangular(self._factor, across.T, lower=True)
        weights = np.exp(-self._parameters[3:])[self._groups]
        apart = _squared(points * weights, points * weights)
        prior = np.exp(self._parameters[0]) * _matern(np.sqrt(apart))[0]
        covariance = prior - explained.T @ explained
        covariance[np.diag_indices_from(covariance)] += 1e-6 * np.exp(self._parameters[0])
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = rng.standard_normal((draws, len(points))) @ root.T
        return self._scale * (across @ self._weights + drawn)

    def _smooth(self, points: Array, budgets: Array) -> Array:
        """Return the covariance of f between ``points`` and the looks, (m, n)."""
        weights = np.exp(-self._parameters[3:])[self._groups]
        apart = _squared(points * weights, self._looks.points * weights)
        drift = _drift(budgets, self._looks.budgets)
        return np.exp(self._parameters[0]) * _matern(np.sqrt(apart))[0] * drift

    def _condition(self, looks: Looks) -> None:
        # Only needed here.
        from scipy.linalg import cho_solve

        self._looks = looks
        likelihood = _Likelihood(looks, self._groups, self._standard(looks))
        self._factor = np.linalg.cholesky(likelihood.covariance(self._parameters)[0])
        self._weights = cho_solve((self._factor, True), self._standard(looks))

    def _fit(self, looks: Looks) -> Array:
        # Slow to import, and only needed here.
        from scipy.optimize import minimize

        likelihood = _Likelihood(looks, self._groups, self._standard(looks))
        centre, spread = likelihood.prior.T
        found = minimize(
            likelihood,
            centre,
            jac=True,
            method="L-BFGS-B",
            bounds=list(zip(centre - _WITHIN * spread, centre + _WITHIN * spread, strict=True)),
            options={"maxiter": _STEPS},
        )
        return found.x

    def _standard(self, looks: Looks) -> Array:
        return (looks.values - self._centre) / self._scale


class _Likelihood:
    """The negative log posterior of the parameters' logarithms, with its gradient.

    The parameters are the variances of f, of g and of the noise, and the length of each dimension.
    """

    def __init__(self, looks: Looks, groups: NDArray[np.int64], values: Array):
        self._values = values
        dimensions = range(int(groups.max()) + 1)
        self._apart = np.stack(
            [_squared(x, x) for d in dimensions for x in [looks.points[:, groups == d]]]
        )
        self._drift = _drift(looks.budgets, looks.budgets)
        self._own = self._drift * (looks.trials[:, None] == looks.trials)
        self._offset = _OFFSET * (looks.budgets[:, None] == looks.budgets)
        variances = [_PRIORS[name] for name in ("signal", "trial", "noise")]
        self.prior = np.array(variances + [_PRIORS["length"]] * len(dimensions))

    def covariance(self, parameters: Array) -> tuple[Array, Array, Array]:
        """Return the covariance of the looks, that of f, and its slope in the distances."""
        signal, trial, noise = np.exp(parameters[:3])
        squared = np.tensordot(np.exp(-2 * parameters[3:]), self._apart, 1)
        shape, slope = _matern(np.sqrt(squared))
        smooth = signal * self._drift * shape
        total = smooth + trial * self._own + self._offset
        total[np.diag_indices_from(total)] += noise + 1e-8
        return total, smooth, signal * self._drift * slope

    def __call__(self, parameters: Array) -> tuple[float, Array]:
        """Return the negative log posterior and its gradient."""
        # Only needed here.
        from scipy.linalg import cho_solve

        total, smooth, slope = self.covariance(parameters)
        factor = np.linalg.cholesky(total)
        inverse = cho_solve((factor, True), np.eye(len(total)))
        weights = inverse @ self._values
        apart = (parameters - self.prior[:, 0]) / self.prior[:, 1]
        loss = 0.5 * self._values @ weights + np.log(np.diag(factor)).sum() + 0.5 * apart @ apart
        sensitivity = 0.5 * (inverse - np.outer(weights, weights))
        variances = [
            (sensitivity * smooth).sum(),
            np.exp(parameters[1]) * (sensitivity * self._own).sum(),
            np.exp(parameters[2]) * np.trace(sensitivity),
        ]
        lengths = np.tensordot(self._apart, sensitivity * slope, 2)
        lengths *= -2 * np.exp(-2 * parameters[3:])
        return loss, np.concatenate([variances, lengths]) + apart / self.prior[:, 1]


def _matern(distance: Array) -> tuple[Array, Array]:
    """Return the Matern 5/2 correlation, and its derivative by the squared distance."""
    scaled = np.sqrt(5) * distance
    decay = np.exp(-scaled)
    return (1 + scaled + scaled**2 / 3) * decay, -5 / 6 * (1 + scaled) * decay


def _squared(one: Array, other: Array) -> Array:
    """Return the squared distances between the rows of ``one`` (m, d) and ``other`` (n, d)."""
    products = one @ other.T
    squares = (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1)
    return np.maximum(squares - 2 * products, 0.0)


def _drift(one: Array, other: Array) -> Array:
    return np.exp(-_DRIFT * np.abs(np.log(one)[:, None] - np.log(other)))
