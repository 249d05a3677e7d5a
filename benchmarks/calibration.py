"""Whether the report's predicted intervals are right, on the recorded grids and populations.

    python benchmarks/calibration.py                     # the tables of docs/calibration.md
    python benchmarks/calibration.py --mark develop      # on those that the model was selected on
    python benchmarks/calibration.py --json

The finished trials of a recording, of all methods, are split at random into a few that were
"searched" and the rest. The model of the report is fitted to the former and predicts the objective
of the latter. The first table has the fraction of held-out trials inside the 50 % and the 90 %
interval, and the root mean square error in points. A trial counts by its mean over the splits that
held it out; the 95 % interval in brackets is over the n trials, since splits of the same trials are
not independent. In the second table, the worse half of the searched trials at a third of the budget
was stopped there. Beside the model, from the same features of the same trials: a random forest (200
trees, the variance over trees plus that of the out-of-bag errors), the Gaussian process of Optuna's
GPSampler (``optuna._gp``, a private module), and the mean of the searched trials with their
standard deviation. These know finished trials only.

The third table has the plateau and the region of the best of the report, for the trials of SANER in
the grids (with four times as many splits) and for all trials: how many of the splits have them, and
in how many they contain a setting within one point of the best, by the objective and by test
accuracy. The 95 % intervals (Wilson) take the splits of a recording as independent.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from markdown import percent, table
from populations import POPULATIONS, RECORDED
from scipy.stats import binomtest, norm

from analysis.stored.run import Run, load_run
from analysis.surrogate.features import varied
from analysis.surrogate.landscape import fit_landscape
from analysis.surrogate.robust_region import Region, robust_region
from tune_robust.statistics import Estimate, estimate

GRIDS = ("methods_grid_digits", "methods_grid_cifar10n")
METHOD = "saner"
SIZES = (16, 30, 45)
LEVELS = (0.5, 0.9)
POINT = 0.01
MORE = 4
"""How many times more splits the regions of one method have than those of all methods."""
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


class Coverage(NamedTuple):
    """How well one model predicted a recording's held-out trials.

    ``half`` and ``most``: the fractions inside the intervals of 50 and 90 %, over trials;
    ``error``: the root mean square error in points.
    """

    half: Estimate
    most: Estimate
    error: float


def measured(recording: str, draws: int, *, cut: bool = False) -> dict[str, Coverage]:
    """Return each model's coverage over ``draws`` splits of every size; empty if too few trials."""
    found: dict[str, list[pd.DataFrame]] = {name: [] for name in MODELS}
    for searched, rest in (s for size in SIZES for s in splits(recording, size, draws)):
        seen = stopped(searched) if cut else searched
        for name, model in MODELS.items():
            predicted = model(seen, rest)
            if predicted is not None:
                found[name].append(scores(predicted, rest))
    return {name: coverage(pd.concat(parts)) for name, parts in found.items() if parts}


def scores(predicted: Prediction, rest: pd.DataFrame) -> pd.DataFrame:
    """Return a row per held-out trial: inside ``half``, inside ``most``, and the squared error."""
    values, (mean, intervals) = rest["objective"].to_numpy(), predicted
    half, most = ((low <= values) & (values <= high) for low, high in intervals)
    return pd.DataFrame(
        {"half": half, "most": most, "squared": (values - mean) ** 2}, index=rest["trial"]
    ).astype(float)


def coverage(held_out: pd.DataFrame) -> Coverage:
    """Return the coverage of ``scores`` of several splits."""
    trials = held_out.groupby(level=0).mean()
    half, most = (estimate(trials[column], (0, 1)) for column in ("half", "most"))
    return Coverage(half, most, 100 * float(np.sqrt(held_out["squared"].mean())))


def splits(
    recording: str, size: int, draws: int, method: str | None = None
) -> Iterator[tuple[Run, pd.DataFrame]]:
    """Yield a run with ``size`` of the trials, and the others; nothing if there are too few."""
    run = load_run(_folder(recording) / recording)
    rows = run.trials[run.trials["status"] == "done"]
    rows = rows if method is None else rows[rows["method"] == method]
    for seed in range(draws if len(rows) >= size + HELD_OUT else 0):
        kept = np.random.default_rng(seed).choice(rows["trial"].to_numpy(), size, replace=False)
        yield part_of(run, kept), rows[~rows["trial"].isin(kept)].reset_index(drop=True)


def part_of(run: Run, kept: np.ndarray) -> Run:
    """Return the run as if only the trials ``kept`` had been searched."""
    trials, epochs = (each[each["trial"].isin(kept)] for each in (run.trials, run.epochs))
    return replace(run, trials=trials.reset_index(drop=True), epochs=epochs)


def _folder(recording: str) -> Path:
    return RECORDED if recording in POPULATIONS else RECORDED.parent


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


class Regions(NamedTuple):
    """Splits, those with a region, and those in which it contains a best setting.

    ``plateau``: the box of settings predicted to be good; ``scored`` and ``tested``: the region of
    the best, for a setting that is best by the objective or by test accuracy; ``width``: the mean
    fraction of an axis that it covers.
    """

    splits: int
    regions: int
    plateau: int
    scored: int
    tested: int
    width: float


