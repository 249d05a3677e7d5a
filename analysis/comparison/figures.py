"""The figures of a comparison: best so far, scores at equal compute, and best settings by noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from analysis.comparison.scenes import Comparison, Entry, Place, Scene, noise_axis
from analysis.figures.style import (
    BASELINE,
    DASHES,
    GREY,
    RIGHT,
    WINNER,
    dimension_axis,
    lines_of,
    metric_axis,
    new_figure,
    plain_axes,
)
from analysis.formatting import plain
from tune_robust.metrics import metric
from tune_robust.statistics import Estimate

COLOURS = (WINNER, BASELINE, RIGHT, "#cc79a7", "#e69f00", GREY)
_FAINT = 0.18


def colours(comparison: Comparison) -> dict[str, str]:
    """Return a colour for each entry's label, which is the same in all figures."""
    labels = dict.fromkeys(e.label for scene in comparison.scenes for e in scene.entries)
    return {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}


def bands(scene: Scene, colour: dict[str, str]) -> go.Figure:
    """Plot the best score so far against compute: the mean over the repeats, and their range."""
    figure = new_figure(height=400)
    value = _format(scene)
    for entry in scene.ranked:
        spent, low, mean, high = band(entry)
        dash = DASHES[list(colour).index(entry.label) % len(DASHES)]  # lines may overlap
        if len(entry.repeats) > 1:
            figure.add_scatter(
                x=np.concatenate([_steps(spent), _steps(spent)[::-1]]),
                y=np.concatenate([_held(high), _held(low)[::-1]]),
                fill="toself",
                fillcolor=colour[entry.label],
                opacity=_FAINT,
                mode="none",
                hoverinfo="skip",
                showlegend=False,
            )
        figure.add_scatter(
            x=spent,
            y=mean,
            mode="lines",
            name=plain(entry.label),
            line={"color": colour[entry.label], "width": 3, "shape": "hv", "dash": dash},
            hovertemplate=f"{plain(entry.label)} {value}<br>after %{{x:.0f}}<extra></extra>",
        )
    figure.add_vline(x=scene.compute, line={"color": GREY, "width": 1, "dash": "dot"})
    if scene.reach is not None:
        figure.add_hline(y=scene.reach, line={"color": GREY, "width": 1, "dash": "dot"})
    plain_axes(figure)
    figure.update_yaxes(**metric_axis(scene.objective.metric))
    figure.update_xaxes(title_text="gradient evaluations of the search", rangemode="tozero")
    return figure


def band(entry: Entry) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return compute and the lowest, mean and highest best score so far of the repeats.

    Each array has shape (n,). They begin where every repeat has a score, and end where the first
    repeat ends.
    """
    first = max(repeat.curve.spent[0] for repeat in entry.repeats)
    corners = np.unique(
        np.concatenate([[first, entry.end], *(r.curve.spent for r in entry.repeats)])
    )
    spent = corners[(corners >= first) & (corners <= max(first, entry.end))]
    table = np.array([[repeat.curve.at(x) for x in spent] for repeat in entry.repeats])
    return spent, table.min(axis=0), table.mean(axis=0), table.max(axis=0)


def _steps(spent: np.ndarray) -> np.ndarray:
    """Repeat each corner but the first, so that straight pieces form a step line."""
    return np.repeat(spent, 2)[1:]


def _held(values: np.ndarray) -> np.ndarray:
    """Repeat each value but the last, so that it holds until the next corner."""
    return np.repeat(values, 2)[:-1]


def finals(scene: Scene, colour: dict[str, str]) -> go.Figure:
    """Plot each repeat's best score at equal compute, their mean, and the confirmed scores."""
    figure = new_figure(height=150 + 46 * len(scene.entries), margin={"l": 12, "b": 60})
    value = _format(scene).replace("y", "x")
    roles: set[str] = set()
    for row, entry in enumerate(reversed(scene.ranked)):
        scores = entry.scores(scene.compute)
        shown = [
            ("a run", scores, "circle-open", 9, None),
            ("mean", None, "line-ns-open", 22, entry.mean_score(scene.compute)),
            ("confirmed", None, "diamond", 11, entry.confirmed),
        ]
        for role, points, symbol, size, about in shown:
            xs = [about.mean] if about else points
            if not xs or (role == "mean" and len(scores) < 2):
                continue
            figure.add_scatter(
                x=xs,
                y=[row - 0.18 if role == "confirmed" else row] * len(xs),
                mode="markers",
                name=role,
                legendgroup=role,
                showlegend=role not in roles,
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": colour[entry.label],
                    "line": {"width": 2},
                },
                error_x=_error(about, colour[entry.label]),
                hovertemplate=f"{plain(entry.label)} · {role}<br>{value}<extra></extra>",
            )
            roles.add(role)
    plain_axes(figure)
    figure.update_yaxes(
        tickvals=list(range(len(scene.entries))),
        ticktext=["<br>".join(lines_of(entry.label, 20)) for entry in reversed(scene.ranked)],
        range=[-0.6, len(scene.entries) - 0.4],
        showgrid=False,
    )
    figure.update_xaxes(**metric_axis(scene.objective.metric))
    return figure


