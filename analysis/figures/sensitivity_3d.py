"""Sensitivity in three dimensions: the same surface as a landscape that can be turned."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from analysis.figures.sensitivity import (
    SensitivityInfo,
    colours,
    plot_sensitivity,
    sensitivity_info,
)
from analysis.figures.style import BASELINE, GREY, GRID, PERCENT, dimension_axis, new_figure
from analysis.figures.trial_marks import MARKS, hover, observed_groups
from analysis.formatting import plain
from analysis.stored.run import Run
from analysis.surrogate.surface import Others
from tune_robust.metrics import metric

_MARKS = {
    # status: colour, symbol, size
    "winner": (BASELINE, "diamond", 8),
    "done": (GREY, "circle", 4),
    "stopped": (GREY, "circle-open", 4),
    "unfinished": (GREY, "diamond-open", 4),
    "failed": (GREY, "x", 3),
}


def sensitivity_3d(
    run: Run,
    metric: str | None = None,
    x: str | None = None,
    y: str | None = None,
    others: Others = "averaged",
) -> go.Figure:
    """Plot the surface of ``sensitivity`` as a landscape: height and colour are the metric.

    Two pale surfaces are the ends of the 90 % interval; they are far apart where it is uncertain.
    Without a surface over two dimensions, the figure is that of ``sensitivity``.
    """
    return plot_sensitivity_3d(sensitivity_info(run, metric, x, y, others))


def plot_sensitivity_3d(info: SensitivityInfo) -> go.Figure:
    """Plot ``sensitivity_info`` in three dimensions."""
    surface = info.surface
    if surface.problem is not None or surface.y is None:
        return plot_sensitivity(info)
    about = metric(surface.metric)
    figure = new_figure(height=520, margin={"l": 0, "r": 0, "t": 36, "b": 36})
    heading = {"text": f"Expected {plain(about.title)}", "font": {"size": 14}}
    figure.update_layout(title={**heading, "x": 0.5, "y": 0.98})
    figure.update_layout(legend={"y": 0, "yref": "container", "yanchor": "bottom"})
    value = "%{z:.1%}" if about.is_fraction else "%{z:.3g}"
    scale = {k: v for k, v in colours(surface).items() if k != "colorbar"}
    scale = {"cmin": scale.pop("zmin"), "cmax": scale.pop("zmax"), "showscale": False, **scale}
    coarse = slice(None, None, 2)
    grid = {"x": surface.xs[coarse].astype("float32"), "y": surface.ys[coarse].astype("float32")}
    mean = surface.mean[coarse, coarse]
    figure.add_surface(
        **grid,
        z=mean.astype("float32"),
        **scale,
        hovertemplate=f"{plain(surface.across.path)} %{{x:.3g}}<br>"
        f"{plain(surface.up.path)} %{{y:.3g}}<br>expected {value}<extra></extra>",
        lighting={"ambient": 0.85, "diffuse": 0.3, "specular": 0.05},
    )
    for sheet in (surface.low, surface.high):
        sheet = sheet[coarse, coarse].astype("float32")
        figure.add_surface(
            **grid,
            z=sheet,
            surfacecolor=np.zeros_like(sheet),
            colorscale=[[0, GREY], [1, GREY]],
            opacity=0.18,
            showscale=False,
            hoverinfo="skip",
        )
    for mark, rows in observed_groups(surface, info.winner):
        colour, symbol, size = _MARKS[mark]
        figure.add_scatter3d(
            x=rows[surface.across.path].to_numpy("float32"),
            y=rows[surface.up.path].to_numpy("float32"),
            z=rows["value"].to_numpy("float32"),
            **hover(surface, mark, rows),
            mode="markers",
            name=MARKS[mark][0],
            marker={"symbol": symbol, "size": size, "color": colour},
        )
    walls = {"backgroundcolor": "rgba(0,0,0,0)", "gridcolor": GRID, "showbackground": False}
    along_x = {**dimension_axis(surface.across, hint=False), **walls, "showgrid": True}
    along_y = {**dimension_axis(surface.up, hint=False), **walls, "showgrid": True}
    height = {**walls, "title_text": "", "tickformat": PERCENT if about.is_fraction else ""}
    figure.update_layout(
        scene={
            "xaxis": along_x,
            "yaxis": along_y,
            "zaxis": height,
            "camera": {"eye": {"x": -1.4, "y": -1.4, "z": 0.8}, "center": {"z": -0.25}},
            "aspectratio": {"x": 1, "y": 1, "z": 0.75},
            "dragmode": "turntable",
        }
    )
    return figure
