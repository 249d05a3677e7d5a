"""A Gaussian process over settings and budgets, which learns from trials of any length.

The model of MOBSTER (Klein et al. 2020, arXiv 2003.10865), with few parameters. A look at trial i,
with the settings x, after the fraction r of a complete trial is

    y = offset(r) + f(x, r) + g(i, r) + error(i) + noise.

``offset`` is the mean course of training in a run. ``f`` is smooth in the settings (Matern 5/2,
with a length for each dimension), and ``g`` is the trial's own deviation, which all its looks
share. f and g at two budgets correlate the less, the further these are apart. ``error`` is that of
the measurement, with a known variance, as of an accuracy over some images; the looks at a trial,
which are over the same images, share it. The parameters are those of the maximum a posteriori.
There is no random number in it: equal looks give equal predictions.

The searcher ``gp_mf`` and the analysis of a run both use it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

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

FREEDOM = 3.0
"""The degrees of freedom of Student's t distribution of a new trial's value."""

_TRUST = 0.2
"""The prior standard deviation of the logarithm of the t distribution's scale, around 0."""

_WITHIN = 4.0
"""How many standard deviations of its prior a parameter may lie from the mean."""

_STEPS = 40
"""The most steps of the optimiser of the parameters."""


class Priors(NamedTuple):
    """Mean and standard deviation of the normal prior on the logarithm of each parameter.

    The first three are variances, in units of the variance of the looks; ``length`` is that of each
    dimension, in units of its range.
    """

    signal: tuple[float, float] = (0.0, 0.7)
    trial: tuple[float, float] = (-2.5, 0.7)
    noise: tuple[float, float] = (-3.0, 0.7)
    length: tuple[float, float] = (0.0, 0.7)


DEFAULT = Priors()


@dataclass(frozen=True)
class Looks:
    """What has been seen of the trials: one row for each look.

    Attributes:
        points: the settings as features in the unit cube, (n, features).
        budgets: the fractions of a complete trial, in (0, 1], (n,).
        trials: the numbers of the trials, (n,).
        values: the values, larger ones being better, (n,).
        errors: the known standard deviations of their measurement, (n,).
        runs: the numbers of the runs to which the trials belong, (n,). Runs differ in their offset;
            that f differs between them is up to the features. Predictions are about run 0.
    """

    points: Array
    budgets: Array
    trials: NDArray[np.int64]
    values: Array
    errors: Array
    runs: NDArray[np.int64]

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


class Predicted(NamedTuple):
    """Predictions at m points, each (m,).

    Attributes:
        mean: the expected values at the end of a trial.
        deviation: their standard deviations.
        doubt: the deviations as fractions of that of settings far from all looks, in [0, 1].
    """

    mean: Array
    deviation: Array
    doubt: Array


