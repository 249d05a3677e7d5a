"""Which configurations to start with: chosen on one half of the populations, checked on the other.

All populations have the same configurations under the same trial names; one that has only the first
of them is left out. On the populations marked ``develop``, each method is represented by the
configuration with the lowest regret on average, and the methods are ordered by it. A user with k
trainings trains the first k of these and selects one of them as a search does, by noisy validation
labels. The populations marked ``report`` check it.

    python benchmarks/starting_points.py    # the known points of the built-in space robust_start
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
from method_comparison import scores
from populations import Recorded, load, recorded, with_most_trials

from tune_robust.spaces.yaml_text import write_yaml

SIZES = (1, 4, 8)
"""Numbers of trainings that a user may have."""
SPACE_POINTS = 8
"""The number of known points of the space ``robust_start``."""
SETTINGS = (
    *("optimizer.lr", "optimizer.weight_decay", "model.width", "sam.rho", "saner.alpha"),
    *("saner.k", "sals.alpha", "law.gamma", "law.tau", "law.shape", "loss.q", "loss.alpha"),
    *("mixup.alpha", "average.decay"),
)
_DIGITS = 2


class Outcomes(NamedTuple):
    """The trials of a population: their ``scores`` by noisy labels and ``test`` accuracies."""

    scores: pd.Series
    test: pd.Series
    methods: pd.Series

    @classmethod
    def of(cls, population: Recorded) -> Outcomes:
        """Return those of a population."""
        last = population.last.sort_index()
        return cls(scores(population), last["test_accuracy"], last["method"])

    def selected(self, trials: Sequence[str]) -> float:
        """Return the test accuracy of the trial of ``trials`` with the highest score."""
        return float(self.test[self.scores[[*trials]].idxmax()])

    def regret(self, trials: Sequence[str]) -> float:
        """Return how far that is below the best trial of all, in points."""
        return 100 * (float(self.test.max()) - self.selected(trials))


def best_of_methods(outcomes: Sequence[Outcomes]) -> list[str]:
    """Return the trial of each method with the lowest mean regret, the lowest of all first."""
    alone, methods = _alone(outcomes), outcomes[0].methods
    return alone.loc[alone.groupby(methods).idxmin()].sort_values(kind="stable").index.to_list()


def best_of_sgd(outcomes: Sequence[Outcomes]) -> list[str]:
    """Return the trials of plain SGD, that with the lowest mean regret first."""
    alone = _alone(outcomes)
    plain = alone[outcomes[0].methods[alone.index] == "sgd"]
    return plain.sort_values(kind="stable").index.to_list()


def _alone(outcomes: Sequence[Outcomes]) -> pd.Series:
    """Return the mean regret of each trial by itself, as a fraction."""
    return sum(one.test.max() - one.test for one in outcomes) / len(outcomes)


def _mean_regret(outcomes: Sequence[Outcomes], trials: Sequence[str]) -> float:
    return math.fsum(one.regret(trials) for one in outcomes) / len(outcomes)


class Start(NamedTuple):
    """What to start with under one kind of noise and with some number of trainings.

    ``developed`` and ``checked``: the populations that chose it and that check it. ``regret``: its
    mean regret on the former, in points. On each of the latter, ``gains`` is how far it is above as
    many configurations of SGD, in fractions, and ``regrets`` how far below the best, in points.
    """

    noise: str
    trials: list[str]
    developed: list[str]
    regret: float
    checked: list[str]
    gains: list[float]
    regrets: list[float]


def starts(populations: Sequence[Recorded], sizes: Sequence[int] = SIZES) -> list[Start]:
    """Return the starts for each kind of label noise, the kind of no population last.

    A kind without a population marked ``develop`` starts with what all noisy ones chose.
    """
    noisy = [one for one in with_most_trials(populations) if one.population.noise != "clean"]
    outcomes = {one.population.name: Outcomes.of(one) for one in noisy}
    develop = [one for one in noisy if one.population.mark == "develop"]
    report = [one for one in noisy if one.population.mark == "report"]
    kinds = list(dict.fromkeys(one.population.noise for one in noisy))
    if not develop:
        return []
    found = []
    for kind in [*kinds, None]:
        own = [one for one in develop if kind in (None, one.population.noise)]
        check = [one for one in report if kind in (None, one.population.noise)]
        label = kind or "any"
        found += [_start(label, own or develop, check, outcomes, size) for size in sizes]
    return found


def _start(
    noise: str,
    develop: Sequence[Recorded],
    report: Sequence[Recorded],
    outcomes: dict[str, Outcomes],
    size: int,
) -> Start:
    names = [one.population.name for one in develop]
    choosing = [outcomes[name] for name in names]
    trials, plain = best_of_methods(choosing)[:size], best_of_sgd(choosing)[:size]
    checking = [outcomes[one.population.name] for one in report]
    return Start(
        noise,
        trials,
        names,
        _mean_regret(choosing, trials),
        [one.population.name for one in report],
        [one.selected(trials) - one.selected(plain) for one in checking],
        [one.regret(trials) for one in checking],
    )


def settings(population: Recorded, trial: str) -> dict[str, Any]:
    """Return the method and the settings of a trial, with two significant digits."""
    row = population.last.loc[trial]
    drawn = {path: row[path] for path in SETTINGS if path in row and not pd.isna(row[path])}
    return {"method": row["method"], **{path: _rounded(v) for path, v in drawn.items()}}


def _rounded(value: Any) -> Any:
    return value if isinstance(value, str) else float(f"{value:.{_DIGITS}g}")


def known_points(populations: Sequence[Recorded]) -> list[dict[str, Any]]:
    """Return the known points of ``robust_start``: the portfolio for any label noise."""
    trials = starts(populations, [SPACE_POINTS])[-1].trials
    return [settings(populations[0], trial) for trial in trials]


if __name__ == "__main__":
    complete = [one for one in map(load, recorded()) if one.complete]
    print(write_yaml({"known": known_points(complete)}), end="")
