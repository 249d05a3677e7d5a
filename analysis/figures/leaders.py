"""The trials in figures of single trials: the best of each method, or of each grid cell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.figures.style import PALETTE
from analysis.formatting import number
from analysis.stored.ranking import ranking
from analysis.stored.replicates import settings
from analysis.stored.run import Run
from analysis.stored.trial import label

_MOST_CELLS = 12  # lines that are still distinguishable by colour and dash


def is_grid(run: Run) -> bool:
    """Return whether the run is a grid, each cell of which is a separate result."""
    return bool((run.space.get("searcher") or {}).get("name") == "grid")


def leaders(run: Run) -> dict[str, str]:
    """Return the best trial of each method by name, best first, as many as there are colours.

    For a grid, it is the best trial of each cell (of its seeds), named by the settings in which
    cells differ. A grid of more than twelve cells is reduced to method and options, each with its
    best numbers. Baselines are included. Without methods there is one trial, the best, named
    ``winner``.
    """
    ranked = ranking(run).table.dropna(subset=["objective"])
    paths = _cell_paths(run, ranked) if is_grid(run) else []
    most = _MOST_CELLS if paths else len(PALETTE)
    several = ranked["config"].map(lambda c: label({"config": c, "trial": ""})).nunique() > 1
    found: dict[str, str] = {}
    for row in ranked.filter(["trial", "config", *paths]).to_dict("records"):
        found.setdefault(_name(row, paths, named=several or not paths), row["trial"])
        if len(found) == most:
            break
    return found


def _cell_paths(run: Run, ranked: pd.DataFrame) -> list[str]:
    """Return the paths that distinguish the cells; without the numeric ones for too many cells."""
    varied = [p for p in settings(run) if p != "method" and ranked[p].nunique(dropna=False) > 1]
    methods = [path for path in run.searched if path == "method"]
    if len(ranked[[*varied, *methods]].drop_duplicates()) <= _MOST_CELLS:
        return varied
    numeric = {axis.path for axis in run.dimensions if axis.is_numeric}
    return [path for path in varied if path not in numeric]


def _name(row: Mapping[Any, Any], paths: list[str], *, named: bool) -> str:
    method = label(row)
    method = "winner" if method == row["trial"] else method
    parts = [f"{path} {number(row[path])}" for path in paths if not pd.isna(row[path])]
    return ", ".join([method, *parts] if named or not parts else parts)