class GaussianProcess:
    """The model, fitted to ``looks``.

    Args:
        looks: at least one look.
        groups: the number of the dimension of each feature, from 0, (features,). The features of a
            dimension share a length.
        priors: those of the parameters.
    """

    def __init__(self, looks: Looks, groups: NDArray[np.int64], priors: Priors = DEFAULT):
        self._groups, self._priors = groups, priors
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
        across = self._smooth(points, ends) + self._constant()
        values = self._centre + self._scale * (across @ self._weights)
        trials = -1 - np.arange(len(points))
        none = np.zeros(len(points))
        ended = Looks(points, ends, trials, values, none, none.astype(int))
        self._condition(self._looks + ended)

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation of f at the end of a trial, each (m,).

        They are in the unit of the looks and relative to the mean trial: without ``offset``, the
        seed and the noise.

        Args:
            points: the settings, (m, features).
        """
        across = self._smooth(points, np.ones(len(points)))
        variance = np.exp(self._parameters[0]) - self._explained(across)
        return self._scale * (across @ self._weights), self._scale * _root(variance)

    def expect(self, *groups: Array) -> Predicted:
        """Predict the values at the end of a trial, each the average over several settings.

        Args:
            groups: at least one, each (m, features): row n of the result is about the average over
                row n of all of them. The difference of two groups must be the same in all rows.
        """
        constant, prior = self._constant(), np.exp(self._parameters[0])
        across = sum(self._smooth(points, np.ones(len(points))) for points in groups) / len(groups)
        across = across + constant
        firsts = np.stack([points[0] for points in groups])
        signal = prior * self._correlation(firsts, firsts).mean()
        variance = signal + _OFFSET - self._explained(across)
        far = prior + _OFFSET - self._explained(constant[None])
        return Predicted(
            mean=self._centre + self._scale * (across @ self._weights),
            deviation=self._scale * _root(variance),
            doubt=np.clip(_root(variance / far), 0, 1),
        )

    @property
    def noise(self) -> float:
        """The standard deviation of the looks at the ends of trials with equal settings.

        It is in their unit, and without the known error of their measurement.
        """
        return self._scale * float(np.sqrt(np.exp(self._parameters[1:3]).sum()))

    @cached_property
    def spread(self) -> float:
        """The factor by which deviations are too small (above 1) or too large to be relied on.

        The value of a new trial is distributed as Student's t with ``FREEDOM`` degrees of freedom,
        whose scale is this factor times the standard deviation of mean, noise and error. It is the
        maximum a posteriori, given each trial's last look predicted from all other trials
        (Rasmussen and Williams 2006, section 5.4.2). The tails are heavy: some trials diverge.
        """
        # Only needed here.
        from scipy.linalg import cho_solve

        inverse = cho_solve((self._factor, True), np.eye(len(self._looks)))
        apart = []
        for trial in np.unique(self._looks.trials):
            rows = np.flatnonzero(self._looks.trials == trial)
            covariance = np.linalg.inv(inverse[np.ix_(rows, rows)])
            last = self._looks.budgets[rows].argmax()
            missed = (covariance @ self._weights[rows])[last]
            apart.append(missed / np.sqrt(covariance[last, last]))
        factors = np.exp(np.linspace(-5, 5, 101) * _TRUST)
        squares = (np.array(apart)[:, None] / factors) ** 2
        fits = -(FREEDOM + 1) / 2 * np.log1p(squares / FREEDOM) - np.log(factors)
        posterior = fits.sum(axis=0) - 0.5 * (np.log(factors) / _TRUST) ** 2
        return float(factors[posterior.argmax()])

    def _constant(self) -> Array:
        """Return the covariance of ``offset`` at the end of a trial with the looks, (n,)."""
        return _OFFSET * ((self._looks.budgets == 1.0) & (self._looks.runs == 0))

    def _explained(self, across: Array) -> Array:
        """Return the variance that the looks explain, of their covariance ``across`` (m, n)."""
        # Only needed here.
        from scipy.linalg import solve_triangular

        return (solve_triangular(self._factor, across.T, lower=True) ** 2).sum(axis=0)

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
        prior = np.exp(self._parameters[0]) * self._correlation(points, points)
        covariance = prior - explained.T @ explained
        covariance[np.diag_indices_from(covariance)] += 1e-6 * np.exp(self._parameters[0])
        values, vectors = np.linalg.eigh(covariance)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        drawn = rng.standard_normal((draws, len(points))) @ root.T
        return self._scale * (across @ self._weights + drawn)

    def _smooth(self, points: Array, budgets: Array) -> Array:
        """Return the covariance of f between ``points`` and the looks, (m, n)."""
        drift = _drift(budgets, self._looks.budgets)
        shape = self._correlation(points, self._looks.points)
        return np.exp(self._parameters[0]) * shape * drift

    def _correlation(self, one: Array, other: Array) -> Array:
        """Return the correlation of f at equal budgets between settings (m, f) and (n, f)."""
        weights = np.exp(-self._parameters[3:])[self._groups]
        return _matern(np.sqrt(_squared(one * weights, other * weights)))[0]

    def _condition(self, looks: Looks) -> None:
        # Only needed here.
        from scipy.linalg import cho_solve

        self._looks = looks
        likelihood = self._likelihood(looks)
        self._factor = np.linalg.cholesky(likelihood.covariance(self._parameters)[0])
        self._weights = cho_solve((self._factor, True), self._standard(looks))

    def _fit(self, looks: Looks) -> Array:
        # Slow to import, and only needed here.
        from scipy.optimize import minimize

        likelihood = self._likelihood(looks)
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

    def _likelihood(self, looks: Looks) -> _Likelihood:
        errors = looks.errors / self._scale
        return _Likelihood(looks, self._groups, self._standard(looks), errors, self._priors)

    def _standard(self, looks: Looks) -> Array:
        return (looks.values - self._centre) / self._scale


class _Likelihood:
    """The negative log posterior of the parameters' logarithms, with its gradient.

    The parameters are the variances of f, of g and of the noise, and the length of each dimension.
    """

    def __init__(
        self,
        looks: Looks,
        groups: NDArray[np.int64],
        values: Array,
        errors: Array,
        priors: Priors = DEFAULT,
    ):
        self._values = values
        dimensions = range(int(groups.max()) + 1)
        self._apart = np.stack(
            [_squared(x, x) for d in dimensions for x in [looks.points[:, groups == d]]]
        )
        self._drift = _drift(looks.budgets, looks.budgets)
        same = looks.trials[:, None] == looks.trials
        self._own, self._error = self._drift * same, np.outer(errors, errors) * same
        alike = looks.budgets[:, None] == looks.budgets
        self._offset = _OFFSET * (alike & (looks.runs[:, None] == looks.runs))
        self.prior = np.array([*priors[:3], *[priors.length] * len(dimensions)])

    def covariance(self, parameters: Array) -> tuple[Array, Array, Array]:
        """Return the covariance of the looks, that of f, and its slope in the distances."""
        signal, trial, noise = np.exp(parameters[:3])
        squared = np.tensordot(np.exp(-2 * parameters[3:]), self._apart, 1)
        shape, slope = _matern(np.sqrt(squared))
        smooth = signal * self._drift * shape
        total = smooth + trial * self._own + self._offset + self._error
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


def _root(variance: Array) -> Array:
    return np.sqrt(np.maximum(variance, 1e-12))


def _drift(one: Array, other: Array) -> Array:
    return np.exp(-_DRIFT * np.abs(np.log(one)[:, None] - np.log(other)))
