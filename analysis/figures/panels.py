"""Panels of lines over the epochs: several trials, metric by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.style import (
    PALETTE,
    PERCENT,
    epoch_axis,
    line_style,
    lines_of,
    message,
    new_figure,
    plain_axes,
)
from analysis.formatting import plain, sentence_case
from analysis.stored.replicates import replicates
from analysis.stored.run import Run
from tune_robust.metrics import metric

_POINTS = 300  # of a line; more than a screen can resolve are thinned
_LINE = 20  # height of a title's line in pixels


class Line(NamedTuple):
    """A trial's metric (``y``) over its epochs (``x``), both of shape (n,).

    For a setting repeated with several seeds, ``y`` is the mean over its finished trials, ``sd``
    (n,) their standard deviation, and ``trial`` one of them.
    """

    name: str
    trial: str
    metric: str
    x: np.ndarray
    y: np.ndarray
    sd: np.ndarray | None = None


class Panel(NamedTuple):
    """Lines that share an axis of values."""

    title: str
    is_fraction: bool
    lines: list[Line]


def metric_panel(run: Run, name: str, trials: Mapping[str, str]) -> Panel | None:
    """Return one metric of several trials, given by their labels; None if none recorded it."""
    lines = [line for label, trial in trials.items() for line in _line(run, name, label, trial)]
    about = metric(name)
    return Panel(sentence_case(about.title), about.is_fraction, lines) if lines else None


def trial_panel(run: Run, title: str, trial: str, metrics: Mapping[str, str]) -> Panel | None:
    """Return several metrics of one trial, given by their labels; None if it recorded none."""
    lines = [line for name, label in metrics.items() for line in _line(run, name, label, trial)]
    return Panel(title, all(metric(name).is_fraction for name in metrics), lines) if lines else None


def _line(run: Run, name: str, label: str, trial: str) -> list[Line]:
    if name not in run.epochs:
        return []
    among = replicates(run, trial)
    rows = run.epochs[run.epochs["trial"].isin(among)].dropna(subset=[name])
    if rows.empty:
        return []
    by_epoch = rows.groupby("epoch")[name].agg(["mean", "std"])
    kept = np.unique(np.linspace(0, len(by_epoch) - 1, min(_POINTS, len(by_epoch))).astype(int))
    by_epoch = by_epoch.iloc[kept]
    sd = by_epoch["std"].to_numpy() if len(among) > 1 else None
    return [Line(label, trial, name, by_epoch.index.to_numpy(), by_epoch["mean"].to_numpy(), sd)]


def panels_data(panels: Iterable[Panel]) -> pd.DataFrame:
    """Return a row per point: panel, name, trial, metric, epoch, value, sd (NaN for one seed)."""
    parts = [
        pd.DataFrame(
            {
                "panel": panel.title,
                "name": line.name,
                "trial": line.trial,
                "metric": line.metric,
                "epoch": line.x,
                "value": line.y,
                "sd": np.nan if line.sd is None else line.sd,
            }
        )
        for panel in panels
        for line in panel.lines
    ]
    columns = ["panel", "name", "trial", "metric", "epoch", "value", "sd"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def panels_plot(panels: list[Panel], nothing: str, height: int = 360) -> go.Figure:
    """Plot the panels side by side with one legend; without panels, show the text ``nothing``."""
    if not panels:
        return message(nothing)
    titles = ["<br>".join(f"<b>{line}</b>" for line in lines_of(p.title, 34)) for p in panels]
    extra = _LINE * max(title.count("<br>") for title in titles)
    figure = make_subplots(
        rows=1,
        cols=len(panels),
        horizontal_spacing=0.09,
        subplot_titles=titles,
        figure=new_figure(height=height + extra, margin_t=76 + extra),
    )
    names = list(dict.fromkeys(line.name for panel in panels for line in panel.lines))
    shown = set()
    for column, panel in enumerate(panels, 1):
        value = "%{y:.1%}" if panel.is_fraction else "%{y:.3g}"
        for line in panel.lines:
            place = names.index(line.name)
            if line.sd is not None:
                figure.add_scatter(**_band(line, place), row=1, col=column)
            figure.add_scatter(
                x=line.x,
                y=line.y.astype("float32"),
                mode="lines",
                name=plain(line.name),
                legendgroup=line.name,
                showlegend=line.name not in shown,
                line={"width": 2.6, **line_style(place)},
                hovertemplate=f"{plain(line.name)} {plain(line.trial)}<br>{value}"
                "<br>epoch %{x}<extra></extra>",
                row=1,
                col=column,
            )
            shown.add(line.name)
        tick = PERCENT if panel.is_fraction else ""
        figure.update_yaxes(tickformat=tick, rangemode="tozero", col=column)
    plain_axes(figure)
    last = max(float(line.x[-1]) for panel in panels for line in panel.lines)
    figure.update_xaxes(**epoch_axis(last))
    figure.update_layout(legend_y=1.14 + extra / (height - 128))
    return figure


def _band(line: Line, place: int) -> dict[str, Any]:
    """Return the area of one standard deviation on either side of a line."""
    spread = np.zeros_like(line.y) if line.sd is None else np.nan_to_num(line.sd)
    return {
        "x": np.concatenate([line.x, line.x[::-1]]),
        "y": np.concatenate([line.y + spread, (line.y - spread)[::-1]]).astype("float32"),
        "mode": "lines",
        "line": {"width": 0},
        "fill": "toself",
        "fillcolor": PALETTE[place % len(PALETTE)],
        "opacity": 0.18,
        "legendgroup": line.name,
        "showlegend": False,
        "hoverinfo": "skip",
    }
