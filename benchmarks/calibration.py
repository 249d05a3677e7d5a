"""Whether the report's predicted intervals are right, on the recorded grids.

    python benchmarks/calibration.py [--draws 20] [--json]

The trials of SANER in each grid are split at random into a few that were "searched" and the rest.
The surrogate of the report is fitted to the former, and predicts the validation accuracy of the
latter; the table has the fraction of them inside the 50 % and the 90 % interval, and the root mean
square error in points. Beside it: a random forest (200 trees, the variance over trees plus that of
the out-of-bag errors), and the mean of the searched trials with their standard deviation.

A second table has the best region that the report outlines: how many of the splits have one, and
in how many it contains a setting within one point of the best score of the whole grid.

The correction of the intervals was chosen with both grids in view.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.ensemble import RandomForestRegressor

from analysis.stored.run import Run, load_run
from analysis.surrogate.landscape import fit_landscape
from analysis.surrogate.robust_region import robust_region

RECORDED = Path(__file__).parent / "recorded"
GRIDS = ("methods_grid_digits", "methods_grid_cifar10n")
METHOD = "saner"
SIZES = (16, 20, 30, 45)
POINT = 0.01
HELD_OUT = 10
"""The fewest trials to predict."""

Prediction = tuple[np.ndarray, np.ndarray]
"""Means and standard deviations of the held-out trials."""


def surrogate(searched: Run, rest: pd.DataFrame) -> Prediction | None:
    """Return the predictions of the report's surrogate; None if it draws none."""
    land = fit_landscape(searched)
    if land is None:
        return None
    expected = land.of(rest)
    half = np.maximum(expected.high - expected.mean, expected.mean - expected.low)
    return expected.mean, half / norm.ppf(0.95)


def forest(searched: Run, rest: pd.DataFrame) -> Prediction:
    """Return the predictions of a random forest over the searched settings."""
    paths = [d.path for d in searched.dimensions if searched.trials[d.path].nunique() > 1]
    model = RandomForestRegressor(200, oob_score=True, random_state=0)
    values = searched.trials["objective"].to_numpy()
    model.fit(searched.trials[paths].to_numpy(dtype=float), values)
    points = rest[paths].to_numpy(dtype=float)
    each = np.stack([tree.predict(points) for tree in model.estimators_])
    noise = np.mean((model.oob_prediction_ - values) ** 2)
    return each.mean(0), np.sqrt(each.var(0) + noise)


def constant(searched: Run, rest: pd.DataFrame) -> Prediction:
    """Return the mean and the standard deviation of the searched trials."""
    values = searched.trials["objective"]
    return np.full(len(rest), values.mean()), np.full(len(rest), values.std())


MODELS: dict[str, Callable[[Run, pd.DataFrame], Prediction | None]] = {
    "surrogate": surrogate,
    "random forest": forest,
    "mean": constant,
}


def measured(grid: str, size: int, draws: int) -> dict[str, dict[str, float]]:
    """Return {model: {50 %, 90 %, error}}, means over ``draws`` splits; empty if too few trials."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in MODELS}
    for searched, rest in splits(grid, size, draws):
        for name, model in MODELS.items():
            predicted = model(searched, rest)
            if predicted is not None:
                found[name].append(_scores(*predicted, rest["objective"].to_numpy()))
    keys = ("50 %", "90 %", "error")
    return {
        name: dict(zip(keys, map(float, np.mean(scores, axis=0)), strict=True))
        for name, scores in found.items()
        if scores
    }


def splits(grid: str, size: int, draws: int) -> Iterator[tuple[Run, pd.DataFrame]]:
    """Yield a run with ``size`` of the trials, and the others; nothing if there are too few."""
    run = load_run(RECORDED / grid)
    rows = run.trials[(run.trials["method"] == METHOD) & (run.trials["status"] == "done")]
    for seed in range(draws if len(rows) >= size + HELD_OUT else 0):
        kept = np.random.default_rng(seed).choice(rows["trial"].to_numpy(), size, replace=False)
        chosen = rows["trial"].isin(kept)
        epochs = run.epochs[run.epochs["trial"].isin(kept)]
        searched = replace(run, trials=rows[chosen].reset_index(drop=True), epochs=epochs)
        yield searched, rows[~chosen].reset_index(drop=True)


def regions(grid: str, size: int, draws: int) -> dict[str, int]:
    """Return the numbers of splits, of regions, and of those that contain a best setting."""
    found = {"splits": 0, "regions": 0, "good": 0}
    for searched, rest in splits(grid, size, draws):
        region = robust_region(searched)
        found["splits"] += 1
        if region is None:
            continue
        everything = pd.concat([searched.trials, rest])
        best = everything[everything["objective"] >= everything["objective"].max() - POINT]
        inside = np.ones(len(best), dtype=bool)
        for path, (low, high) in region.bounds.items():
            inside &= best[path].between(low - 1e-9, high + 1e-9).to_numpy()
        found["regions"] += 1
        found["good"] += int(inside.any())
    return found


def _scores(mean: np.ndarray, sd: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    apart = np.abs(values - mean)
    inside = [float((apart <= norm.ppf(0.5 + level / 2) * sd).mean()) for level in (0.5, 0.9)]
    return inside[0], inside[1], 100 * float(np.sqrt((apart**2).mean()))


def main() -> None:
    """Measure every model on each grid and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=20, help="random splits of each size")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = {f"{g}, {n} trials": measured(g, n, options.draws) for g in GRIDS for n in SIZES}
    found = {name: models for name, models in found.items() if models}
    outlined = {f"{g}, {n} trials": regions(g, n, options.draws) for g in GRIDS for n in SIZES}
    outlined = {name: each for name, each in outlined.items() if each["splits"]}
    if options.json:
        print(json.dumps({"intervals": found, "regions": outlined}, indent=2))
        return
    print("| trials searched | model | in 50 % interval | in 90 % interval | error, points |")
    print("|---|---|---|---|---|")
    for name, models in found.items():
        for model, each in models.items():
            inside = f"{each['50 %']:.0%} | {each['90 %']:.0%}"
            print(f"| {name} | {model} | {inside} | {each['error']:.1f} |")
    print("\n| trials searched | splits | with a region | that contains a best setting |")
    print("|---|---|---|---|")
    for name, counts in outlined.items():
        print(f"| {name} | {counts['splits']} | {counts['regions']} | {counts['good']} |")


if __name__ == "__main__":
    main()
