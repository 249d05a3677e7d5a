"""Trials of a grid that differ in nothing but the seed: one setting, repeated."""

from __future__ import annotations

from analysis.stored.run import Run

SEED = "seed"
"""The searched path by which trials repeat a setting."""


def settings(run: Run) -> list[str]:
    """The searched paths that make a setting: all but the seed."""
    return [path for path in run.searched if path != SEED]


def replicates(run: Run, trial: str) -> list[str]:
    """The finished trials of ``trial``'s setting, itself included; it alone without seeds."""
    table = run.trials
    if SEED not in run.searched:
        return [trial]
    own = table[table["trial"] == trial].iloc[0]
    same = (table["status"] == "done") & (table["origin"] == own["origin"])
    for path in settings(run):
        same &= table[path].isna() if own[path] != own[path] else table[path] == own[path]
    return table.loc[same | (table["trial"] == trial), "trial"].tolist()