def regions(recording: str, size: int, draws: int, method: str | None = None) -> Regions:
    """Count the regions of ``draws`` splits with ``size`` searched trials."""
    number, found = 0, []
    for searched, rest in splits(recording, size, draws, method):
        number += 1
        region = robust_region(searched)
        if region is None:
            continue
        everything = pd.concat([searched.trials, rest])
        score, test = everything["objective"], everything["trial"].map(_tested(recording))
        held = [
            holds(region, region.bounds, everything, score),
            *(holds(region, region.best, everything, values) for values in (score, test)),
        ]
        found.append([1, *held, width(searched, region.best)])
    regions, *counts, wide = np.sum(found, axis=0).tolist() if found else [0] * 5
    return Regions(number, int(regions), *map(int, counts), width=wide / max(regions, 1))


def width(searched: Run, bounds: Mapping[str, tuple[float, float]]) -> float:
    """Return the mean fraction of an axis that lies within ``bounds``."""
    axes = {dimension.path: dimension for dimension in searched.dimensions}
    ends = [axes[path].to_unit(pair) for path, pair in bounds.items()]
    return float(np.mean([high - low for low, high in ends]))


def holds(
    region: Region,
    bounds: Mapping[str, tuple[float, float]],
    trials: pd.DataFrame,
    values: pd.Series,
) -> bool:
    """Return whether a trial within ``bounds`` is within a point of the highest value."""
    inside = (values >= values.max() - POINT).to_numpy(copy=True)
    for path, (low, high) in bounds.items():
        inside &= trials[path].between(low - 1e-9, high + 1e-9).to_numpy()
    for path, option in region.chosen.items():
        inside &= (trials[path] == option).to_numpy()
    return bool(inside.any())


def _tested(recording: str) -> pd.Series:
    """Return the test accuracy of each trial at its end."""
    epochs = load_run(_folder(recording) / recording).epochs.sort_values("epoch")
    return epochs.groupby("trial")["test_accuracy"].last()


def recordings(mark: str) -> list[str]:
    """Return the grids and the recorded populations with this mark."""
    marked = [name for name, population in POPULATIONS.items() if population.mark == mark]
    there = [name for name in marked if (RECORDED / name / "trials.parquet").exists()]
    return [*GRIDS, *there] if mark == "report" else there


def mean_of(rows: Sequence[Coverage]) -> tuple[float, float, float]:
    """Return the means over recordings: of both fractions, and of the error."""
    each = [(row.half.mean, row.most.mean, row.error) for row in rows]
    half, most, error = np.mean(each, axis=0).tolist()
    return half, most, error


def interval_tables(found: Mapping[str, Mapping[str, Coverage]]) -> str:
    """Return the table of every recording and the means over them."""
    rows = [
        [name, str(each.half.n), model, percent(each.half), percent(each.most), f"{each.error:.1f}"]
        for name, models in found.items()
        for model, each in models.items()
    ]
    head = ["recording", "trials", "model", "% in 50 % interval", "% in 90 % interval"]
    return table([*head, "error, points"], rows) + "\n" + means_table(found)


def means_table(found: Mapping[str, Mapping[str, Coverage]]) -> str:
    """Return the table of the means over the recordings."""
    rows = []
    for model in MODELS:
        half, most, error = mean_of([models[model] for models in found.values()])
        rows.append([model, f"{100 * half:.1f}", f"{100 * most:.1f}", f"{error:.1f}"])
    head = f"mean of {len(found)} recordings"
    return table([head, "% in 50 % interval", "% in 90 % interval", "error, points"], rows)


def region_table(found: Mapping[str, Regions]) -> str:
    """Return the table of the regions."""
    head = ["trials searched", "splits", "with a region", "plateau: best by score"]
    head += ["region: best by score", "by test accuracy", "width"]
    rows = []
    for name, counts in found.items():
        held = (_fraction(count, counts.regions) for count in counts[2:5])
        rows.append([name, *map(str, counts[:2]), *held, f"{counts.width:.2f}"])
    return table(head, rows)


def _fraction(count: int, total: int) -> str:
    """Return a count with the 95 % interval of the fraction (Wilson), in percent."""
    low, high = binomtest(count, total).proportion_ci(method="wilson")
    return f"{count} ({100 * low:.0f} to {100 * high:.0f} %)"


def outlined(names: Sequence[str], draws: int) -> dict[str, Regions]:
    """Return the regions of the recordings, by the searched trials, where there are any."""
    found = {}
    for name in names:
        for method in (METHOD, None) if name in GRIDS else (None,):
            for size in SIZES:
                more = 1 if method is None else MORE
                counts = regions(name, size, more * draws, method)
                if counts.regions:
                    found[f"{name}, {size} of {method or 'all methods'}"] = counts
    return found


def main() -> None:
    """Measure every model on each recording and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--draws", type=int, default=12, help="random splits of each size")
    parser.add_argument("--mark", choices=["develop", "report"], default="report")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    names = recordings(options.mark)
    whole, early = (
        {name: found for name in names if (found := measured(name, options.draws, cut=cut))}
        for cut in (False, True)
    )
    boxes = outlined(names, options.draws)
    if options.json:
        print(json.dumps({"finished": whole, "stopped": early, "regions": boxes}, indent=2))
        return
    print(interval_tables(whole), means_table(early), region_table(boxes), sep="\n")


if __name__ == "__main__":
    main()
