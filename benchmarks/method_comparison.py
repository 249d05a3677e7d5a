"""Compare methods over recorded populations, with tests of significance.

A method is represented by its best configuration by the metric that a search without trusted labels
selects by (``Population.criterion``), and measured by that configuration's test accuracy: its mean
over fresh seeds where these have been trained. Over several populations methods are compared as
Demsar 2006 recommends ("Statistical comparisons of classifiers over multiple data sets", JMLR 7):
Friedman's test and the Nemenyi critical difference of average ranks for all of them, Wilcoxon's
signed-rank test with Holm's correction for pairs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from judge_formulas import label_information
from populations import Criterion, Recorded
from scipy import stats

from tune_robust.statistics import Estimate, estimate

LEVEL = 0.05
FEWEST_SEEDS = 3
"""The fewest fresh seeds whose mean replaces the result of the search."""


def scores(population: Recorded, criterion: Criterion | None = None) -> pd.Series:
    """Return the scores of the finished trials at their last epoch, by trial; the highest is best.

    ``criterion``: by default that of the population. The label information is computed from the
    predictions: the first populations did not record it.
    """
    last = population.last.sort_index()
    if (criterion or population.population.criterion) == "val_accuracy":
        return last["val_accuracy"]
    probabilities = np.stack([population.predictions[trial, 1.0] for trial in last.index])
    return pd.Series(label_information(probabilities, population.labels.given), last.index)


def chosen(population: Recorded, criterion: Criterion | None = None) -> pd.DataFrame:
    """Return each method's trial with the best score, the first of equal ones.

    Indexed by method: ``trial``, its last metrics (fractions) and all settings.
    """
    last = population.last.sort_index()
    best = scores(population, criterion).groupby(last["method"]).idxmax()
    rows = last.loc[best].reset_index().set_index("method")
    return rows.sort_values("test_accuracy", ascending=False)


def on_fresh_seeds(population: Recorded, criterion: Criterion | None = None) -> pd.DataFrame | None:
    """Return the test accuracies of the chosen trials, by fresh seed and method.

    Only seeds on which all of them have been trained; None without at least ``FEWEST_SEEDS``.
    """
    if population.confirmed is None:
        return None
    trials = chosen(population, criterion)["trial"]
    again = population.confirmed.pivot(index="seed", columns="trial", values="test_accuracy")
    if not set(trials) <= set(again):
        return None
    table = again[trials.to_list()].set_axis(trials.index, axis="columns").dropna()
    return table if len(table) >= FEWEST_SEEDS else None


def accuracies_of(
    populations: Sequence[Recorded], criterion: Criterion | None = None
) -> pd.DataFrame:
    """Return test accuracies of the chosen trials: a row per population, a column per method.

    They are means over fresh seeds where there are enough, and otherwise those of the search.
    """
    rows = {}
    for one in populations:
        again = on_fresh_seeds(one, criterion)
        once = chosen(one, criterion)["test_accuracy"]
        rows[one.population.name] = once if again is None else again.mean()
    return pd.DataFrame(rows).T.dropna(axis="columns")


class Ranking(NamedTuple):
    """Average ranks over ``n`` populations (1 is best) and their significance.

    ``p``: of Friedman's test that all methods are equal; None with fewer than two populations.
    Methods whose ranks differ by at most ``critical_difference`` (Nemenyi, 5 %) are statistically
    indistinguishable; ``cliques`` are the largest groups of such methods, best first.
    """

    n: int
    ranks: pd.Series
    p: float | None
    critical_difference: float
    cliques: tuple[tuple[str, ...], ...]


def ranking(accuracies: pd.DataFrame) -> Ranking:
    """Rank the columns within each row, the highest first; equal values share the mean rank."""
    n, methods = accuracies.shape
    ranks = accuracies.rank(axis="columns", ascending=False).mean().sort_values(kind="stable")
    p = None
    if n > 1 and methods > 2:
        p = float(stats.friedmanchisquare(*(accuracies[m] for m in accuracies)).pvalue)
    difference = critical_difference(methods, n)
    return Ranking(n, ranks, p, difference, cliques(ranks, difference))


def critical_difference(methods: int, n: int) -> float:
    """Return the difference of average ranks that is significant at 5 % between ``methods``.

    Nemenyi's test: the studentized range over the square root of 2, times the standard deviation of
    a rank.
    """
    quantile = stats.studentized_range.ppf(1 - LEVEL, methods, np.inf) / math.sqrt(2)
    return float(quantile * math.sqrt(methods * (methods + 1) / (6 * n)))


def cliques(ranks: pd.Series, difference: float) -> tuple[tuple[str, ...], ...]:
    """Return the largest runs of neighbours in ``ranks`` (ascending) within ``difference``."""
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = int((ranks - ranks.iloc[first] <= difference).to_numpy().nonzero()[0][-1])
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return tuple(tuple(ranks.index[first : last + 1]) for first, last in found)


class Difference(NamedTuple):
    """How much ``method`` is above ``reference``, paired, in fractions of test accuracy.

    ``p``: of Wilcoxon's signed-rank test, two-sided; ``adjusted``: the same corrected for all
    comparisons made with it. Both are None if nothing differs or there are fewer than two pairs.
    """

    method: str
    reference: str
    size: Estimate
    p: float | None
    adjusted: float | None = None

    @property
    def verdict(self) -> str:
        """Return ``above``, ``below`` or ``open``, at 5 % after the correction."""
        if self.adjusted is None or self.adjusted > LEVEL:
            return "open"
        return "above" if self.size.mean > 0 else "below"


def differences(accuracies: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> list[Difference]:
    """Compare each (method, reference) over the rows, corrected for the number of pairs.

    Pairs of which one is not a column are left out.
    """
    found = [_difference(accuracies, *pair) for pair in pairs if set(pair) <= set(accuracies)]
    tested = [one.p for one in found if one.p is not None]
    adjusted = iter(holm(tested))
    return [one if one.p is None else one._replace(adjusted=next(adjusted)) for one in found]


def _difference(accuracies: pd.DataFrame, method: str, reference: str) -> Difference:
    each = accuracies[method] - accuracies[reference]
    return Difference(method, reference, estimate(each.tolist()), signed_rank(each))


def signed_rank(differences: pd.Series) -> float | None:
    """Return the p of Wilcoxon's signed-rank test; None if nothing differs or there is no pair."""
    if len(differences) < 2 or not differences.any():
        return None
    method = "exact" if _untied(differences) else "approx"
    return float(stats.wilcoxon(differences, method=method).pvalue)


