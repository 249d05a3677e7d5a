"""Importance: the searched settings that the score depends on, overall and among the best."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.stored.axes import Axis
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, require_epochs
from analysis.surrogate.features import Choice, Number
from analysis.surrogate.landscape import Landscape, fit_landscape
from analysis.surrogate.observations import read_trials
from tune_robust.formatting import count

_FEWEST = 12  # trials of the run, and trials that a dimension applies to
_FEWEST_AT_THE_TOP = 20
_BEST = 5  # the fewest trials that are considered the best ones
_PLACES = 17  # positions of a number
_OTHERS = 48  # trials whose other settings are used
MEASURES = ("overall", "to_the_top", "at_the_top")


class ImportanceInfo(NamedTuple):
    """The importance of each searched dimension.

    ``table``: a row per dimension that was varied, the most important first. Columns: path, trials
    (the number that it applies to), overall (fANOVA), to_the_top and at_the_top (PED-ANOVA),
    fractions in [0, 1], NaN if there are too few trials. ``best``: the fraction of the trials that
    is considered the best ones. ``problem``: why the table is empty.
    """

    table: pd.DataFrame
    best: float
    problem: str | None


@lru_cache(maxsize=4)
def importance_info(run: Run) -> ImportanceInfo:
    """Return the data of ``importance``, or why there are none."""
    require_epochs(run)
    run = averaged(run)
    columns = ["path", "trials", *MEASURES]
    seen = read_trials(run, run.objective.metric)
    trials = run.trials[run.trials["origin"] != "baseline"]
    trials = trials[trials["trial"].isin(seen["trial"])]
    varied = [d for d in run.dimensions if trials[d.path].nunique() > 1]
    land = fit_landscape(run) if varied else None
    problem = None
    if not varied:
        problem = "No searched setting was varied."
    elif len(trials) < _FEWEST:
        problem = f"{count(len(trials), 'trial')} with a score so far; importance needs {_FEWEST}."
    elif land is None:
        problem = "Every trial has the same score."
    if land is None or problem:
        return ImportanceInfo(pd.DataFrame(columns=columns), np.nan, problem)
    best = max(0.1, _BEST / len(trials))
    rows = pd.DataFrame([_measured(land, trials, d, run.objective.sign, best) for d in varied])
    for name in ("to_the_top", "at_the_top"):
        total = rows[name].sum()
        rows[name] = rows[name] / total if total else np.nan
    rows = rows.sort_values("overall", ascending=False, kind="stable", na_position="last")
    return ImportanceInfo(rows[columns].reset_index(drop=True), best, None)


def _measured(
    land: Landscape, trials: pd.DataFrame, dimension: Axis, sign: int, best: float
) -> dict[str, float | str]:
    """Return a dimension's row of the table, from predictions along it in the model.

    Overall is the variance of its partial dependence, as a fraction of the variance of all
    predictions and their uncertainty. To the top is the divergence of the distribution of
    its values among the best predictions from that among all (PED-ANOVA), and at the top from that
    among the better half.
    """
    applies = trials[trials[dimension.path].notna()]
    row: dict[str, float | str] = {
        "path": dimension.path,
        "trials": len(applies),
        **dict.fromkeys(MEASURES, np.nan),
    }
    if len(applies) < _FEWEST:
        return row
    points = _along(land, applies, dimension.path)
    flat = points.reshape(-1, points.shape[-1])
    mean = sign * land.at(flat).mean.reshape(points.shape[:2])
    row["overall"] = land.known(flat) * float(mean.mean(axis=1).var() / max(mean.var(), 1e-300))
    if len(trials) >= _FEWEST_AT_THE_TOP:
        top, half = _density(mean, best), _density(mean, 0.5)
        row["to_the_top"] = float(np.mean((top - 1) ** 2))
        row["at_the_top"] = float(np.mean((top - half) ** 2 / np.maximum(half, 1e-9)))
    return row


def _density(scores: np.ndarray, best: float) -> np.ndarray:
    """Return the density of the ``best`` fraction of the scores over the rows, 1 in the mean."""
    inside = (scores >= np.quantile(scores, 1 - best)).mean(axis=1)
    return inside / inside.mean()


def _along(land: Landscape, trials: pd.DataFrame, path: str) -> np.ndarray:
    """Return features (places or options, trials, features): only the setting ``path`` is changed.

    The trials have it. A number that only other options of a choice have is left out, and one that
    a trial lacks under its new option is taken from a trial that has this option.
    """
    rows = trials.iloc[np.linspace(0, len(trials) - 1, min(len(trials), _OTHERS)).astype(int)]
    points = land.features(rows)
    parts = [each for each in land.dimensions if each.path == path]
    if isinstance(parts[0], Choice):
        return np.stack([_with(land, points, parts[0], n) for n in range(parts[0].width)])
    along = np.repeat(points[None], _PLACES, axis=0)
    for number in (part for part in parts if isinstance(part, Number)):
        positions = np.linspace(0, 1, _PLACES)[:, None]
        column = along[:, :, land.column(number)]
        column[:, number.applies(rows)] = positions
    return along


def _with(land: Landscape, points: np.ndarray, choice: Choice, option: int) -> np.ndarray:
    """Return features in which the option number ``option`` is chosen."""
    chosen, every = land.column(choice), land.features(land.trials)
    donors = every[every[:, chosen + option] == 1]
    donors = donors[np.arange(len(points)) % len(donors)]
    points = points.copy()
    for each in land.dimensions:
        columns = slice(land.column(each), land.column(each) + each.width)
        mine, theirs = (each.is_used(rows[:, columns]) for rows in (points, donors))
        changed = mine != theirs
        points[changed, columns] = donors[changed, columns]
    points[:, chosen : chosen + choice.width] = np.eye(choice.width)[option]
    return points
