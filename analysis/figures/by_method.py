"""Best so far by method: the best score of each option of a choice by its own compute."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.best_so_far import cost_of_epochs, settled
from analysis.figures.choices import chosen_path
from analysis.figures.style import line_style, message, metric_axis, new_figure, plain_axes
from analysis.formatting import number, plain
from analysis.stored.run import Run
from tune_robust.errors import UserError, unknown
from tune_robust.metrics import metric


def best_so_far_by(run: Run, path: str | None = None) -> go.Figure:
    """Plot the best finished trial of each option against the compute of its own trials.

    Methods with different costs per step are thus compared at equal compute, in gradient
    evaluations. ``path``: by default the method if it was searched, otherwise the choice with the
    most options tried.

    Raises:
        UserError: ``path`` is not a searched choice.
    """
    return _plot(best_so_far_by_data(run, path), run.objective.metric)


def best_so_far_by_data(run: Run, path: str | None = None) -> pd.DataFrame:
    """Return the data of ``best_so_far_by``, the corners of its lines: option, spent, best."""
    allowed = [d.path for d in run.dimensions if not d.is_numeric]
    if path is not None and path not in allowed:
        raise UserError(unknown("searched choice", path, allowed))
    path = path or chosen_path(run)
    parts = [pd.DataFrame({"option": [], "spent": [], "best": []})]
    if path is not None:
        searched = run.trials[run.trials["origin"] != "baseline"]
        parts += [
            _steps(run, trials, number(option))
            for option, trials in searched.dropna(subset=[path]).groupby(path)
        ]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else parts[0]


def _steps(run: Run, trials: pd.DataFrame, option: str) -> pd.DataFrame:
    epochs = run.epochs[run.epochs["trial"].isin(trials["trial"])]
    total = cost_of_epochs(run, epochs).cumsum()
    until = total.groupby(epochs["trial"]).max()
    done = settled(run, until)
    if done.empty:
        return pd.DataFrame()
    scores = done["objective"]
    best = run.objective.best_so_far(scores)
    spent = np.append(done["spent"], total.iloc[-1])
    return pd.DataFrame({"option": option, "spent": spent, "best": np.append(best, best[-1])})


def _plot(table: pd.DataFrame, name: str) -> go.Figure:
    if table.empty:
        return message("No choice was searched of which a trial has finished.")
    figure = new_figure(height=400, margin={"l": 56, "r": 16, "t": 48, "b": 52})
    value = "%{y:.1%}" if metric(name).is_fraction else "%{y:.3g}"
    for place, (option, steps) in enumerate(table.groupby("option", sort=False)):
        figure.add_scatter(
            x=steps["spent"].to_numpy("float32"),
            y=steps["best"].to_numpy("float32"),
            mode="lines+markers",  # a line of a single point would be invisible
            name=plain(option),
            line={"width": 2.8, "shape": "hv", **line_style(place)},
            marker={"size": 6},
            cliponaxis=False,
            hovertemplate=f"{plain(option)}: {value}<br>after %{{x:.0f}}<extra></extra>",
        )
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(name))
    figure.update_xaxes(title_text="gradient evaluations of its own trials", rangemode="tozero")
    return figure
