"""Best so far: the best score of the search by compute."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import (
    BASELINE,
    GREY,
    WINNER,
    message,
    metric_axis,
    new_figure,
    plain_axes,
)
from analysis.formatting import plain
from analysis.stored.lineage import inherited
from analysis.stored.noise import ceiling
from analysis.stored.ranking import baseline, ranking
from analysis.stored.replicates import representatives
from analysis.stored.run import Run, require_epochs
from tune_robust.metrics import metric

_MARKS = {
    # status: legend, symbol, fill, size
    "done": ("finished", "circle", GREY, 7),
    "stopped": ("stopped early", "circle-open", GREY, 7),
    "failed": ("failed", "x-thin-open", GREY, 7),
    "unfinished": ("not finished", "diamond-open", GREY, 7),
}


class _BestSoFarInfo(NamedTuple):
    """The data of ``best_so_far``.

    ``ended``: a row per scored trial: trial, status, spent, score; ``spent`` is the compute of the
    whole run until that trial's last epoch, in gradient evaluations. ``spent`` and ``best``: the
    corners of the step line, which ends with the run's compute. Only candidates for the winner move
    it; a setting repeated with several seeds moves it by its mean, when the last of them has ended.
    """

    metric: str
    ended: pd.DataFrame
    spent: np.ndarray
    best: np.ndarray
    baseline: float | None
    ceiling: float | None


def best_so_far(run: Run) -> go.Figure:
    """Plot the best finished trial's objective against the gradient evaluations of all trials.

    Epochs are counted in the order of the run's table.
    """
    return _best_so_far_plot(_best_so_far_info(run))


def best_so_far_data(run: Run) -> pd.DataFrame:
    """Return the data of ``best_so_far``, a row per scored trial: trial, status, spent, score."""
    return _best_so_far_info(run).ended


def _best_so_far_info(run: Run) -> _BestSoFarInfo:
    require_epochs(run)
    total = cost_of_epochs(run, run.epochs).cumsum()
    until = total.groupby(run.epochs["trial"]).max()
    candidates = settled(run, until)
    ended = run.trials.assign(spent=run.trials["trial"].map(until), score=run.trials["objective"])
    ended = ended.dropna(subset=["spent", "score"]).sort_values("spent", kind="stable")
    best = run.objective.best_so_far(candidates["objective"])
    reference = baseline(run)
    return _BestSoFarInfo(
        metric=run.objective.metric,
        ended=ended[["trial", "status", "spent", "score"]].reset_index(drop=True),
        spent=np.append(candidates["spent"], total.iloc[-1:]),
        best=np.append(best, best[-1:] if len(best) else [np.nan]),
        baseline=None if reference is None else float(reference["objective"]),
        ceiling=ceiling(run),
    )


def settled(run: Run, until: pd.Series) -> pd.DataFrame:
    """Return the ranked settings in the order in which they ended.

    ``until``: the compute at each trial's last epoch. The added column ``spent`` is that of the
    setting's last seed.
    """
    names = representatives(run)
    ends = until.reindex(names.index).groupby(names).max()
    ranked = ranking(run).table.assign(spent=lambda table: table["trial"].map(ends))
    return ranked.dropna(subset=["spent", "objective"]).sort_values("spent", kind="stable")


def cost_of_epochs(run: Run, epochs: pd.DataFrame) -> pd.Series:
    """Return the gradient evaluations of each of these epochs alone, in the order of the rows."""
    ordered = epochs.sort_values(["trial", "epoch"], kind="stable")["gradient_evaluations"]
    before = epochs["trial"].map(inherited(run, "gradient_evaluations"))
    cost = ordered.groupby(epochs["trial"]).diff().fillna(ordered - before)
    return cost.reindex(epochs.index)


def _best_so_far_plot(info: _BestSoFarInfo) -> go.Figure:
    if info.ended.empty:
        return message("No trial has a score yet.")
    figure = new_figure(height=380)
    value = "%{y:.1%}" if metric(info.metric).is_fraction else "%{y:.3g}"
    for role, (legend, symbol, fill, size) in _MARKS.items():
        known = info.ended["status"].where(info.ended["status"].isin(list(_MARKS)), "unfinished")
        rows = info.ended[known == role]
        if rows.empty:
            continue
        figure.add_scatter(
            x=rows["spent"].to_numpy("float32"),
            y=rows["score"].to_numpy("float32"),
            text=[plain(trial) for trial in rows["trial"]],
            mode="markers",
            name=legend,
            opacity=0.75,
            marker={"symbol": symbol, "color": fill, "size": size},
            hovertemplate=f"%{{text}} · {legend}<br>{value}<extra></extra>",
        )
    if len(info.spent) > 1:
        figure.add_scatter(
            x=info.spent.astype("float32"),
            y=info.best.astype("float32"),
            mode="lines",
            name="best so far",
            line={"color": WINNER, "width": 3.2, "shape": "hv"},
            hovertemplate=f"best so far {value}<br>after %{{x:.0f}}<extra></extra>",
        )
    span = [0, float(info.spent[-1])]
    for level, name, line in (
        (info.baseline, "baseline", {"color": BASELINE, "width": 2.4, "dash": "dash"}),
        (info.ceiling, "a perfect model", {"color": GREY, "width": 1, "dash": "dot"}),
    ):
        if level is not None:
            figure.add_scatter(
                x=span,
                y=[level, level],
                mode="lines",
                name=name,
                line=line,
                hovertemplate=f"{name} {value}<extra></extra>",
            )
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(info.metric))
    figure.update_xaxes(title_text="gradient evaluations of all trials", rangemode="tozero")
    return figure
