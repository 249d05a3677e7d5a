"""Whether the report's predicted intervals are right, on the recorded grids and populations.

    python benchmarks/calibration.py [--draws 20] [--json]
    python benchmarks/calibration.py --mark develop      # those that the model was selected on

The finished trials of a recording, of all methods, are split at random into a few that were
"searched" and the rest. The model of the report is fitted to the former and predicts the objective
of the latter; the table has the fraction of them inside the 50 % and the 90 % interval, and the
root mean square error in points. With ``--cut``, the worse half of the searched trials at a third
of the budget was stopped there. Beside it, from the same features of the same trials: a random
forest (200 trees, the variance over trees plus that of the out-of-bag errors), the Gaussian process
of Optuna's GPSampler (``optuna._gp``, a private module), and the mean of the searched trials with
their standard deviation. These know finished trials only.

A second table has the region of good settings that the report outlines, for the trials of SANER in
the grids and for all trials: how many of the splits have a region, and in how many it contains a
setting within one point of the best score of the whole recording.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from populations import POPULATIONS, RECORDED
from scipy.stats import norm

from analysis.stored.run import Run, load_run
from analysis.surrogate.features import varied
from analysis.surrogate.landscape import fit_landscape
from analysis.surrogate.robust_region import robust_region

GRIDS = ("methods_grid_digits", "methods_grid_cifar10n")
METHOD = "saner"
SIZES = (16, 30, 45)
LEVELS = (0.5, 0.9)
POINT = 0.01
HELD_OUT = 10
"""The fewest trials to predict."""
_CUT = 1 / 3
"""The fraction of the budget after which trials are stopped."""

Prediction = tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]
"""Means of the held-out trials, and the ends of their intervals for each of the ``LEVELS``."""


def surrogate(searched: Run, rest: pd.DataFrame) -> Prediction | None:
    """Return the predictions of the report's model; None if there is none."""
    land = fit_landscape(searched)
    if land is None:
        return None
    points = land.features(rest)
    return land.at(points).mean, [land.interval(points, level) for level in LEVELS]


def forest(searched: Run, rest: pd.DataFrame) -> Prediction:
    """Return the predictions of a random forest."""
    # Slow to import.
    from sklearn.ensemble import RandomForestRegressor

    inputs, points, values = _tables(searched, rest)
    model = RandomForestRegressor(200, oob_score=True, random_state=0).fit(inputs, values)
    each = np.stack([tree.predict(points) for tree in model.estimators_])
    noise = np.mean((model.oob_prediction_ - values) ** 2)
    return _normal(each.mean(0), np.sqrt(each.var(0) + noise))


