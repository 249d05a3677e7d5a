"""Trials that continue the networks of others (``budget.scheduler: pb2``), and what they cost."""

from __future__ import annotations

import json

import pandas as pd

from analysis.stored.run import Run

Lineage = dict[str, dict]
"""What each continuing trial continues, by its name, as in ``runs.trial.Continued``."""


def lineage(run: Run) -> Lineage:
    """Return what each trial continues; trials that began with a new network are left out."""
    if "continues" not in run.trials:
        return {}
    rows = run.trials.dropna(subset=["continues"])
    return {name: json.loads(text) for name, text in rows[["trial", "continues"]].to_numpy()}


def inherited(run: Run, metric: str) -> pd.Series:
    """Return how much of ``metric``, which adds up over epochs, each trial has inherited.

    Indexed by trial: 0 for one that has trained all its epochs itself.
    """
    found = pd.Series(0.0, index=run.trials["trial"])
    first = run.epochs.groupby("trial")["epoch"].min()
    for name, continued in lineage(run).items():
        if first.get(name, continued["epoch"] + 1) > continued["epoch"]:
            found[name] = continued[metric]
    return found


def own(run: Run, metric: str) -> pd.Series:
    """Return how much of ``metric``, which adds up over epochs, each trial's own epochs have taken.

    In the order of the trials, with their index.
    """
    return run.trials[metric] - inherited(run, metric).to_numpy()