def paired_t(differences: pd.Series) -> float:
    """Return the p of the paired t test; 1 if nothing differs or there is no pair."""
    if len(differences) < 2 or not differences.any():
        return 1.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


def _untied(values: pd.Series) -> bool:
    """Return whether the exact distribution of Wilcoxon's statistic applies: no zeros or ties."""
    return bool((values != 0).all() and values.abs().is_unique)


def holm(p_values: Sequence[float]) -> list[float]:
    """Apply Holm's step-down correction (1979); the order is unchanged."""
    order = np.argsort(p_values, kind="stable")
    adjusted, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def fewest_populations(comparisons: int) -> int:
    """Return how many populations Wilcoxon's test needs before a comparison can be significant.

    With n pairs that all have the same sign its two-sided p is 2 / 2^n.
    """
    return math.ceil(math.log2(2 * comparisons / LEVEL))


class Selection(NamedTuple):
    """The cost of selecting one trial of a whole population by a metric with noisy labels.

    ``accuracy`` and ``best``: test accuracy of the selected trial, and of the best of all.
    ``correlation``: Spearman's, of the metric with the test accuracy over the trials.
    """

    trial: str
    method: str
    accuracy: float
    best: float
    correlation: float

    @property
    def lost(self) -> float:
        """Return how far the selected trial is below the best one, in points."""
        return 100 * (self.best - self.accuracy)


def selection(population: Recorded, criterion: Criterion | None = None) -> Selection:
    """Return the trial that a search would select, compared with the best one."""
    last, found = population.last.sort_index(), scores(population, criterion)
    trial = found.idxmax()
    return Selection(
        trial=str(trial),
        method=str(last.loc[trial, "method"]),
        accuracy=float(last.loc[trial, "test_accuracy"]),
        best=float(last["test_accuracy"].max()),
        correlation=float(stats.spearmanr(found, last["test_accuracy"]).statistic),
    )


def agreement(populations: Sequence[Recorded]) -> pd.DataFrame:
    """Return Spearman's correlation of the trials' test accuracies between every two populations.

    All populations have the same settings under the same trial names; each pair is compared over
    the trials that both have.
    """
    accuracies = pd.DataFrame(
        {one.population.name: one.last["test_accuracy"] for one in populations}
    )
    return accuracies.corr(method="spearman")
