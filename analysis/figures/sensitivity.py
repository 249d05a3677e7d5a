"""Sensitivity: the surface of a metric over two searched dimensions, and its uncertainty."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from scipy import ndimage

from analysis.figures.style import (
    GREY,
    INK,
    PERCENT,
    VEIL,
    WINNER,
    dimension_axis,
    message,
    metric_axis,
    new_figure,
    plain_axes,
    round_step,
    say,
)
from analysis.figures.trial_marks import MARKS, hover, observed_groups
from analysis.formatting import plain
from analysis.stored.axes import Axis
from analysis.stored.ranking import winner
from analysis.stored.replicates import averaged
from analysis.stored.run import Run, require_epochs
from analysis.surrogate.expectation import SURE, tolerance
from analysis.surrogate.surface import Others, Surface, fit_surface
from tune_robust.metrics import metric

_CLEAR = 0.1  # doubt below which the surface is not faded
_VEILED = 0.85
_FLAT = 0.1  # the smallest colour range of a fraction; of other metrics, relative to their value
_BANDS = 20
_TICKS = 5
_FEWEST = 2  # the fewest finished trials in a region
_APART = 1e-6


class SensitivityInfo(NamedTuple):
    """A surface, and the good settings on it.

    ``margin`` (same shape as the surface; None without one): where it is at least 0, the objective
    is predicted within one point (1 % for non-fractions) of the best prediction at a finished
    trial, with some confidence, in a region with at least two finished trials. ``box``: the bounds
    by path of the region with this best; empty if there is none. ``winner``: a trial's name.
    """

    surface: Surface
    margin: np.ndarray | None
    box: dict[str, tuple[float, float]]
    winner: str | None


def sensitivity(
    run: Run,
    metric: str | None = None,
    x: str | None = None,
    y: str | None = None,
    others: Others = "averaged",
) -> go.Figure:
    """Plot a metric (default: the objective) over two searched dimensions, at full budget.

    The surface is that of a Gaussian process over all searched dimensions (see
    ``surface.fit_surface``): the other settings are averaged over the trials, or with
    ``others="winner"`` those of the best trial, as the figure says. The trials are drawn on top.
    The surface fades with its uncertainty; the outline encloses the settings within one point of
    the best objective, whichever metric is shown. One numeric dimension gives a curve with its 90 %
    interval. Bright colours are good values.

    Raises:
        UserError: The metric was not recorded, or a dimension was not searched or is not numeric.
    """
    return plot_sensitivity(sensitivity_info(run, metric, x, y, others))


def sensitivity_data(
    run: Run,
    metric: str | None = None,
    x: str | None = None,
    y: str | None = None,
    others: Others = "averaged",
) -> pd.DataFrame:
    """Return the data of ``sensitivity``, a row per point of its grid.

    Columns: each dimension's path, expected, deviation, doubt (0 is certain, 1 the prior), and
    within_a_point, whether the objective is predicted within a point of its best there.
    """
    info = sensitivity_info(run, metric, x, y, others)
    surface = info.surface
    if surface.problem is not None:
        return pd.DataFrame(columns=["expected", "deviation", "doubt", "within_a_point"])
    axes = {surface.across.path: surface.xs}
    if surface.y is not None:
        xs, ys = np.meshgrid(surface.xs, surface.ys)
        axes = {surface.across.path: xs.ravel(), surface.up.path: ys.ravel()}
    return pd.DataFrame(
        {
            **axes,
            "expected": surface.mean.ravel(),
            "deviation": surface.deviation.ravel(),
            "doubt": surface.doubt.ravel(),
            "within_a_point": False if info.margin is None else (info.margin >= 0).ravel(),
        }
    )


def sensitivity_info(
    run: Run,
    metric_name: str | None = None,
    x: str | None = None,
    y: str | None = None,
    others: Others = "averaged",
) -> SensitivityInfo:
    """Return the data of ``sensitivity`` as plain data."""
    require_epochs(run)
    run = averaged(run)
    surface = fit_surface(run, metric_name, x, y, others)
    best = winner(run)
    name = None if best is None else best["trial"]
    ruling = fit_surface(run, None, x, y, others)
    finished = _finished_cells(ruling)
    if ruling.problem is not None or not finished:
        return SensitivityInfo(surface, None, {}, name)
    peak = max(finished, key=lambda cell: run.objective.sign * ruling.mean[cell])
    margin = _margin(run, ruling, ruling.mean[peak])
    islands, _ = ndimage.label(margin >= 0)
    shown = np.isin(islands, _supported(islands, finished))
    margin = np.where(shown, margin, np.minimum(margin, -np.abs(margin) - _APART))
    island = shown & (islands == islands[peak])
    box = _box(ruling, island) if island.any() else {}
    return SensitivityInfo(surface, margin, box, name)


def _supported(islands: np.ndarray, finished: list[tuple[int, ...]]) -> list[int]:
    """Return the labels of the islands that contain at least two finished trials.

    A single trial may be there by chance, and an island without any is often an overshoot of the
    surrogate beside a cliff. Label 0 is the background.
    """
    trials = Counter(int(islands[cell]) for cell in finished)
    return [island for island, count in trials.items() if island and count >= _FEWEST]


def _finished_cells(surface: Surface) -> list[tuple[int, ...]]:
    """Return the cells of the surface's arrays in which trials finished."""
    finished = surface.observed[surface.observed["status"] == "done"]
    cells = [
        np.abs(axis[:, None] - dimension.to_unit(finished[dimension.path])).argmin(axis=0)
        for axis, dimension in _axes(surface)
    ]
    return list(zip(*(cell.tolist() for cell in cells), strict=True))


