"""The common style of the figures: legible on white and on black, and to colour-blind readers.

The colours are those of Okabe and Ito (2008), with a lighter blue that is visible on black too.
"""

from __future__ import annotations

import math
import textwrap
from typing import Any

import plotly.graph_objects as go

from analysis.formatting import dimension_hint, plain, sentence_case
from analysis.stored.axes import Axis
from tune_robust.metrics import metric

WINNER = "#2b83c6"
BASELINE = "#d55e00"
GREY = "#868c94"
WRONG = "#d55e00"
RIGHT = "#009e73"
INK = "#16191d"
PALETTE = (WINNER, BASELINE, RIGHT, "#cc79a7", "#b58900", GREY)
DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
GRID = "rgba(134, 140, 148, 0.22)"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

PERCENT = "~%"
"""Ticks in percent with as many digits as distinguish them: 44%, 44.5%, 45%."""

_FEW_EPOCHS = 5
_LINE = 20  # pixels
_SLACK = 1e-9  # of an axis, so that rounding moves no mark at its end beyond it

VEIL = "veil"
"""The ``meta`` of a trace that fades uncertain parts: a dark page changes its colour to grey."""


def new_figure(height: int = 420, **layout: Any) -> go.Figure:
    """Return an empty figure in the common style, with a transparent background."""
    figure = go.Figure()
    figure.update_layout(
        template="none",
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13, "color": "#5b6168"},
        margin={"l": 56, "r": 16, "t": 16, "b": 52},
        hoverlabel={"font": {"family": FONT, "size": 13}, "align": "left"},
        legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "title": None},
    )
    figure.update_layout(**layout)
    return figure


def line_style(place: int) -> dict[str, str]:
    """Return colour and dash of the line number ``place``; the first 36 all differ."""
    turn, colour = divmod(place, len(PALETTE))
    return {"color": PALETTE[colour], "dash": DASHES[(colour + turn) % len(DASHES)]}


def plain_axes(figure: go.Figure) -> go.Figure:
    """Set light grid lines without a frame; call it when all panels exist."""
    quiet = {"gridcolor": GRID, "zeroline": False, "showline": False, "automargin": True}
    figure.update_xaxes(**quiet, title_standoff=10)
    figure.update_yaxes(**quiet, title_standoff=8)
    return figure


def message(text: str, height: int = 160) -> go.Figure:
    """Return a figure that only explains why there is nothing to draw."""
    figure = new_figure(height)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False)
    return say(figure, text)


def say(figure: go.Figure, text: str, y: float = 0.5) -> go.Figure:
    """Write ``text`` across a figure at the height ``y``, in lines short enough for a phone.

    Above the axes (y = 1) the margin grows until it holds all of them.
    """
    lines = lines_of(text)
    if y >= 1:
        needed = _LINE * len(lines) + 8
        figure.update_layout(margin_t=max(figure.layout.margin.t or 0, needed))
    return figure.add_annotation(
        text="<br>".join(lines),
        xref="paper",
        yref="paper",
        x=0.5,
        y=y,
        yanchor="bottom" if y >= 1 else "middle",
        showarrow=False,
        font_size=14,
    )


def metric_axis(name: str) -> dict[str, Any]:
    """Return the title and the tick format of an axis that shows a metric."""
    about = metric(name)
    return {
        "title_text": sentence_case(plain(about.title)),
        "tickformat": PERCENT if about.is_fraction else "",
    }


def epoch_axis(last: float) -> dict[str, Any]:
    """Return title, range and ticks of an axis of epochs, with integer ticks only."""
    return {
        "title_text": "epoch",
        "rangemode": "tozero",
        "dtick": 1 if last <= _FEW_EPOCHS else None,
    }


def dimension_axis(dimension: Axis, hint: bool = True, margin: float = _SLACK) -> dict[str, Any]:
    """Return type, range, ticks and title of an axis that shows a searched dimension.

    ``margin``: the fraction of the range that is added at either end.
    """
    words = dimension_hint(dimension.path) if hint else ""
    title = f"<b>{plain(dimension.path)}</b>" + (f"<br><sup>{plain(words)}</sup>" if words else "")
    axis = {"title_text": title, "showgrid": False, "ticks": "outside", "tickcolor": GRID}
    low, high = dimension.bounds
    if not dimension.log:
        slack = margin * (high - low)
        return {**axis, "range": [low - slack, high + slack]}
    ticks = log_ticks(low, high)
    slack = margin * math.log10(high / low)
    return {
        **axis,
        "type": "log",
        "range": [math.log10(low) - slack, math.log10(high) + slack],
        "tickvals": ticks,
        "ticktext": [f"{tick:g}" for tick in ticks],
    }


def log_ticks(low: float, high: float) -> list[float]:
    """Return round ticks for a log axis: 1, 2, 5 for up to three decades, else powers of ten."""
    decades = math.log10(high / low)
    steps = (1, 2, 5) if decades <= 3 else (1,)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    slack = 1 + 1e-9
    return [tick for tick in ticks if low / slack <= tick <= high * slack]


def round_step(rough: float) -> float:
    """Return the smallest of 1, 2, 5 times a power of ten that is not smaller than ``rough``."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))


def lines_of(text: str, width: int = 44) -> list[str]:
    """Return the text in lines of at most ``width`` letters, escaped for Plotly."""
    return [plain(line) for line in textwrap.wrap(text, width)]
