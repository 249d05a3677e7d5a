"""Reliability: is a model that is 80 % confident right 80 % of the time?"""

from __future__ import annotations

import json

import pandas as pd
import plotly.graph_objects as go

from analysis.figures.leaders import leaders
from analysis.figures.style import GREY, PERCENT, line_style, message, new_figure, plain_axes
from analysis.formatting import plain
from analysis.stored.replicates import averaged
from analysis.stored.run import Run

_COLUMNS = ("fraction", "confidence", "accuracy")
_LARGEST = 26  # diameter in pixels of a bin that has all images


def reliability(run: Run) -> go.Figure:
    """Plot test accuracy against confidence, for the best trial of each method or grid cell.

    Guo et al. 2017 (arXiv 1706.04599): 15 bins of confidence. A dot's area is the fraction of the
    images in its bin, pooled over the seeds of a setting.
    """
    rows = reliability_data(run)
    if rows.empty:
        return message("No finished trial recorded its calibration.")
    figure = new_figure(height=380)
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfectly calibrated",
        line={"color": GREY, "width": 1, "dash": "dot"},
        hoverinfo="skip",
    )
    for place, (name, bins) in enumerate(rows.groupby("name", sort=False)):
        figure.add_scatter(
            x=bins["confidence"].to_numpy("float32"),
            y=bins["accuracy"].to_numpy("float32"),
            customdata=bins["fraction"],
            mode="lines+markers",
            name=plain(name),
            line={"width": 1.6, **line_style(place)},
            marker={"size": 5 + _LARGEST * bins["fraction"] ** 0.5},
            hovertemplate=f"{plain(name)}<br>confidence %{{x:.0%}}, accuracy %{{y:.0%}}"
            "<br>%{customdata:.0%} of the images<extra></extra>",
        )
    plain_axes(figure)
    figure.update_xaxes(title_text="Confidence", tickformat=PERCENT, range=[0, 1.03])
    figure.update_yaxes(title_text="Accuracy on the test set", tickformat=PERCENT, range=[0, 1.05])
    return figure


def reliability_data(run: Run) -> pd.DataFrame:
    """Return the data of ``reliability``: a row per bin that is not empty."""
    trials = averaged(run).trials.set_index("trial")
    recorded = trials.get("reliability", pd.Series(dtype=object)).dropna()
    parts = [
        pd.DataFrame(json.loads(recorded[trial]), columns=_COLUMNS).assign(name=name, trial=trial)
        for name, trial in leaders(run).items()
        if trial in recorded
    ]
    if not parts:
        return pd.DataFrame(columns=["name", "trial", *_COLUMNS])
    rows = pd.concat(parts, ignore_index=True)
    return rows.loc[rows["fraction"] > 0, ["name", "trial", *_COLUMNS]].reset_index(drop=True)