def optuna(searched: Run, rest: pd.DataFrame) -> Prediction:
    """Return the predictions of Optuna's Gaussian process, as its GPSampler fits it."""
    # Slow to import.
    import torch
    from optuna._gp.gp import fit_kernel_params
    from optuna._gp.prior import DEFAULT_MINIMUM_NOISE_VAR, default_log_prior

    inputs, points, values = _tables(searched, rest)
    centre, scale = values.mean(), values.std() or 1.0
    unordered = np.zeros(inputs.shape[1], bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = fit_kernel_params(
            X=inputs,
            Y=(values - centre) / scale,
            is_categorical=unordered,
            log_prior=default_log_prior,
            minimum_noise=DEFAULT_MINIMUM_NOISE_VAR,
            deterministic_objective=False,
        )
        mean, variance = (part.detach().numpy() for part in model.posterior(torch.tensor(points)))
    noise = float(model.noise_var)
    return _normal(centre + scale * mean, scale * np.sqrt(variance + noise))


def constant(searched: Run, rest: pd.DataFrame) -> Prediction:
    """Return the mean and the standard deviation of the searched trials."""
    values = _finished(searched)["objective"]
    return _normal(np.full(len(rest), values.mean()), np.full(len(rest), values.std()))


MODELS: dict[str, Callable[[Run, pd.DataFrame], Prediction | None]] = {
    "surrogate": surrogate,
    "random forest": forest,
    "Optuna's GP": optuna,
    "mean": constant,
}


def _finished(searched: Run) -> pd.DataFrame:
    return searched.trials[searched.trials["status"] == "done"]


def _tables(searched: Run, rest: pd.DataFrame) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the features and values of the finished trials, and the features of the others."""
    done = _finished(searched)
    dimensions = varied(searched.space["search"], pd.concat([done, rest]).reset_index(drop=True))
    inputs, points = (
        np.column_stack([each.features(trials.reset_index(drop=True)) for each in dimensions])
        for trials in (done, rest)
    )
    return inputs, points, done["objective"].to_numpy()


def _normal(mean: np.ndarray, sd: np.ndarray) -> Prediction:
    halves = [norm.ppf(0.5 + level / 2) * sd for level in LEVELS]
    return mean, [(mean - half, mean + half) for half in halves]


def measured(
    recording: str, size: int, draws: int, *, cut: bool = False
) -> dict[str, dict[str, float]]:
    """Return {model: {50 %, 90 %, error}}, means over ``draws`` splits; empty if too few trials."""
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in MODELS}
    for searched, rest in splits(recording, size, draws):
        seen = stopped(searched) if cut else searched
        for name, model in MODELS.items():
            predicted = model(seen, rest)
            if predicted is not None:
                found[name].append(_scores(predicted, rest["objective"].to_numpy()))
    keys = ("50 %", "90 %", "error")
    return {
        name: dict(zip(keys, map(float, np.mean(scores, axis=0)), strict=True))
        for name, scores in found.items()
        if scores
    }


def splits(
    recording: str, size: int, draws: int, method: str | None = None
) -> Iterator[tuple[Run, pd.DataFrame]]:
    """Yield a run with ``size`` of the trials, and the others; nothing if there are too few."""
    folder = RECORDED if recording in POPULATIONS else RECORDED.parent
    run = load_run(folder / recording)
    rows = run.trials[run.trials["status"] == "done"]
    rows = rows if method is None else rows[rows["method"] == method]
    for seed in range(draws if len(rows) >= size + HELD_OUT else 0):
        kept = np.random.default_rng(seed).choice(rows["trial"].to_numpy(), size, replace=False)
        chosen = rows["trial"].isin(kept)
        epochs = run.epochs[run.epochs["trial"].isin(kept)]
        searched = replace(run, trials=rows[chosen].reset_index(drop=True), epochs=epochs)
        yield searched, rows[~chosen].reset_index(drop=True)


def stopped(run: Run) -> Run:
    """Return the run as if the worse half at a third of the budget had been stopped there."""
    trials, name = run.trials, run.objective.metric
    cut = _CUT * trials["gradient_evaluations"].max()
    early = run.epochs[run.epochs["gradient_evaluations"] <= cut]
    last = early.sort_values("epoch").groupby("trial").tail(1).set_index("trial")
    scores = trials["trial"].map(last[name]) * run.objective.sign
    worse = trials["trial"][scores < scores.median()]
    ends = trials["trial"].isin(worse)
    return replace(
        run,
        trials=trials.assign(
            status=trials["status"].mask(ends, "stopped"),
            objective=trials["objective"].mask(ends, trials["trial"].map(last[name])),
            gradient_evaluations=trials["gradient_evaluations"].mask(ends, cut),
        ),
        epochs=pd.concat([run.epochs[~run.epochs["trial"].isin(worse)],
                          early[early["trial"].isin(worse)]]),
    )  # fmt: skip


def regions(recording: str, size: int, draws: int, method: str | None = None) -> dict[str, int]:
    """Return the numbers of splits, of regions, and of those that contain a best setting."""
    found = {"splits": 0, "regions": 0, "good": 0}
    for searched, rest in splits(recording, size, draws, method):
        region = robust_region(searched)
        found["splits"] += 1
        if region is None:
            continue
        everything = pd.concat([searched.trials, rest])
        best = everything[everything["objective"] >= everything["objective"].max() - POINT]
        inside = np.ones(len(best), dtype=bool)
        for path, (low, high) in region.bounds.items():
            inside &= best[path].between(low - 1e-9, high + 1e-9).to_numpy()
        for path, option in region.chosen.items():
            inside &= (best[path] == option).to_numpy()
        found["regions"] += 1
        found["good"] += int(inside.any())
    return found


def _scores(predicted: Prediction, values: np.ndarray) -> tuple[float, float, float]:
    mean, intervals = predicted
    inside = [float(((low <= values) & (values <= high)).mean()) for low, high in intervals]
    return inside[0], inside[1], 100 * float(np.sqrt(((values - mean) ** 2).mean()))


def recordings(mark: str) -> list[str]:
    """Return the grids and the recorded populations with this mark."""
    marked = [name for name, population in POPULATIONS.items() if population.mark == mark]
    there = [name for name in marked if (RECORDED / name / "trials.parquet").exists()]
    return [*GRIDS, *there] if mark == "report" else there


def main() -> None:
    """Measure every model on each recording and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=20, help="random splits of each size")
    parser.add_argument("--mark", choices=["develop", "report"], default="report")
    parser.add_argument("--cut", action="store_true", help="stop the worse half of the trials")
    parser.add_argument("--no-regions", action="store_true", help="leave out the second table")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = recordings(options.mark)
    found = {
        f"{name}, {size} trials": measured(name, size, options.draws, cut=options.cut)
        for name in names
        for size in SIZES
    }
    found = {name: models for name, models in found.items() if models}
    outlined = {} if options.no_regions else _outlined(names, options.draws)
    if options.json:
        print(json.dumps({"intervals": found, "regions": outlined}, indent=2))
        return
    print("| trials searched | model | in 50 % interval | in 90 % interval | error, points |")
    print("|---|---|---|---|---|")
    for name, models in found.items():
        for model, each in models.items():
            print(_row(name, model, each))
    for model in MODELS:
        rows = [models[model] for models in found.values() if model in models]
        means = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
        print(_row("**mean of all**", model, means))
    if outlined:
        print("\n| trials searched | splits | with a region | that contains a best setting |")
        print("|---|---|---|---|")
    for name, counts in outlined.items():
        print(f"| {name} | {counts['splits']} | {counts['regions']} | {counts['good']} |")


def _row(name: str, model: str, each: dict[str, float]) -> str:
    inside = f"{each['50 %']:.0%} | {each['90 %']:.0%}"
    return f"| {name} | {model} | {inside} | {each['error']:.1f} |"


def _outlined(names: list[str], draws: int) -> dict[str, dict[str, int]]:
    found = {}
    for name in names:
        for method in (METHOD, None) if name in GRIDS else (None,):
            for size in SIZES:
                counts = regions(name, size, draws, method)
                if counts["splits"]:
                    found[f"{name}, {size} trials of {method or 'all methods'}"] = counts
    return found


if __name__ == "__main__":
    main()
