"""Which judge chooses best under wrong validation labels, measured on the recorded populations.

    python benchmarks/judges.py [--draws 50] [--mark develop] [--json]

Each judge (judge_formulas.py) scores the trials of each complete population by their predictions
at their last epoch. Two scores are also smoothed: the report's surrogate is fitted to those of all
trials that are judged, and replaces each by its prediction for the same settings. Its sampling
errors are those of the recorded labels, in all cases.

The regret is the test accuracy of the best trial minus that of the chosen one, the correlation
Spearman's of scores and test accuracies. Intervals are Student's t over populations. Populations
marked ``develop`` are those that judges were compared on while they were written; those marked
``report`` had no influence on them.

Besides all trials, there are random subsets of 4, 8 and 16 trials, and cases in which a judge may
fail: ``memorisers`` (only the 20 trials that have learned the most wrong labels, which share their
confusions), ``true labels`` (validation labels without noise), ``60 % noise`` and ``80 % noise``
(validation labels drawn anew, that fraction of them uniformly among the other classes).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from judge_formulas import JUDGES, Judge, noisy_accuracy
from populations import RECORDED, Recorded, load, recorded
from scipy.stats import spearmanr

from analysis.stored.run import Run, load_run
from analysis.surrogate.landscape import fit_landscape
from tune_robust.statistics import estimate

BASELINE = "noisy accuracy"
LAST_EPOCHS = "noisy accuracy, mean of 5 epochs"
TRUE = "true labels*"
SMOOTHED = {BASELINE: "val_accuracy", "label information": "val_information"}
"""The judges that are smoothed too, and the metrics that their scores are values of."""
SIZES = (4, 8, 16)
CASES = ("memorisers", "true labels", "60 % noise", "80 % noise")


@dataclass(frozen=True)
class Crowd:
    """Trials with the same validation images, and their measured quality.

    ``probabilities`` (T, N, K); ``given`` and ``true`` labels (N,); ``test`` (T,) the test
    accuracies, ``memorised`` (T,) the fractions of wrong labels learned; ``recent`` (T,) the noisy
    accuracy averaged over the last five epochs. ``run`` has the settings of these trials, in the
    same order, and their last epochs.
    """

    probabilities: np.ndarray
    given: np.ndarray
    true: np.ndarray
    test: np.ndarray
    memorised: np.ndarray
    recent: np.ndarray
    run: Run

    def only(self, trials: np.ndarray) -> Crowd:
        """Return the crowd of some of the trials."""
        per_trial = ("probabilities", "test", "memorised", "recent")
        trained, epochs = self.run.trials.iloc[trials], self.run.epochs.iloc[trials]
        run = replace(self.run, trials=trained, epochs=epochs)
        return replace(self, run=run, **{name: getattr(self, name)[trials] for name in per_trial})

    def scores(self) -> dict[str, np.ndarray]:
        """Return the scores of every judge, higher is better."""
        found = {name: judge(self.probabilities, self.given) for name, judge in _judges(self)}
        for name, metric in SMOOTHED.items():
            found[f"{name}, smoothed"] = smoothed(self.run, metric, found[name])
        return {**found, TRUE: noisy_accuracy(self.probabilities, self.true)}


def _judges(crowd: Crowd) -> Iterator[tuple[str, Judge]]:
    for name, judge in JUDGES.items():
        yield name, judge
        if name == BASELINE:
            yield LAST_EPOCHS, lambda *_: crowd.recent


def smoothed(run: Run, metric: str, scores: np.ndarray) -> np.ndarray:
    """Return the surrogate's predictions of a metric for the trials that it was fitted to.

    ``scores`` are the values of the metric. They are returned if the surrogate cannot be fitted.
    """
    scored = replace(run, epochs=run.epochs.assign(**{metric: scores}))
    land = fit_landscape(scored, metric)
    return scores if land is None else land.of(run.trials.reset_index(drop=True)).mean


def _last_epochs(name: str, trials: pd.Index) -> Run:
    """Return the run with these trials alone, and with the last epoch of each."""
    run = load_run(RECORDED / name)
    last = run.epochs.sort_values("epoch").groupby("trial").tail(1)
    rows, ends = (
        table.set_index("trial").loc[trials].reset_index() for table in (run.trials, last)
    )
    return replace(run, trials=rows, epochs=ends)


def crowd_of(population: Recorded) -> Crowd:
    """Return the finished trials of a population at their last epoch."""
    last = population.last.sort_index()
    probabilities = np.stack([population.predictions[trial, 1.0] for trial in last.index])
    probabilities = probabilities.astype(np.float64)
    by_trial = population.epochs.sort_values("epoch").groupby("trial")["val_accuracy"]
    return Crowd(
        probabilities / probabilities.sum(2, keepdims=True),
        population.labels.given,
        population.labels.true,
        last["test_accuracy"].to_numpy(),
        last["noisy_fit"].to_numpy(),
        by_trial.apply(lambda values: values.tail(5).mean())[last.index].to_numpy(),
        _last_epochs(population.population.name, last.index),
    )


def regret(scores: np.ndarray, test: np.ndarray) -> float:
    """Return how much better the best trial is than the first of the highest-scored, in points."""
    return float(100 * (test.max() - test[np.argmax(scores)]))


def correlation(scores: np.ndarray, test: np.ndarray) -> float:
    """Return Spearman's correlation; NaN if either is constant."""
    if np.ptp(scores) == 0 or np.ptp(test) == 0:
        return math.nan
    return float(spearmanr(scores, test).statistic)


