"""Statistics over seeds: means with intervals, paired gains, and the probability of being best.

A seed determines the network, the split and the noise draw of all trials, so trials are compared
seed by seed: the effect of a split that is common to all trials cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tune_robust.metrics import UNBOUNDED, Bounds, Mode, sign_of

CONFIDENCE = 0.95
_DRAWS = 100_000

Scores = Mapping[int, float]
"""Scores by seed, without seeds that have no finite score."""


class Estimate(NamedTuple):
    """A mean over ``n`` seeds, the standard deviation of a single seed, and the 95 % interval.

    ``sd``, ``low`` and ``high`` are None with fewer than two seeds.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval is on one side of zero; False without an interval."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0

    @property
    def half_width(self) -> float | None:
        """Half of the interval; None without one, and where it is not symmetric (as clipped)."""
        if self.low is None or self.high is None:
            return None
        below, above = self.mean - self.low, self.high - self.mean
        return above if math.isclose(below, above, rel_tol=1e-6, abs_tol=1e-9) else None

    def as_text(
        self, shown: Callable[[float], str], width: Callable[[float], str] | None = None
    ) -> str:
        """Return ``0.352 ±0.010``, or ``0.352 (0.000 to 0.720)`` if the interval is not symmetric.

        Args:
            shown: formats the mean and the ends of the interval.
            width: formats the half width; ``shown`` by default.
        """
        if self.low is None or self.high is None:
            return shown(self.mean)
        if self.half_width is None:
            return f"{shown(self.mean)} ({shown(self.low)} to {shown(self.high)})"
        return f"{shown(self.mean)} ±{(width or shown)(self.half_width)}"

    def within(self, bounds: Bounds) -> Estimate:
        """Return the same with its interval clipped to the values that are possible.

        A mean outside of ``bounds`` stays inside its interval.
        """
        if self.low is None or self.high is None:
            return self
        lowest, highest = min(bounds[0], self.mean), max(bounds[1], self.mean)
        return self._replace(low=max(self.low, lowest), high=min(self.high, highest))


def estimate(values: Sequence[float], bounds: Bounds = UNBOUNDED) -> Estimate | None:
    """Return mean and Student's t interval of independent ``values``; None if there are none.

    The interval is clipped to ``bounds``: that of few fractions may otherwise leave [0, 1].
    """
    n = len(values)
    if not n:
        return None
    mean = float(np.mean(values))
    if n == 1:
        return Estimate(1, mean, None, None, None)
    sd = float(np.std(values, ddof=1))
    # Slow to import, and only needed here.
    from scipy.stats import t

    half = float(t.ppf((1 + CONFIDENCE) / 2, n - 1)) * sd / math.sqrt(n)
    return Estimate(n, mean, sd, mean - half, mean + half).within(bounds)


def of_differences(bounds: Bounds) -> Bounds:
    """Return the bounds of the difference of two values that are within ``bounds``."""
    width = bounds[1] - bounds[0]
    return -width, width


def gain(
    scores: Scores, reference: Scores, mode: Mode, bounds: Bounds = UNBOUNDED
) -> Estimate | None:
    """Return how much better ``scores`` are than ``reference``, paired over their common seeds.

    Positive is better in both modes; None if there is no common seed. ``bounds``: of the scores.
    """
    sign = sign_of(mode)
    paired = [sign * (scores[s] - reference[s]) for s in scores if s in reference]
    return estimate(paired, of_differences(bounds))


def probability_best(
    scores: Sequence[Scores], mode: Mode, generator: np.random.Generator | None = None
) -> list[float] | None:
    """Return the posterior probability of each trial to have the best mean; they add up to 1.

    The model is Bayesian with the standard weak prior: a score is the mean of its trial, plus the
    effect of the seed on all trials, plus normal noise of one unknown variance, with flat priors on
    the means and on the logarithm of the variance. For two trials this equals the probability in a
    paired t test. Unlike a bootstrap over a few seeds, it does not make a trial certain that was
    best with each.

    Only seeds that all trials have are used. None with fewer than two such seeds, or one trial.
    """
    shared = sorted(set.intersection(*(set(s) for s in scores))) if scores else []
    if len(scores) < 2 or len(shared) < 2:
        return None
    table = np.array([[trial[seed] for seed in shared] for trial in scores])
    table = sign_of(mode) * table
    trials, seeds = table.shape
    means = table.mean(axis=1)
    residuals = table - means[:, None] - table.mean(axis=0) + table.mean()
    freedom = (trials - 1) * (seeds - 1)
    generator = generator or np.random.default_rng(0)
    variance = np.square(residuals).sum() / generator.chisquare(freedom, (_DRAWS, 1))
    drawn = means + np.sqrt(variance / seeds) * generator.standard_normal((_DRAWS, trials))
    best = drawn == drawn.max(axis=1, keepdims=True)
    return (best / best.sum(axis=1, keepdims=True)).mean(axis=0).tolist()
