"""Known points between recorded populations: what good ones gain, and what misleading ones cost.

    python benchmarks/known_points.py            # the populations marked develop, and the digits
    python benchmarks/known_points.py --seeds 5 --targets digits_symmetric_0
    python benchmarks/known_points.py --json

A search (``gp_mf`` with ``promotion``, as in searchers.py) of one population has four known points.
They are the best configurations of other populations marked ``develop``, which are drawn for each
seed, by their score on the validation set (``good``), or the worst ones (``misleading``). The grid
of the digits has the known points of its own space, or four of its 20 worst settings. ``none``
is the same search without known points. Measured is the compute until a trial has finished within
half a point of the best, as a fraction of that of all recorded trials, and the test accuracy of the
finished trial with the best score after 5, 10 and 20 % of it, as in searchers.py. ``ratio`` is the
mean compute relative to ``none``, with a 95 % bootstrap interval over the pairs of searches.

The populations have the same 60 settings, so that the known points are among those of the search.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from statistics import fmean
from typing import Any

import numpy as np
from populations import recorded
from searchers import AT, Finish, best_by, ours, recording, to_target
from time_to_quality import Recording
from timing import machine

from tune_robust.runs.trial import Trial

KIND = "gp_mf_promotion"
WAYS = ("none", "good", "misleading")
GRID = "digits"
POINTS = 4
"""The number of known points of a search."""

WORST = 20
"""From how many of the worst configurations of the grid the misleading points are drawn."""


def known_points(name: str, way: str, seed: int) -> list[Mapping[str, Any]]:
    """Return the known points of a search; fewer if the other populations have fewer such ones."""
    if way == "none":
        return []
    rng, target = np.random.default_rng(seed), recording(name)
    if name == GRID and way == "good":
        return [*target.space.known]
    if name == GRID:
        worst = _ranked(target, way)[:WORST]
        return [worst[n].values for n in rng.permutation(WORST)[:POINTS]]
    others = rng.permutation([other for other in recorded("develop") if other != name])
    chosen = dict.fromkeys(_ranked(recording(other), way)[0].name for other in others)
    settings = {trial.name: trial.values for trial in target.pool.trials}
    return [settings[trial] for trial in [*chosen][:POINTS] if trial in settings]


def _ranked(one: Recording, way: str) -> list[Trial]:
    """Return the recorded trials by their score on the validation set.

    The best one is the first one, or the last one if the way is ``misleading``.
    """
    objective = one.pool.objective
    sign = objective.sign if way == "misleading" else -objective.sign
    return sorted(one.pool.trials, key=lambda trial: sign * objective.known_value(trial.epochs))


def searches(name: str, way: str, seeds: int) -> list[list[Finish]]:
    """Return the finished trials of ``seeds`` searches."""
    target = recording(name)
    return [ours(KIND, target, seed, known=known_points(name, way, seed)) for seed in range(seeds)]


def rows(names: Sequence[str], seeds: int) -> Iterator[dict[str, Any]]:
    """Yield the measurement of each recording and way.

    A search that never reaches the target counts with all of the compute, and one without a
    finished trial with a test accuracy of 0.
    """
    without: list[float] = []
    for name, way in product(names, WAYS):
        target, found = recording(name), searches(name, way, seeds)
        compute = [min(1.0, to_target(target, finished)) for finished in found]
        without = compute if way == "none" else without
        tests = {trial.name: trial.last["test_accuracy"] for trial in target.pool.trials}
        accuracies = {
            f"{at:g}": fmean(
                tests[end.trial] if (end := best_by(one, at)) else 0.0 for one in found
            )
            for at in AT
        }
        yield {
            "target": name,
            "way": way,
            "compute": compute,
            "mean": fmean(compute),
            "ratio": fmean(compute) / fmean(without),
            "test_accuracy": accuracies,
        }


def overall(measured: Sequence[Mapping[str, Any]], way: str) -> dict[str, Any]:
    """Return the ratio averaged over the recordings, its interval, and the mean accuracies."""
    found = [row for row in measured if row["way"] == way]
    without = [row for row in measured if row["way"] == "none"]
    pairs = [np.array([a["compute"], b["compute"]]) for a, b in zip(found, without, strict=True)]
    rng = np.random.default_rng(0)
    ratios = [
        [pair[:, rng.integers(pair.shape[1], size=pair.shape[1])] for pair in pairs]
        for _ in range(2000)
    ]
    drawn = [fmean(a.mean() / b.mean() for a, b in draw) for draw in ratios]
    low, high = np.quantile(drawn, [0.025, 0.975])
    accuracies = {
        at: fmean(r["test_accuracy"][at] for r in found) for at in found[0]["test_accuracy"]
    }
    ratio = fmean(row["ratio"] for row in found)
    mean = fmean(row["mean"] for row in found)
    return {"mean": mean, "ratio": ratio, "low": low, "high": high, "test_accuracy": accuracies}


def line(name: str, row: Mapping[str, Any]) -> str:
    """Return a row as text."""
    accuracies = ", ".join(f"{100 * value:.1f}" for value in row["test_accuracy"].values())
    return f"{name:32} {row['mean']:6.1%}, x {row['ratio']:.2f}; test accuracy {accuracies} %"


def main() -> None:
    """Measure and print."""
    targets = [*recorded("develop"), GRID]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=20, help="searches of each recording and way")
    parser.add_argument("--targets", nargs="+", choices=targets, default=targets)
    parser.add_argument("--json", action="store_true", help="print JSON on standard output")
    arguments = parser.parse_args()
    measured = []
    for row in rows(arguments.targets, arguments.seeds):
        print(line(f"{row['target']} {row['way']}", row), file=sys.stderr, flush=True)
        measured.append(row)
    whole = {way: overall(measured, way) for way in WAYS}
    for way, row in whole.items():
        interval = f" ({row['low']:.2f} to {row['high']:.2f})"
        print(line(f"all, {way}", row) + interval, file=sys.stderr)
    if arguments.json:
        ratios = {way: row["ratio"] for way, row in whole.items()}
        document = {"ratios": ratios, "all": whole, "searches": measured, "machine": machine()}
        print(json.dumps({**document, "n": arguments.seeds}, indent=2))


if __name__ == "__main__":
    main()