def regrets(crowd: Crowd) -> dict[str, float]:
    """Return the regret of each judge."""
    return {name: regret(scores, crowd.test) for name, scores in crowd.scores().items()}


def subset_regrets(crowd: Crowd, size: int, draws: int) -> dict[str, float]:
    """Return the mean regret of each judge over random subsets of ``size`` trials."""
    generator = np.random.default_rng(size)
    found = []
    for _ in range(draws):
        chosen = generator.choice(len(crowd.test), size, replace=False)
        found.append(regrets(crowd.only(np.sort(chosen))))
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def case(crowd: Crowd, name: str) -> Crowd:
    """Return the crowd with one of ``CASES`` made of it; ``recent`` keeps the recorded labels."""
    if name == "memorisers":
        order = np.argsort(-np.nan_to_num(crowd.memorised), kind="stable")
        return crowd.only(np.sort(order[:20]))
    if name == "true labels":
        return replace(crowd, given=crowd.true)
    generator = np.random.default_rng(0)
    classes, images = crowd.probabilities.shape[2], len(crowd.true)
    wrong = (crowd.true + generator.integers(1, classes, images)) % classes
    flipped = generator.random(images) < float(name.removesuffix(" % noise")) / 100
    return replace(crowd, given=np.where(flipped, wrong, crowd.true))


def measured(population: Recorded, draws: int) -> dict[str, Any]:
    """Return all figures of a population: {figure: {judge: value}}."""
    crowd = crowd_of(population)
    scores = crowd.scores()
    return {
        "regret": {name: regret(each, crowd.test) for name, each in scores.items()},
        "correlation": {name: correlation(each, crowd.test) for name, each in scores.items()},
        **{f"{size} trials": subset_regrets(crowd, size, draws) for size in SIZES},
        **{name: _without_epochs(regrets(case(crowd, name)), name) for name in CASES},
    }


def _without_epochs(found: dict[str, float], name: str) -> dict[str, float]:
    """Leave out the mean over epochs where it would be that with the recorded labels."""
    changes_labels = name != "memorisers"
    return {k: v for k, v in found.items() if not (changes_labels and k == LAST_EPOCHS)}


def summary(populations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return {figure: {judge: estimate, worst}} over populations, and ``difference``.

    ``difference``: the regret above that of ``BASELINE``, paired; negative is better.
    """
    figures = {name: _over(populations, name, lambda one: one) for name in populations[0]}
    figures["difference"] = _over(
        populations,
        "regret",
        lambda one: {name: value - one[BASELINE] for name, value in one.items()},
    )
    return figures


def _over(
    populations: Sequence[Mapping[str, Any]],
    figure: str,
    change: Callable[[Mapping[str, float]], Mapping[str, float]],
) -> dict[str, Any]:
    each = [change(one[figure]) for one in populations]
    columns = {name: [one[name] for one in each] for name in each[0]}
    return {
        name: {**estimate(values)._asdict(), "worst": max(values)}
        for name, values in columns.items()
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=50, help="random subsets of each size")
    parser.add_argument("--mark", choices=("develop", "report"), help="only these populations")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def _print(mark: str, names: Sequence[str], found: Mapping[str, Any]) -> None:
    print(f"\n{mark}: {len(names)} populations ({', '.join(names)})\n")
    print("| judge | regret, points | worst | regret - noisy accuracy's | rank correlation |")
    print("|---|---|---|---|---|")
    for judge in found["regret"]:
        lost = _interval(found["regret"][judge], 1, low=0.0)
        difference = _interval(found["difference"][judge], 1)
        correlated = _interval(found["correlation"][judge], 2, high=1.0)
        worst = found["regret"][judge]["worst"]
        print(f"| {judge} | {lost} | {worst:.1f} | {difference} | {correlated} |")
    columns = [*(f"{size} trials" for size in SIZES), *CASES]
    print("\n| regret, points, of | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for judge in found["regret"]:
        cells = (found[column].get(judge) for column in columns)
        shown = ("-" if cell is None else f"{cell['mean']:.1f}" for cell in cells)
        print(f"| {judge} | " + " | ".join(shown) + " |")


def _interval(
    one: Mapping[str, float | None], places: int, low: float = -math.inf, high: float = math.inf
) -> str:
    """Format a mean and its interval, the latter clipped to the possible range."""
    mean = f"{one['mean']:.{places}f}"
    if one["low"] is None:
        return mean
    return f"{mean} ({max(low, one['low']):.{places}f} to {min(high, one['high']):.{places}f})"


def main() -> None:
    """Measure every judge on the populations of each mark and print the tables."""
    options = _options()
    found: dict[str, Any] = {"draws": options.draws, "populations": {}, "marks": {}}
    for mark in [options.mark] if options.mark else ["develop", "report"]:
        there = [one for one in map(load, recorded(mark)) if one.complete]
        each = {one.population.name: measured(one, options.draws) for one in there}
        if not each:
            continue
        found["populations"].update(each)
        found["marks"][mark] = summary([*each.values()])
        if not options.json:
            _print(mark, [*each], found["marks"][mark])
    if options.json:
        print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
