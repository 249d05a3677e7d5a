"""Statistics over seeds: means with intervals, paired gains, and the probability to be the best.

One seed fixes the network, the split and the noise draw of all trials alike, so trials compare seed
by seed: what a split does to all of them cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tune_robust.metrics import Mode, sign_of

CONFIDENCE = 0.95
_DRAWS = 100_000

Scores = Mapping[int, float]
"""By seed; a seed without a finite score is left out."""


class Estimate(NamedTuple):
    """A mean over ``n`` seeds, the standard deviation of a single seed, and the 95 % interval.

    ``sd``, ``low`` and ``high`` are None with fewer than two seeds: one says nothing of spread.
    """

    n: int
    mean: float
    sd: float | None
    low: float | None
    high: float | None

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of zero; never without an interval."""
        if self.low is None or self.high is None:
            return False
        return self.low > 0 or self.high < 0


def estimate(values: Sequence[float]) -> Estimate | None:
    """Mean and Student's t interval of independent ``values``; None of nothing."""
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
    return Estimate(n, mean, sd, mean - half, mean + half)


def gain(scores: Scores, reference: Scores, mode: Mode) -> Estimate | None:
    """By how much ``scores`` are better than ``reference``, paired over the seeds that both have.

    Positive is better, whichever the mode; None where they share no seed.
    """
    sign = sign_of(mode)
    return estimate([sign * (scores[s] - reference[s]) for s in scores if s in reference])


def probability_best(
    scores: Sequence[Scores], mode: Mode, generator: np.random.Generator | None = None
) -> list[float] | None:
    """The posterior probability of each trial to have the best mean of all; they add up to 1.

    Bayesian, with the standard weak prior: a score is its trial's mean, plus what the seed does to
    all trials, plus normal noise of one unknown variance; flat priors on the means and on the
    logarithm of the variance. For two trials this is the paired t test's own probability. Unlike a
    bootstrap over a handful of seeds it does not call a trial certain because it led at each.

    Only the seeds that all trials have count. None with fewer than two of them, or one trial.
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
