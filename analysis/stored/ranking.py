"""Rank finished trials by the objective alone.

If a grid repeats its settings with several seeds, settings are ranked by their mean over them.
"""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from tune_robust.spaces.dimensions import varies_labels


class Ranking(NamedTuple):
    """Candidates, the best first and NaN last, and their common status.

    ``basis``: "done"; "stopped" if no trial reached its full budget with a score; None if no trial
    ended with one.
    """

    table: pd.DataFrame
    basis: str | None


def ranking(run: Run) -> Ranking:
    """Rank trials by the stored ``objective``. Baselines are included; ``origin`` identifies them.

    The seeds of a setting are one row, their mean (see ``averaged``).
    """
    run = averaged(run)
    scored = run.trials.loc[run.trials["objective"].notna(), "status"]
    basis = next((status for status in ("done", "stopped") if (scored == status).any()), None)
    table = run.trials[run.trials["status"] == basis].sort_values(
        "objective", ascending=run.objective.ascending, na_position="last", kind="stable"
    )
    return Ranking(table.reset_index(drop=True), basis)


def winner(run: Run) -> pd.Series | None:
    """Return the row of the best trial; None if no trial has ended with a score."""
    table = ranking(run).table
    return _first_scored(table)


def baseline(run: Run) -> pd.Series | None:
    """Return the row of the best finished baseline; None if there is none."""
    table = ranking(run).table
    return _first_scored(table[table["origin"] == "baseline"])


def label_sets(run: Run) -> int:
    """Return the number of label sets in training; scores are comparable within one only."""
    paths = label_set_paths(run)
    return len(run.trials[paths].drop_duplicates()) if paths else 1


def label_set_paths(run: Run) -> list[str]:
    """Return the searched paths by which the labels of trials differ."""
    return [path for path in run.searched if varies_labels(path)]


def _first_scored(table: pd.DataFrame) -> pd.Series | None:
    scored = table.dropna(subset=["objective"])
    return None if scored.empty else scored.iloc[0]