def _axes(surface: Surface) -> list[tuple[np.ndarray, Axis]]:
    """Return the positions, in [0, 1], and the dimension of each axis of the surface's arrays."""
    pairs = ((surface.y, surface.ys), (surface.x, surface.xs))
    return [(d.to_unit(values), d) for d, values in pairs if d is not None]


def _margin(run: Run, surface: Surface, best: float) -> np.ndarray:
    lost = tolerance(surface.metric, best)
    loss = run.objective.gain(best, surface.mean)
    return np.minimum(lost - loss, (SURE - surface.doubt) * lost)


def _box(surface: Surface, cells: np.ndarray) -> dict[str, tuple[float, float]]:
    """Return the bounds of some cells along each dimension of the surface."""
    box = {}
    for dimension, positions, others in ((surface.x, surface.xs, 0), (surface.y, surface.ys, 1)):
        if dimension is not None:
            inside = positions[cells if cells.ndim == 1 else cells.any(axis=others)]
            box[dimension.path] = (float(inside.min()), float(inside.max()))
    return box


def plot_sensitivity(info: SensitivityInfo) -> go.Figure:
    """Plot ``sensitivity_info``."""
    if info.surface.x is None:
        return message(info.surface.problem or "")
    return _curve(info) if info.surface.y is None else _contour(info)


# --- two dimensions -------------------------------------------------------------------------------


def _contour(info: SensitivityInfo) -> go.Figure:
    surface = info.surface
    figure = new_figure(height=500, margin={"l": 56, "r": 12, "t": 64, "b": 100})
    if surface.problem is not None:
        say(figure, surface.problem, y=1)
    else:
        figure.add_traces([_filled(surface), _veil(surface)])
        if info.margin is not None:
            figure.add_trace(_outline(surface, info.margin))
    _add_observed(figure, info, surface.up.path)
    plain_axes(figure)
    # Above a heat map, Plotly cuts off marks that reach beyond the axes.
    figure.update_xaxes(**dimension_axis(surface.across, margin=0.02))
    figure.update_yaxes(**dimension_axis(surface.up, margin=0.05))
    figure.update_layout(legend={"y": 0, "yref": "container", "yanchor": "bottom"})
    _say_others(figure, surface)
    return figure


def _say_others(figure: go.Figure, surface: Surface) -> None:
    """Write under the x axis what the surface shows of the settings that are not on its axes."""
    if surface.problem is None and surface.others is not None:
        axis = figure.layout.xaxis.title
        axis.text = f"{axis.text}<br><sup>{others_in_words(surface.others)}</sup>"
        figure.update_layout(margin_b=figure.layout.margin.b + 16)


def colours(surface: Surface) -> dict[str, object]:
    """Return the colour scale and bar of a surface: bright is good for every metric."""
    about = metric(surface.metric)
    low, high = _span(surface)
    scale = "Plasma" if about.is_diagnostic else "Viridis"
    return {
        "zmin": low,
        "zmax": high,
        "colorscale": scale if about.mode == "max" else f"{scale}_r",
        "colorbar": {
            "orientation": "h",
            "y": 1.0,
            "yanchor": "bottom",
            "thickness": 10,
            "len": 1.0,
            "outlinewidth": 0,
            "tick0": 0,
            "dtick": round_step((high - low) / _TICKS),
            "tickformat": PERCENT if about.is_fraction else "",
            "title": {"text": f"Expected {plain(about.title)}", "side": "top"},
        },
    }


def _span(surface: Surface) -> tuple[float, float]:
    """Return the range of the colours, widened if the surface is nearly flat."""
    low, high = float(surface.mean.min()), float(surface.mean.max())
    least = _FLAT if metric(surface.metric).is_fraction else _FLAT * max(abs(low), 1e-6)
    lacking = max(0.0, least - (high - low)) / 2
    return low - lacking, high + lacking


