"""Parallel coordinates: every trial as a line through its settings to its score."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import GREY, GRID, RIGHT, WINNER, message, new_figure
from analysis.formatting import number, plain, score, sentence_case
from analysis.stored.axes import Axis, axes_of
from analysis.stored.ranking import ranking
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, require_epochs
from analysis.surrogate.importance import importance_info
from tune_robust.metrics import metric

Tick = tuple[float, str]
"""A position in [0, 1] and its label."""

_MOST = {"rest": 200, "good": 40}  # lines of a kind that remain distinguishable
_ONE_LINE = 40  # letters that fit beside each other on a narrow screen
_KINDS = {
    # legend, colour, width, opacity
    "rest": ("other trials", GREY, 0.8, 0.35),
    "good": ("next best", RIGHT, 1.4, 0.6),
    "winner": ("winner", WINNER, 3.4, 1.0),
}


class _ParallelInfo(NamedTuple):
    """The data of ``parallel``.

    ``lines``: a row per trial: trial, kind, score, and per path its position in [0, 1], NaN if the
    setting does not apply. ``axes``: the labels of each path and their positions.
    """

    metric: str
    lines: pd.DataFrame
    axes: dict[str, list[Tick]]


def parallel(run: Run) -> go.Figure:
    """Plot every trial that ended as a line: one row per searched setting, the score at the bottom.

    The seeds of a setting are one line, at their mean.

    Rows run from the lowest value on the left to the highest. A setting that does not apply to a
    trial leaves a gap in its line. If there are very many trials, an even selection of them is
    drawn.
    """
    return _parallel_plot(_parallel_info(run))


def parallel_data(run: Run) -> pd.DataFrame:
    """Return the data of ``parallel``: trial, kind, score, and a position in [0, 1] per path."""
    return _parallel_info(run).lines


def _parallel_info(run: Run) -> _ParallelInfo:
    require_epochs(run)
    run = averaged(run)
    trials = run.trials[run.trials["status"].isin(["done", "stopped"])]
    trials = trials.dropna(subset=["objective"])
    searched = axes_of(run.space.get("search") or {})
    order = list(importance_info(run).table["path"])
    varied = [d for d in searched if trials[d.path].nunique() > 1]
    varied.sort(key=lambda d: order.index(d.path) if d.path in order else len(order))
    trials = trials[trials[[d.path for d in varied]].notna().any(axis=1)] if varied else trials
    positions, axes = {}, {}
    for dimension in varied:
        place = _along if dimension.is_numeric else _among
        positions[dimension.path], axes[dimension.path] = place(dimension, trials[dimension.path])
    low, high = trials["objective"].min(), trials["objective"].max()
    if not varied or len(trials) < 2 or low == high:
        return _ParallelInfo(run.objective.metric, pd.DataFrame(columns=["trial"]), {})
    lines = pd.DataFrame({"trial": trials["trial"], "score": trials["objective"], **positions})
    lines.insert(1, "kind", _kinds(run, lines))
    name = run.objective.metric
    axes[name] = [(0.0, score(name, low)), (1.0, score(name, high))]
    lines[name] = (lines["score"] - low) / (high - low)
    return _ParallelInfo(name, lines.reset_index(drop=True), axes)


def _along(dimension: Axis, values: pd.Series) -> tuple[np.ndarray, list[Tick]]:
    """Return positions of numbers, and labels at the ends and in the middle."""
    values = values.astype("float64")
    if dimension.log:
        values = values.where(values > 0)
    dimension = dimension.covering(values.dropna().to_numpy())
    labels = [(p, number(float(dimension.from_unit(p)))) for p in (0.0, 0.5, 1.0)]
    return dimension.to_unit(values), labels


def _among(dimension: Axis, values: pd.Series) -> tuple[pd.Series, list[Tick]]:
    """Return positions of options, spread evenly, and their names."""
    options = sorted(values.dropna().unique(), key=str)
    places = np.linspace(0, 1, len(options) + 2)[1:-1]
    where = dict(zip(options, places, strict=True))
    return values.map(where).astype("float64"), [(where[o], number(o)) for o in options]


def _kinds(run: Run, lines: pd.DataFrame) -> pd.Series:
    drawn = set(lines["trial"])
    ranked = [trial for trial in ranking(run).table["trial"] if trial in drawn]
    good = set(ranked[: max(3, round(len(lines) / 10))])
    kinds = lines["trial"].map(lambda trial: "good" if trial in good else "rest")
    return kinds.where(lines["trial"] != (ranked[0] if ranked else None), "winner")


def _parallel_plot(info: _ParallelInfo) -> go.Figure:
    if info.lines.empty:
        return message("Two trials with different scores are needed to compare settings.")
    rows = list(info.axes)
    heights = np.arange(len(rows))[::-1].astype(float)
    figure = new_figure(height=90 + 76 * len(rows), margin={"l": 24, "r": 24, "t": 60, "b": 40})
    for kind, (legend, colour, width, opacity) in _KINDS.items():
        lines = info.lines[info.lines["kind"] == kind]
        if lines.empty:
            continue
        most = _MOST.get(kind, 1)
        if len(lines) > most:
            lines = lines.sort_values("score", kind="stable")
            lines = lines.iloc[np.linspace(0, len(lines) - 1, most).astype(int)]
        gap = np.full((len(lines), 1), np.nan)
        x = np.hstack([lines[rows].to_numpy("float32"), gap]).ravel()
        figure.add_scatter(
            x=x.astype("float32"),
            y=np.tile(np.append(heights, np.nan), len(lines)).astype("float32"),
            customdata=np.repeat([int(trial[1:]) for trial in lines["trial"]], len(rows) + 1),
            mode="lines" if kind == "rest" else "lines+markers",
            name=legend,
            opacity=opacity,
            line={"color": colour, "width": width},
            marker={"size": 5 if kind == "good" else 9},
            connectgaps=False,
            hovertemplate=f"t%{{customdata:04d}} · {legend}<extra></extra>",
        )
    # Set at once: each figure.add_annotation() would validate all annotations before it again.
    figure.update_layout(
        shapes=[_axis(height) for height in heights],
        annotations=[
            text
            for row, height in zip(rows, heights, strict=True)
            for text in _texts(row, height, info)
        ],
    )
    figure.update_xaxes(visible=False, range=[-0.03, 1.03])
    figure.update_yaxes(visible=False, range=[-0.45, len(rows) - 0.45])
    return figure


def _axis(height: float) -> dict[str, Any]:
    """Return the line of the axis of one setting."""
    line = {"color": GRID, "width": 4}
    return {"type": "line", "x0": 0, "x1": 1, "y0": height, "y1": height, "line": line}


def _texts(path: str, height: float, info: _ParallelInfo) -> list[dict[str, Any]]:
    """Return the texts at the axis of one setting: its name above and its labels below."""
    is_score = path == info.metric
    title = sentence_case(metric(path).title) if is_score else path
    name: dict[str, Any] = {
        "text": f"<b>{plain(title)}</b>",
        "x": 0,
        "xanchor": "left",
        "yshift": 14,
    }
    labels = info.axes[path]
    crowded = sum(len(text) for _, text in labels) > _ONE_LINE
    texts = [
        {
            "text": plain(text),
            "x": place,
            "xanchor": {0.0: "left", 1.0: "right"}.get(place, "center"),
            "yshift": -26 if crowded and i % 2 else -13,
            "font": {"size": 12},
        }
        for i, (place, text) in enumerate(labels)
    ]
    return [{**text, "y": height, "showarrow": False} for text in (name, *texts)]
