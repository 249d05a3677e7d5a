"""Anytime curves: the quality of a search by compute, one line per way of searching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from analysis.figures.style import (
    BASELINE,
    GREY,
    RIGHT,
    WINNER,
    metric_axis,
    new_figure,
    plain_axes,
)
from analysis.formatting import plain
from tune_robust.files import write_aside
from tune_robust.metrics import metric

_COLOURS = (WINNER, BASELINE, RIGHT, "#cc79a7", "#e69f00", "#56b4e9", GREY)
"""The colours of Okabe and Ito, as in ``style``."""

_DASHES = ("solid", "dash", "dot", "dashdot")
"""Dashes tell lines apart once all colours are used."""

Curves = Mapping[str, Sequence[Mapping[str, float]]]


def anytime(curves: Curves, *, objective: str, best: float, unit: str) -> go.Figure:
    """Plot the median and the interquartile range of the best score so far against compute.

    Args:
        curves: By name, rows of ``compute`` (of all trials), ``median``, ``low`` and ``high``.
        objective: The name of the metric.
        best: The best score that can be found, drawn as a line.
        unit: The unit of the compute.
    """
    figure = new_figure(height=480, hovermode="x unified")
    value = ".1%" if metric(objective).is_fraction else ".3g"
    ends = [row["compute"] for rows in curves.values() for row in rows]
    for number, (name, rows) in enumerate(curves.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        dash = _DASHES[number // len(_COLOURS) % len(_DASHES)]
        _add_band(figure, name, rows, colour)
        figure.add_scatter(
            x=[row["compute"] for row in rows],
            y=[row["median"] for row in rows],
            mode="lines",
            name=plain(name),
            legendgroup=name,
            line={"color": colour, "width": 2.6, "dash": dash, "shape": "hv"},
            customdata=[[row["low"], row["high"]] for row in rows],
            hovertemplate=f"%{{y:{value}}} (%{{customdata[0]:{value}}} to "
            f"%{{customdata[1]:{value}}})<extra>{plain(name)}</extra>",
        )
    figure.add_scatter(
        x=[0, max(ends, default=1)],
        y=[best, best],
        mode="lines",
        name="best recorded",
        line={"color": GREY, "width": 1, "dash": "dot"},
        hovertemplate=f"best recorded %{{y:{value}}}<extra></extra>",
    )
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(objective))
    figure.update_xaxes(title_text=f"{unit} of all trials together", rangemode="tozero")
    return figure


def _add_band(figure: go.Figure, name: str, rows: Sequence[Mapping[str, Any]], colour: str) -> None:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    for edge, fill in (("high", None), ("low", "tonexty")):
        figure.add_scatter(
            x=[row["compute"] for row in rows],
            y=[row[edge] for row in rows],
            mode="lines",
            line={"width": 0, "shape": "hv"},
            fill=fill,
            fillcolor=f"rgba({red}, {green}, {blue}, 0.14)",
            legendgroup=name,
            showlegend=False,
            hoverinfo="skip",
        )


def write_anytime(figure: go.Figure, out: Path) -> None:
    """Write the figure as one HTML file that needs no network, aside and then renamed."""
    write_aside(out, figure.to_html(include_plotlyjs=True).encode())
