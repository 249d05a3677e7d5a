"""The pairs of settings to plot as surfaces, and curves over a number per option of a choice."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import combinations
from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.choices import chosen_path
from analysis.figures.style import (
    DASHES,
    PALETTE,
    dimension_axis,
    message,
    metric_axis,
    new_figure,
    plain_axes,
)
from analysis.formatting import number, plain
from analysis.stored.axes import Axis, axes_of
from analysis.stored.replicates import averaged
from analysis.stored.run import Run
from analysis.surrogate.importance import importance_info
from analysis.surrogate.surface import Surface, fit_surface, of_one_kind, surface_of
from tune_robust.errors import UserError, unknown
from tune_robust.metrics import metric

_MOST_PAIRS = 6
_FIRST = "sam.rho"


def important_pairs(run: Run) -> list[tuple[str, str]]:
    """Return up to six pairs of numeric settings to plot, rho's and the most important first.

    Only settings that were varied among the trials of the best trial's kind are used. The first
    pair is the one that ``sensitivity`` shows by default.
    """
    run = averaged(run)
    default = fit_surface(run)
    if default.y is None:
        return []
    trials, kind = of_one_kind(run)
    searched = axes_of(run.space.get("search") or {}, kind)
    numeric = [d.path for d in searched if d.is_numeric and trials[d.path].nunique() > 2]
    order = list(importance_info(run).table["path"])
    numeric.sort(key=lambda path: order.index(path) if path in order else len(order))
    numeric.sort(key=lambda path: path != _FIRST)
    places = sorted(combinations(range(len(numeric)), 2), key=lambda pair: (pair[0] > 0, sum(pair)))
    first = (default.across.path, default.up.path)
    others = [(numeric[i], numeric[j]) for i, j in places if {numeric[i], numeric[j]} != set(first)]
    return [first, *others][:_MOST_PAIRS]


class _ByOptionInfo(NamedTuple):
    """The data of ``by_option``: a curve over one number per option of the choice ``path``."""

    metric: str
    path: str | None
    surfaces: dict[str, Surface]


def by_option(run: Run, path: str | None = None, x: str | None = None) -> go.Figure:
    """Plot the objective over one number, a curve with its 90 % interval per option of a choice.

    ``path``: a searched choice, by default the one with the most options tried other than the
    method, such as rho's schedule. ``x``: a searched number, by default sam.rho. Options with too
    few trials for a curve show their trials alone.

    Raises:
        UserError: ``path`` is not a searched choice, or ``x`` not a searched number.
    """
    return _by_option_plot(_by_option_info(run, path, x))


def by_option_data(run: Run, path: str | None = None, x: str | None = None) -> pd.DataFrame:
    """Return the data of ``by_option``: option, the number's path, expected, deviation."""
    info = _by_option_info(run, path, x)
    parts = [
        pd.DataFrame(
            {"option": option, s.across.path: s.xs, "expected": s.mean, "deviation": s.deviation}
        )
        for option, s in info.surfaces.items()
        if s.problem is None
    ]
    columns = ["option", "expected", "deviation"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


@lru_cache(maxsize=4)
def _by_option_info(run: Run, path: str | None = None, x: str | None = None) -> _ByOptionInfo:
    run = averaged(run)
    choices = [d.path for d in run.dimensions if not d.is_numeric]
    numeric = [d.path for d in run.dimensions if d.is_numeric]
    if path is not None and path not in choices:
        raise UserError(unknown("searched choice", path, choices))
    if x is not None and x not in numeric:
        raise UserError(unknown("numeric searched dimension", x, numeric))
    trials, kind = of_one_kind(run)
    tried = {p: trials[p].dropna().nunique() for p in choices if p != "method"}
    path = path or max(tried, key=lambda choice: tried[choice], default=None)
    x = x or (_FIRST if _FIRST in numeric else next(iter(numeric), None))
    nothing = _ByOptionInfo(run.objective.metric, None, {})
    if path is None or x is None or trials[path].dropna().nunique() < 2:
        return nothing
    options = sorted(trials[path].dropna().unique(), key=str)[: len(PALETTE)]
    name, axes = run.objective.metric, axes_of(run.space["search"], kind)
    across = [axis for axis in axes if axis.path == x]
    surfaces = {
        number(option): surface_of(run, name, trials[trials[path] == option], kind, across)
        for option in options
    }
    return _ByOptionInfo(name, path, surfaces)


def _by_option_plot(info: _ByOptionInfo) -> go.Figure:
    if not info.surfaces:
        return message("No choice was searched beside a number with two options tried.")
    figure = new_figure(height=440, margin={"l": 56, "r": 12, "t": 60, "b": 64})
    value = "%{y:.1%}" if metric(info.metric).is_fraction else "%{y:.3g}"
    for (option, surface), colour, dash in zip(
        info.surfaces.items(), PALETTE, DASHES, strict=False
    ):
        name = plain(option)
        if surface.problem is None:
            _add_curve(figure, surface, name, colour, dash, value)
        figure.add_scatter(
            x=surface.observed[surface.across.path].to_numpy("float32"),
            y=surface.observed["value"].to_numpy("float32"),
            text=[plain(trial) for trial in surface.observed["trial"]],
            mode="markers",
            name=name,
            legendgroup=name,
            showlegend=surface.problem is not None,
            marker={"color": colour, "size": 6, "opacity": _opacity(surface.observed)},
            hovertemplate=f"%{{text}} · {name}<br>{value}<extra></extra>",
        )
    plain_axes(figure)
    figure.update_xaxes(**dimension_axis(_widest(info)))
    figure.update_yaxes(**metric_axis(info.metric))
    return figure


def _opacity(trials: pd.DataFrame) -> np.ndarray:
    """Return the opacity of the dots: those of trials that did not finish are faint."""
    return np.where(trials["status"] == "done", 0.8, 0.25).astype("float32")


def _widest(info: _ByOptionInfo) -> Axis:
    axes = [surface.across for surface in info.surfaces.values()]
    ends = [axis.bounds for axis in axes]
    return replace(axes[0], low=min(low for low, _ in ends), high=max(high for _, high in ends))


def _add_curve(
    figure: go.Figure, surface: Surface, name: str, colour: str, dash: str, value: str
) -> None:
    figure.add_scatter(
        x=[*surface.xs, *surface.xs[::-1]],
        y=[*surface.high, *surface.low[::-1]],
        fill="toself",
        fillcolor=colour,
        opacity=0.12,
        mode="none",
        legendgroup=name,
        showlegend=False,
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=surface.xs,
        y=surface.mean,
        mode="lines",
        name=name,
        legendgroup=name,
        line={"color": colour, "width": 2.6, "dash": dash},
        hovertemplate=f"{name}<br>%{{x:.3g}}: expected {value}<extra></extra>",
    )


def option_path(run: Run) -> str | None:
    """Return the choice that ``by_option`` shows by default; None if there is nothing to show."""
    return _by_option_info(run, None, None).path if chosen_path(run) is not None else None