def _filled(surface: Surface) -> go.Contour:
    low, high = _span(surface)
    step = round_step((high - low) / _BANDS)
    value = "%{z:.3g} ± %{customdata:.2g}"
    if metric(surface.metric).is_fraction:
        value = "%{z:.1%} ± %{customdata:.1%}"
    return go.Contour(
        **_grid(surface),
        z=surface.mean.astype("float32"),
        customdata=surface.deviation.astype("float32"),
        contours={"start": step * np.ceil(low / step), "end": high, "size": step},
        line={"width": 0.4, "color": "rgba(255, 255, 255, 0.35)"},
        hovertemplate=f"{plain(surface.across.path)} %{{x:.3g}}<br>"
        f"{plain(surface.up.path)} %{{y:.3g}}<br>expected {value}<extra></extra>",
        **colours(surface),
    )


def _veil(surface: Surface) -> go.Heatmap:
    return go.Heatmap(
        **_grid(surface),
        meta=VEIL,
        z=((surface.doubt - _CLEAR) / (1 - _CLEAR)).clip(0, _VEILED).astype("float32"),
        zmin=0,
        zmax=1,
        zsmooth="best",
        zorder=1,  # by default Plotly draws heatmaps below contours
        colorscale=[[0, "rgba(255, 255, 255, 0)"], [1, "rgba(255, 255, 255, 1)"]],
        showscale=False,
        hoverinfo="skip",
    )


def _outline(surface: Surface, margin: np.ndarray) -> go.Contour:
    return go.Contour(
        **_grid(surface),
        z=margin.astype("float32"),
        contours={"coloring": "none", "start": 0, "end": 0, "size": 1},
        line={"color": INK, "width": 2.6},
        zorder=2,
        showscale=False,
        name="within one point of the best objective",
        showlegend=True,
        hoverinfo="skip",
    )


def _grid(surface: Surface) -> dict[str, np.ndarray]:
    return {"x": surface.xs.astype("float32"), "y": surface.ys.astype("float32")}


# --- one dimension --------------------------------------------------------------------------------


def _curve(info: SensitivityInfo) -> go.Figure:
    surface = info.surface
    figure = new_figure(height=420, margin={"l": 56, "r": 12, "t": 40, "b": 64})
    if surface.problem is not None:
        say(figure, surface.problem, y=1)
        figure.update_layout(legend={"y": 0, "yref": "container", "yanchor": "bottom"})
        figure.update_layout(margin_b=100)
    else:
        _add_band(figure, surface)
        for low, high in info.box.values():
            figure.add_vrect(low, high, fillcolor=GREY, opacity=0.14, line_width=0)
    _add_observed(figure, info, "value")
    plain_axes(figure)
    figure.update_xaxes(**dimension_axis(surface.across))
    figure.update_yaxes(**metric_axis(surface.metric))
    _say_others(figure, surface)
    return figure


def others_in_words(others: Others) -> str:
    """Return what a surface shows of the settings that are not on its axes."""
    if others == "winner":
        return "The other settings are those of the best trial."
    return "The other settings are averaged over the trials."


def _add_band(figure: go.Figure, surface: Surface) -> None:
    low, high = surface.low, surface.high
    figure.add_scatter(
        x=np.concatenate([surface.xs, surface.xs[::-1]]),
        y=np.concatenate([high, low[::-1]]),
        fill="toself",
        fillcolor="rgba(43, 131, 198, 0.18)",
        line={"width": 0},
        mode="lines",
        name="90% interval",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=surface.xs,
        y=surface.mean,
        mode="lines",
        name="expected",
        line={"color": WINNER, "width": 3},
        hovertemplate="%{x:.3g}: expected %{y:.3g}<extra></extra>",
    )


def _add_observed(figure: go.Figure, info: SensitivityInfo, y: str) -> None:
    # Marks are smaller if there are many trials, which would hide the surface.
    shrunk = float(np.clip((150 / max(len(info.surface.observed), 1)) ** 0.5, 0.4, 1.0))
    for mark, rows in observed_groups(info.surface, info.winner):
        legend, symbol, size, fill, rim = MARKS[mark]
        figure.add_scatter(
            # In full precision: Plotly hides points that rounding moves beyond the axis.
            x=rows[info.surface.across.path].to_numpy("float64"),
            y=rows[y].to_numpy("float64"),
            **hover(info.surface, mark, rows),
            mode="markers",
            name=legend,
            zorder=3,
            cliponaxis=False,
            marker={
                "symbol": symbol,
                "size": size if mark == "winner" else size * shrunk,
                "color": fill,
                "line": {"color": rim, "width": 1.2 * shrunk},
            },
        )
