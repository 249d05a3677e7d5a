"""Importance: the searched settings that the score depends on, overall and among the best."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from analysis.stored.axes import Axis
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, require_epochs
from analysis.surrogate.observations import credited, read_trials
from tune_robust.formatting import count

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import FrozenTrial

_FEWEST = 12  # trials of the run, and trials that a dimension applies to
_FEWEST_AT_THE_TOP = 20
_BEST = 5  # the fewest trials that are considered the best ones
_TREES = 24
_SEEN = {"trees": 120, "densities": 400}  # trials used: more cost time and change little
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
    trials = _scored(run)
    varied = [d for d in run.dimensions if trials[d.path].nunique() > 1]
    problem = None
    if not varied:
        problem = "No searched setting was varied."
    elif len(trials) < _FEWEST:
        problem = f"{count(len(trials), 'trial')} with a score so far; importance needs {_FEWEST}."
    elif trials["score"].nunique() == 1:
        problem = "Every trial has the same score."
    if problem:
        return ImportanceInfo(pd.DataFrame(columns=columns), np.nan, problem)
    best = max(0.1, _BEST / len(trials))
    rows = pd.DataFrame(
        {
            "path": [d.path for d in varied],
            "trials": [int(trials[d.path].notna().sum()) for d in varied],
            "overall": _overall(run, trials, varied),
            "to_the_top": _to_the_top(run, trials, varied, best, of=1.0),
            "at_the_top": _to_the_top(run, trials, varied, best, of=0.5),
        }
    )
    rows = rows.sort_values("overall", ascending=False, kind="stable", na_position="last")
    return ImportanceInfo(rows.reset_index(drop=True), best, None)


def _scored(run: Run) -> pd.DataFrame:
    """Return the trials that did not fail, with their objective at full budget as ``score``.

    Baselines, which have few of the searched settings, are left out.
    """
    readings = read_trials(run, run.objective.metric)
    readings = readings[readings["status"] != "failed"].dropna(subset=["value"])
    score = pd.Series(credited(readings["value"].to_numpy(), readings), index=readings["trial"])
    ends = score[np.isinf(readings["rung"].to_numpy())]
    trials = run.trials[run.trials["origin"] != "baseline"]
    return trials.assign(score=trials["trial"].map(ends)).dropna(subset=["score"])


def _overall(run: Run, trials: pd.DataFrame, varied: list[Axis]) -> list[float]:
    """Return the fANOVA importance of each dimension among the trials to which it applies."""
    from optuna.importance import FanovaImportanceEvaluator

    trials = _even_choice(trials, _SEEN["trees"])
    fractions, known = [], {}
    for dimension in varied:
        applies = trials[trials[dimension.path].notna()]
        common = [d for d in varied if applies[d.path].notna().all()]
        common = [d for d in common if applies[d.path].nunique() > 1]
        group = (tuple(applies["trial"]), tuple(d.path for d in common))
        if group not in known:
            forest = FanovaImportanceEvaluator(n_trees=_TREES, seed=0)
            enough = len(applies) >= _FEWEST and applies["score"].nunique() > 1
            known[group] = _evaluated(run, applies, common, forest.evaluate) if enough else {}
        fractions.append(known[group].get(dimension.path, np.nan))
    return fractions


def _even_choice(trials: pd.DataFrame, size: int) -> pd.DataFrame:
    """Return at most ``size`` trials, spread evenly over the ranking."""
    places = np.argsort(trials["score"].to_numpy(), kind="stable")
    if len(places) > size:
        places = places[np.linspace(0, len(places) - 1, size).astype(int)]
    return trials.iloc[np.sort(places)]


def _to_the_top(
    run: Run, trials: pd.DataFrame, varied: list[Axis], best: float, of: float
) -> list[float]:
    """Return each dimension's PED-ANOVA importance for being in ``best`` of the best ``of``."""
    from optuna.importance import PedAnovaImportanceEvaluator

    told = [d for d in varied if trials[d.path].notna().sum() >= _FEWEST]
    if len(trials) < _FEWEST_AT_THE_TOP:
        return [np.nan] * len(varied)
    evaluator = PedAnovaImportanceEvaluator(target_quantile=best, region_quantile=of)
    seen = _even_choice(trials, _SEEN["densities"])
    found = _evaluated(run, seen, told, evaluator.evaluate)
    total = sum(found.values())
    return [found.get(d.path, np.nan) / total if total else np.nan for d in varied]


def _evaluated(
    run: Run, trials: pd.DataFrame, dimensions: list[Axis], evaluate: Callable
) -> dict[str, float]:
    import optuna

    with warnings.catch_warnings():
        # Optuna warns of experimental features, and of trials that it leaves out.
        warnings.simplefilter("ignore")
        level = optuna.logging.get_verbosity()
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        try:
            maximised = run.objective.mode == "max"
            study = optuna.create_study(direction="maximize" if maximised else "minimize")
            study.add_trials(_optuna_trials(trials, dimensions))
            return evaluate(study)
        finally:
            optuna.logging.set_verbosity(level)


def _optuna_trials(trials: pd.DataFrame, dimensions: list[Axis]) -> list[FrozenTrial]:
    import optuna

    axes: dict[str, BaseDistribution] = {}
    for dimension in dimensions:
        values = trials[dimension.path].dropna()
        if dimension.is_numeric:
            values = values[values > 0] if dimension.log else values
            wide = dimension.covering(values.to_numpy(float))
            low, high = wide.bounds
            axes[wide.path] = optuna.distributions.FloatDistribution(low, high, log=wide.log)
        else:
            options = sorted(values.unique(), key=str)
            axes[dimension.path] = optuna.distributions.CategoricalDistribution(options)
    made = []
    for row in trials.to_dict("records"):
        used = {path: axis for path, axis in axes.items() if _has_place(row[path], axis)}
        params = {
            path: float(row[path]) if hasattr(axis, "log") else row[path]
            for path, axis in used.items()
        }
        made.append(
            optuna.create_trial(params=params, distributions=used, value=float(row["score"]))
        )
    return made


def _has_place(value: Any, axis: BaseDistribution) -> bool:
    """Return whether a setting applies and lies on the axis; rho = 0 is on no log axis."""
    return not pd.isna(value) and not (getattr(axis, "log", False) and value <= 0)
