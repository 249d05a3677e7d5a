"""Choices: the scores of the trials under each option of a searched choice."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import GREY, WINNER, message, metric_axis, new_figure, plain_axes
from analysis.formatting import plain, score
from analysis.stored.ranking import ranking
from analysis.stored.run import Run
from tune_robust.errors import UserError, unknown


class _ChoicesInfo(NamedTuple):
    """The data of ``choices``.

    ``trials``: trial, status, option, score, of the trials that ended. ``best``: indexed by option,
    the best candidate for the winner, the best option first: score, and if settings are repeated
    with several seeds, of which score is the mean, sd and seeds.
    """

    metric: str
    path: str | None
    trials: pd.DataFrame
    best: pd.DataFrame


def choices(run: Run, path: str | None = None) -> go.Figure:
    """Plot the objective of every trial, grouped by the options of the searched choice ``path``.

    A diamond marks the best of each option; if a grid repeats settings with several seeds, the best
    setting by its mean over them, with one standard deviation.

    ``path``: by default ``method`` if it was searched, otherwise the choice with the most options
    tried.

    Raises:
        UserError: ``path`` is not a searched choice.
    """
    return _choices_plot(_choices_info(run, path))


def choices_data(run: Run, path: str | None = None) -> pd.DataFrame:
    """Return the data of ``choices``: trial, status, option, score."""
    return _choices_info(run, path).trials


def chosen_path(run: Run) -> str | None:
    """Return the choice that ``choices`` shows by default; None if no choice was varied."""
    tried = {d.path: run.trials[d.path].nunique() for d in run.dimensions if not d.is_numeric}
    varied = [path for path, options in tried.items() if options > 1]
    return max(varied, key=lambda path: (path == "method", tried[path]), default=None)


def _choices_info(run: Run, path: str | None = None) -> _ChoicesInfo:
    allowed = [d.path for d in run.dimensions if not d.is_numeric]
    if path is not None and path not in allowed:
        raise UserError(unknown("searched choice", path, allowed))
    path = path or chosen_path(run)
    empty = pd.DataFrame(columns=["trial", "status", "option", "score"])
    if path is None:
        return _ChoicesInfo(run.objective.metric, None, empty, pd.DataFrame())
    trials = run.trials.rename(columns={path: "option", "objective": "score"})[list(empty)]
    trials = trials[trials["status"].isin(["done", "stopped"])].dropna(subset=["option", "score"])
    named = {path: "option", "objective": "score", "objective_sd": "sd"}
    ranked = ranking(run).table.rename(columns=named).dropna(subset=["option", "score"])
    best = ranked.drop_duplicates("option").set_index("option")
    best = best.filter(["score", "sd", "seeds"])
    return _ChoicesInfo(run.objective.metric, path, trials.reset_index(drop=True), best)


def _choices_plot(info: _ChoicesInfo) -> go.Figure:
    if info.trials.empty:
        return message("No choice was searched with more than one option tried.")
    options = list(info.best.index)
    options += sorted(set(info.trials["option"]) - set(options))
    figure = new_figure(height=110 + 60 * len(options), margin={"l": 90, "r": 24, "t": 30, "b": 52})
    rows = {option: position for position, option in enumerate(reversed(options))}
    for status, legend, symbol in (
        ("stopped", "stopped early", "circle-open"),
        ("done", "finished", "circle"),
    ):
        trials = info.trials[info.trials["status"] == status]
        if len(trials):
            figure.add_scatter(
                x=trials["score"],
                y=trials["option"].map(rows) + _spread(len(trials)),
                text=[plain(trial) for trial in trials["trial"]],
                customdata=[score(info.metric, value) for value in trials["score"]],
                mode="markers",
                name=legend,
                opacity=0.7,
                marker={"color": GREY, "symbol": symbol, "size": 8},
                hovertemplate="%{text} · %{customdata}<extra></extra>",
            )
    repeated = "sd" in info.best
    figure.add_scatter(
        x=info.best["score"],
        y=info.best.index.map(rows),
        error_x={"array": info.best["sd"], "color": WINNER, "width": 5} if repeated else None,
        mode="markers+text",
        name="best mean over seeds" if repeated else "best finished",
        text=[f"<b>{score(info.metric, value)}</b>" for value in info.best["score"]],
        textposition="top center",
        textfont={"color": WINNER},
        marker={"color": WINNER, "symbol": "diamond", "size": 11},
        hoverinfo="skip",
    )
    plain_axes(figure)
    figure.update_yaxes(
        tickvals=list(rows.values()),
        ticktext=[f"<b>{plain(option)}</b>" for option in rows],
        range=[-0.6, len(rows) - 0.3],
        showgrid=False,
    )
    figure.update_xaxes(**metric_axis(info.metric))
    return figure


def _spread(n: int) -> np.ndarray:
    """Return small vertical offsets, so that equal scores do not hide each other."""
    return 0.16 * np.sin(np.arange(n) * 2.4)
