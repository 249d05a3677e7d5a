"""Sweep: training at each value of one searched setting, as in a grid over alpha or k."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.panels import Panel, metric_panel, panels_data, panels_plot
from analysis.figures.style import PALETTE
from analysis.formatting import number
from analysis.stored.ranking import ranking
from analysis.stored.replicates import settings
from analysis.stored.run import Run
from tune_robust.errors import UserError, unknown

_METRICS = ("noisy_fit", "clean_fit", "test_accuracy")


def sweep(run: Run, path: str | None = None) -> go.Figure:
    """Plot wrong and correct labels learned and test accuracy, with a line per value of ``path``.

    Each line is the best finished trial with its value; if a grid repeated its setting with several
    seeds, it is their mean, in a band of one standard deviation. If there are more values than
    colours, an even selection of them is shown. ``path``: by default the first searched list of
    numbers.

    Raises:
        UserError: ``path`` was not searched.
    """
    return panels_plot(
        sweep_panels(run, path), "No setting takes a list of numbers, two of them tried."
    )


def sweep_data(run: Run, path: str | None = None) -> pd.DataFrame:
    """Return the data of ``sweep``: a row per point."""
    return panels_data(sweep_panels(run, path))


def sweep_panels(run: Run, path: str | None = None) -> list[Panel]:
    """Return a panel per metric that was recorded."""
    if path is not None and path not in run.searched:
        raise UserError(unknown("searched dimension", path, run.searched))
    path = path or swept_path(run)
    if path is None:
        return []
    ranked = ranking(run).table.dropna(subset=["objective", path])
    best = ranked.drop_duplicates(path).sort_values(path, key=lambda c: c.map(_order))
    places = np.linspace(0, len(best) - 1, min(len(best), len(PALETTE))).round().astype(int)
    trials = {
        f"{path} {number(row[path])}": row["trial"] for _, row in best.iloc[places].iterrows()
    }
    panels = (metric_panel(run, name, trials) for name in _METRICS)
    return [panel for panel in panels if panel is not None]


def swept_path(run: Run) -> str | None:
    """Return the default path of ``sweep``: the first list of numbers of which two were tried."""
    done = run.trials[run.trials["status"] == "done"]
    listed = [d.path for d in run.dimensions if d.options and d.path in settings(run)]
    grids = [path for path in listed if done[path].nunique() > 1]
    return grids[0] if grids else None


def _order(value: str | float) -> tuple[bool, float, str]:
    return (True, 0.0, value) if isinstance(value, str) else (False, float(value), "")
