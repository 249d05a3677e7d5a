"""Does the report's region of the best contain the best setting, on surfaces that are known?

    python benchmarks/best_region.py [--surfaces 60] [--trials 30]

A surface over SANER's settings in ``recorded/methods_grid_digits`` is drawn from a Gaussian process
with a squared exponential kernel, which is smoother than that of the report's model, with random
lengths and a random level and height. Each of the 90 settings has the accuracy that the surface
says, and a score: that accuracy with the scatter of seeds, measured on 287 images. The report's
model sees the scores of some of the settings. Printed is in how many surfaces the plateau and the
region of the best contain a setting within one point of the highest accuracy, and how much of an
axis they cover. The rule of the region was developed here, and measured once on recorded searches
(``calibration.py``). It takes less than a minute on one CPU core.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
from calibration import METHOD, holds, part_of, width
from markdown import percent, table
from populations import RECORDED
from scipy.special import expit

from analysis.stored.run import Run, load_run
from analysis.surrogate.robust_region import robust_region
from tune_robust.statistics import estimate

GRID = "methods_grid_digits"
IMAGES = 287
SCATTER = 0.15
"""The standard deviation between seeds, in log odds."""


def surfaces(number: int) -> Iterator[tuple[Run, pd.Series]]:
    """Yield runs with the scores of all settings, and their true accuracies."""
    recorded = load_run(RECORDED.parent / GRID)
    trials = recorded.trials[recorded.trials["method"] == METHOD].reset_index(drop=True)
    epochs = recorded.epochs[recorded.epochs["trial"].isin(trials["trial"])]
    last = epochs.sort_values("epoch").groupby("trial").tail(1)
    axes = [axis for axis in recorded.dimensions if axis.is_numeric]
    varied = [axis for axis in axes if trials[axis.path].nunique() > 1]
    places = np.column_stack([axis.to_unit(trials[axis.path]) for axis in varied])
    for seed in range(number):
        accuracy, score = drawn(places, np.random.default_rng(seed))
        by_trial = pd.Series(score, index=trials["trial"])
        epochs = last.assign(**{recorded.objective.metric: last["trial"].map(by_trial)})
        yield replace(recorded, trials=trials.assign(objective=score), epochs=epochs), accuracy


def drawn(places: np.ndarray, generator: np.random.Generator) -> tuple[pd.Series, np.ndarray]:
    """Return the accuracies and the measured scores of a drawn surface at ``places`` (n, axes)."""
    lengths = 0.7 * np.exp(generator.normal(0, 0.5, places.shape[1]))
    squared = (((places[:, None] - places) / lengths) ** 2).sum(axis=-1)
    covariance = np.exp(-0.5 * squared) + 1e-6 * np.eye(len(places))
    shape = np.linalg.cholesky(covariance) @ generator.standard_normal(len(places))
    odds = generator.normal(0.6, 0.5) + generator.choice([0.3, 0.6, 1.0]) * shape
    measured = expit(odds + SCATTER * generator.standard_normal(len(places)))
    return pd.Series(expit(odds)), generator.binomial(IMAGES, measured) / IMAGES


def searched(run: Run, trials: int, seed: int) -> Run:
    """Return the run as if only some of the settings had been searched."""
    kept = np.random.default_rng(seed).choice(run.trials["trial"], trials, replace=False)
    return part_of(run, kept)


def main() -> None:
    """Draw the surfaces, predict the regions and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--surfaces", type=int, default=60)
    parser.add_argument("--trials", type=int, default=30, help="settings that the model sees")
    options = parser.parse_args()
    found: dict[str, list[tuple[bool, float]]] = {"plateau": [], "region of the best": []}
    for seed, (run, accuracy) in enumerate(surfaces(options.surfaces)):
        part = searched(run, options.trials, seed)
        region = robust_region(part)
        if region is not None:
            for name, bounds in zip(found, (region.bounds, region.best), strict=True):
                held = holds(region, bounds, run.trials, accuracy)
                found[name].append((held, width(part, bounds)))
    rows = []
    for name, each in ((name, each) for name, each in found.items() if each):
        held, widths = np.array(each, float).T
        rows.append([name, str(len(held)), percent(estimate(held, (0, 1))), f"{widths.mean():.2f}"])
    print(table(["", "surfaces", "% with a best setting", "width"], rows))


if __name__ == "__main__":
    main()
