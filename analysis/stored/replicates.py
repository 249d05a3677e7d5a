"""Trials that differ only in the seed are one setting: their mean, with its standard deviation.

Selection (of a winner, of the best of each method) is by these means: selecting the best single
trial would favour the setting with the luckiest seed.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pandas as pd

from analysis.stored.run import Run
from analysis.stored.trial import configuration
from tune_robust.runs.meta import retrained_run
from tune_robust.runs.replicates import SEED, setting_of

_COUNTED = ("done", "stopped", "running", "paused", "interrupted", "pending", "failed")
"""Only a setting's trials with the first status in this list that occurs are used."""


def settings(run: Run) -> list[str]:
    """Return the searched paths that define a setting: all but the seed."""
    return [path for path in run.searched if path != SEED]


def is_repeated(run: Run) -> bool:
    """Return whether settings were trained with several seeds.

    This is so in a grid with seeds, in a confirmation, in the folds of an audit, and in a search
    with repeats. An ``averaged`` run is no longer repeated.
    """
    if "seeds" in run.trials:
        return False
    own_splits = SEED in (run.space.get("search") or {}) or retrained_run(run.meta) is not None
    return own_splits or has_repeats(run)


def has_repeats(run: Run) -> bool:
    """Return whether the search repeated settings (``budget.repeats``), all on one split."""
    return "repeats" in run.trials and bool(run.trials["repeats"].notna().any())


@lru_cache(maxsize=4)
def representatives(run: Run) -> pd.Series:
    """Map each trial to the name of its setting: the first of the setting's trials that are used.

    Those are the finished trials; if none has finished, those that were stopped early, and so on.
    Trials that are not used are left out.
    """
    trials = run.trials
    if not is_repeated(run):
        return pd.Series(trials["trial"].to_numpy(), index=trials["trial"].to_numpy())
    ranks = {status: rank for rank, status in enumerate(_COUNTED)}
    keyed = pd.DataFrame(
        {
            "trial": trials["trial"],
            "setting": _keys(run),
            "rank": trials["status"].map(ranks).fillna(len(ranks)),
        }
    )
    keyed = keyed[keyed["rank"] == keyed.groupby("setting")["rank"].transform("min")]
    names = keyed.groupby("setting")["trial"].transform("first")
    return pd.Series(names.to_numpy(), index=keyed["trial"].to_numpy())


def replicates(run: Run, trial: str) -> list[str]:
    """Return the used trials of the setting of ``trial``; only itself without seeds."""
    names = representatives(run)
    return names.index[names == names.get(trial, trial)].tolist() or [trial]


@lru_cache(maxsize=4)
def averaged(run: Run) -> Run:
    """Return the run with one trial per setting: the mean over its seeds.

    ``trials`` gets the columns ``seeds``, the number of trials averaged, and ``objective_sd``, the
    standard deviation of their objective (NaN for a single one). ``epochs`` holds the means of each
    epoch; if the objective is that of the best epoch, the means of each trial's best epoch so far.
    The seed is no longer a searched dimension. A run without seeds is returned unchanged.
    """
    if not is_repeated(run):
        return run
    names = representatives(run)
    counted = run.trials[run.trials["trial"].isin(names.index)]
    search = {p: v for p, v in (run.space.get("search") or {}).items() if p != SEED}
    return replace(
        run,
        meta={**run.meta, "space": {**run.space, "search": search}},
        trials=_mean_trials(counted, counted["trial"].map(names), keep=run.searched),
        epochs=_mean_epochs(run, names),
        dimensions=tuple(d for d in run.dimensions if d.path != SEED),
    )


def mean_epochs(run: Run, trial: str) -> pd.DataFrame:
    """Return the epochs of ``trial``'s setting in order, each the mean over its seeds."""
    rows = run.epochs[run.epochs["trial"].isin(replicates(run, trial))]
    return rows.drop(columns="trial").groupby("epoch", as_index=False).mean()


def _keys(run: Run) -> list[str]:
    """Return the settings and the configuration of each trial, without the seed, as text."""
    rows = run.trials.to_dict("records")
    own = run.trials[settings(run)].astype(object).where(run.trials[settings(run)].notna(), None)
    return [
        setting_of(row["origin"], {**configuration(row), "settings": list(map(str, values))})
        for row, values in zip(rows, own.itertuples(index=False), strict=True)
    ]


def _mean_trials(trials: pd.DataFrame, names: pd.Series, keep: tuple[str, ...]) -> pd.DataFrame:
    groups = trials.groupby(names, sort=False)
    rows = trials.drop_duplicates("trial").set_index("trial").loc[list(groups.groups)].reset_index()
    measured = [
        column
        for column in trials.select_dtypes("number")
        if column not in (*keep, SEED, "sentinel")
    ]
    rows[measured] = groups[measured].mean().loc[rows["trial"]].to_numpy()
    rows["seeds"] = groups.size().loc[rows["trial"]].to_numpy()
    rows["objective_sd"] = groups["objective"].std().loc[rows["trial"]].to_numpy()
    if "reliability" in trials:
        pooled = groups["reliability"].agg(_pooled)
        rows["reliability"] = pooled.loc[rows["trial"]].to_numpy()
    return rows


def _mean_epochs(run: Run, names: pd.Series) -> pd.DataFrame:
    epochs = _best_so_far(run) if run.objective.at == "best" else run.epochs
    epochs = epochs[epochs["trial"].isin(names.index)]
    epochs = epochs.assign(trial=epochs["trial"].map(names))
    return epochs.groupby(["trial", "epoch"], sort=False, as_index=False).mean()


def _best_so_far(run: Run) -> pd.DataFrame:
    """Return each trial's epochs with the metrics of its best epoch so far, at their own cost."""
    epochs = run.epochs.sort_values(["trial", "epoch"], kind="stable").reset_index(drop=True)
    value = run.objective.sign * epochs[run.objective.metric]
    best = value.groupby(epochs["trial"]).cummax()
    is_first = value.eq(best) & best.ne(best.groupby(epochs["trial"]).shift())
    place = pd.Series(np.where(is_first, epochs.index, np.nan)).groupby(epochs["trial"]).ffill()
    place = place.fillna(pd.Series(epochs.index, dtype=float)).astype(int)
    so_far = epochs.loc[place].reset_index(drop=True)
    own = ["trial", "epoch", *(c for c in ("gradient_evaluations", "seconds") if c in epochs)]
    return so_far.assign(**{column: epochs[column] for column in own})


def _pooled(recorded: pd.Series) -> str | None:
    """Pool confidence bins over the images of all seeds: rows of fraction, confidence, accuracy."""
    bins = [np.array(json.loads(text), dtype=float) for text in recorded.dropna()]
    if not bins:
        return None
    every = np.stack(bins)
    fraction = every[:, :, 0].mean(axis=0)
    weight = every[:, :, :1] / np.maximum(every[:, :, :1].sum(axis=0), 1e-12)
    means = np.nansum(weight * np.nan_to_num(every[:, :, 1:]), axis=0)
    return json.dumps(np.column_stack([fraction, means]).tolist())
