"""Learning curves: the objective over compute, one line per trial."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.style import BASELINE, GREY, WINNER, metric_axis, new_figure, plain_axes
from analysis.stored.noise import ceiling
from analysis.stored.ranking import winner
from analysis.stored.replicates import replicates
from analysis.stored.run import Run, require_epochs
from tune_robust.formatting import count
from tune_robust.metrics import metric

_POINTS = 12_000  # of the faint curves; more are thinned evenly within each trial
_DIAGNOSTIC = "test_accuracy"
_GROUPS = {
    # role: legend, colour, width, dash
    "stopped": ("stopped early", GREY, 1.0, "solid"),
    "failed": ("failed", GREY, 1.0, "dot"),
    "unfinished": ("not finished", GREY, 1.0, "solid"),
    "done": ("finished", GREY, 1.3, "solid"),
    "baseline": ("baseline", BASELINE, 2.4, "dash"),
    "winner": ("winner", WINNER, 3.2, "solid"),
}
_FAINT = {"stopped": 0.5, "failed": 0.5, "unfinished": 0.5, "done": 0.8}


class Curve(NamedTuple):
    """One trial's metric (y) against its gradient evaluations (x)."""

    trial: str
    role: str
    x: np.ndarray
    y: np.ndarray


class _LearningCurvesInfo(NamedTuple):
    metric: str
    curves: list[Curve]
    diagnostic: list[Curve]
    ceiling: float | None


def learning_curves(run: Run) -> go.Figure:
    """Plot the objective metric against gradient evaluations for every trial.

    Stopped trials are faded, the winner stands out (with each of its seeds), baselines are dashed.
    If test accuracy was recorded, a second panel shows it for the winner and the baselines; it is
    not used for selection.
    """
    return _learning_curves_plot(_learning_curves_info(run))


def learning_curves_data(run: Run) -> pd.DataFrame:
    """Return the data of ``learning_curves``: metric, role, trial, gradient_evaluations, value."""
    info = _learning_curves_info(run)
    curves = [(info.metric, c) for c in info.curves] + [(_DIAGNOSTIC, c) for c in info.diagnostic]
    parts = [
        pd.DataFrame(
            {
                "metric": name,
                "role": curve.role,
                "trial": curve.trial,
                "gradient_evaluations": curve.x,
                "value": curve.y,
            }
        )
        for name, curve in curves
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["metric"])


def _learning_curves_info(run: Run) -> _LearningCurvesInfo:
    require_epochs(run)
    best = winner(run)
    first = [] if best is None else replicates(run, best["trial"])
    roles = {
        row.trial: _role(row.trial in first, row.origin, row.status)
        for row in run.trials.itertuples()
    }
    curves = _curves(run, run.objective.metric, roles)
    shown = {trial: role for trial, role in roles.items() if role in ("winner", "baseline")}
    diagnostic = _curves(run, _DIAGNOSTIC, shown) if _DIAGNOSTIC in run.epochs else []
    return _LearningCurvesInfo(run.objective.metric, curves, diagnostic, ceiling(run))


def _role(is_winner: bool, origin: str, status: str) -> str:
    if is_winner:
        return "winner"
    if origin == "baseline":
        return "baseline"
    return status if status in _GROUPS else "unfinished"


def _curves(run: Run, name: str, roles: dict[str, str]) -> list[Curve]:
    columns = ["trial", "epoch", "gradient_evaluations", name]
    rows = run.epochs.loc[run.epochs["trial"].isin(roles), columns].dropna(subset=[name])
    faint = rows["trial"].map(roles).isin(_FAINT)
    stride = math.ceil(faint.sum() / _POINTS)
    rows = rows.sort_values(["trial", "epoch"])
    # Splitting arrays is a hundred times faster than splitting tables.
    trials, starts = np.unique(rows["trial"].to_numpy(str), return_index=True)
    parts = (np.split(rows[c].to_numpy(), starts[1:]) for c in ("gradient_evaluations", name))
    curves = []
    for trial, x, y in zip(trials.tolist(), *parts, strict=False):
        thinned = stride > 1 and roles[trial] in _FAINT
        kept = _every(stride, len(x)) if thinned else slice(None)
        curves.append(Curve(trial, roles[trial], x[kept], y[kept]))
    return curves


def _every(stride: int, length: int) -> np.ndarray:
    """Return the indices of every stride-th row and of the last one."""
    return np.unique([*range(0, length, stride), length - 1])


def _learning_curves_plot(info: _LearningCurvesInfo) -> go.Figure:
    two = bool(info.diagnostic)
    figure = make_subplots(
        rows=1 + two,
        cols=1,
        shared_xaxes=True,
        vertical_spacing=0.09,
        row_heights=[0.62, 0.38] if two else None,
        figure=new_figure(height=620 if two else 420),
    )
    for role in _GROUPS:
        _draw(figure, info.metric, [c for c in info.curves if c.role == role], role, row=1)
        if two:
            _draw(figure, _DIAGNOSTIC, [c for c in info.diagnostic if c.role == role], role, row=2)
    if info.ceiling is not None:
        _add_ceiling(figure, info)
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(info.metric), row=1)
    if two:
        axis = metric_axis(_DIAGNOSTIC)
        axis["title_text"] += "<br><sup>not used for selection</sup>"
        figure.update_yaxes(**axis, row=2)
    figure.update_xaxes(title_text="gradient evaluations", row=1 + two)
    return figure


def _add_ceiling(figure: go.Figure, info: _LearningCurvesInfo) -> None:
    end = max((float(curve.x[-1]) for curve in info.curves), default=1.0)
    figure.add_scatter(
        x=[0, end],
        y=[info.ceiling, info.ceiling],
        mode="lines",
        name="a perfect model",
        line={"color": GREY, "width": 1, "dash": "dot"},
        hovertemplate="a perfect model, about %{y:.0%}<extra></extra>",
        row=1,
        col=1,
    )


def _draw(figure: go.Figure, name: str, curves: list[Curve], role: str, row: int) -> None:
    """Add all curves of one role as one trace, with gaps between them."""
    if not curves:
        return
    legend, colour, width, dash = _GROUPS[role]
    faint = role in _FAINT
    many = np.clip((40 / len(curves)) ** 0.5, 0.6, 1.0) if faint else 1.0
    value = "%{y:.1%}" if metric(name).is_fraction else "%{y:.3g}"
    figure.add_trace(
        go.Scatter(
            x=_gapped(curve.x for curve in curves),
            y=_gapped(curve.y for curve in curves),
            customdata=np.repeat(
                [int(c.trial[1:]) for c in curves], [len(c.x) + 1 for c in curves]
            ),
            mode="lines",
            name=_named(legend, role, len(curves)),
            legendgroup=role,
            showlegend=row == 1,
            opacity=_FAINT.get(role, 1.0) * many,
            line={"color": colour, "width": width, "dash": dash},
            connectgaps=False,
            hovertemplate=f"t%{{customdata:04d}} · {legend}<br>{value} after %{{x:.0f}}"
            "<extra></extra>",
        ),
        row=row,
        col=1,
    )


def _named(legend: str, role: str, curves: int) -> str:
    if role == "winner":
        return legend if curves == 1 else f"{legend}, {count(curves, 'seed')}"
    return f"{legend} ({curves})" if role in _FAINT else legend


def _gapped(parts: Iterable[np.ndarray]) -> np.ndarray:
    """Concatenate arrays with a NaN after each, where the line breaks."""
    return np.concatenate([[*part, np.nan] for part in parts]).astype("float32")