def _error(about: Estimate | None, colour: str) -> dict[str, Any] | None:
    if about is None or about.low is None or about.high is None:
        return None
    ends = {"array": [about.high - about.mean], "arrayminus": [about.mean - about.low]}
    return {"type": "data", **ends, "color": colour, "thickness": 1.6, "width": 5}


def noise_map(comparison: Comparison, path: str, colour: dict[str, str]) -> go.Figure:
    """Plot the best value of ``path`` in each run against the noise, and the range as good."""
    places = comparison.places[path]
    rates = noise_axis(comparison.scenes)
    scenes = list(comparison.scenes)
    at = {s: (rates[i] if rates else i) for i, s in enumerate(scenes)}
    step = (max(at.values()) - min(at.values())) / max(1, len(scenes) - 1)
    figure = new_figure(height=360)
    for label in dict.fromkeys(place.entry.label for place in places):
        own = [place for place in places if place.entry.label == label]
        _bests(figure, own, _beside(own, places, at, step), colour[label])
        _course(figure, own, at, colour[label])
    plain_axes(figure)
    dimension = next(
        d for s in scenes for e in s.entries for d in e.repeats[0].run.dimensions if d.path == path
    )
    figure.update_yaxes(**dimension_axis(dimension, hint=False) | {"showgrid": True})
    if rates:
        figure.update_xaxes(title_text="fraction of wrong labels", tickformat="~%", tickvals=rates)
    else:
        figure.update_xaxes(tickvals=list(at.values()), ticktext=[plain(s.label) for s in scenes])
    margin = 0.35 * step
    figure.update_xaxes(range=[min(at.values()) - margin, max(at.values()) + margin])
    return figure


def _beside(
    own: list[Place], places: list[Place], at: dict[Scene, float], step: float
) -> list[float]:
    """Return the x positions of places: those of one scene side by side around the scene's own."""
    xs = []
    for place in own:
        here = [other for other in places if other.scene is place.scene]
        offset = here.index(place) - (len(here) - 1) / 2
        xs.append(at[place.scene] + 0.04 * step * offset)
    return xs


def _bests(figure: go.Figure, places: list[Place], xs: list[float], colour: str) -> None:
    """Add a diamond for each best setting, on a bar for the range that is nearly as good."""
    for x, place in zip(xs, places, strict=True):
        if place.low is not None:
            figure.add_scatter(
                x=[x, x],
                y=[place.low, place.high],
                mode="lines",
                line={"color": colour, "width": 6},
                opacity=0.3,
                showlegend=False,
                hovertemplate=f"{plain(place.run)}: as good from {place.low:.3g} to "
                f"{place.high:.3g}<extra></extra>",
            )
    figure.add_scatter(
        x=xs,
        y=[place.best for place in places],
        text=[plain(f"{place.run}: {place.scene.label}") for place in places],
        mode="markers",
        name=plain(places[0].entry.label),
        marker={"symbol": "diamond", "size": 9, "color": colour},
        hovertemplate="%{text}<br>%{y:.3g}<extra></extra>",
    )


def _course(figure: go.Figure, places: list[Place], at: dict[Scene, float], colour: str) -> None:
    """Add a line through the medians of the scenes."""
    medians = {
        at[scene]: float(np.median([place.best for place in places if place.scene is scene]))
        for scene in at
        if any(place.scene is scene for place in places)
    }
    figure.add_scatter(
        x=list(medians),
        y=list(medians.values()),
        mode="lines",
        line={"color": colour, "width": 1.5, "dash": "dot"},
        hoverinfo="skip",
        showlegend=False,
    )


def _format(scene: Scene) -> str:
    return "%{y:.1%}" if metric(scene.objective.metric).is_fraction else "%{y:.3g}"
