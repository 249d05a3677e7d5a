"""Cost: the compute of the trials, and the compute saved by early stopping."""

from __future__ import annotations

import math

import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import BASELINE, GREY, RIGHT, WINNER, message, new_figure, plain_axes
from analysis.formatting import number
from analysis.stored.lineage import own
from analysis.stored.run import Run
from analysis.stored.trial import configuration

_PARTS = {
    # part: legend, colour
    "done": ("finished trials", WINNER),
    "baseline": ("baselines", BASELINE),
    "stopped": ("stopped early, until then", "#9ccbea"),
    "other": ("failed or not finished", GREY),
    "saved": ("saved by stopping", RIGHT),
}


def cost(run: Run) -> go.Figure:
    """Plot the gradient evaluations by how the trials ended, and those saved by early stopping."""
    return _cost_plot(cost_data(run))


def cost_data(run: Run) -> pd.DataFrame:
    """Return the data of ``cost``: part, trials, gradient_evaluations."""
    parts = run.trials["status"].where(run.trials["status"].isin(["done", "stopped"]), "other")
    parts = parts.where(run.trials["origin"] != "baseline", "baseline")
    stopped = run.trials["status"] == "stopped"
    spent = own(run, "gradient_evaluations")
    rows = [
        (name, int((parts == name).sum()), spent[parts == name].sum())
        for name in _PARTS
        if name != "saved"
    ]
    rows.append(("saved", int(stopped.sum()), saved(run)))
    return pd.DataFrame(rows, columns=["part", "trials", "gradient_evaluations"])


def saved(run: Run) -> float:
    """Return the gradient evaluations that early stopping has saved, each trial at its own cost.

    Nothing in a population (pb2), whose trials train on in the place of those that end.
    """
    if run.space["budget"].get("scheduler") == "pb2":
        return 0.0
    total = 0.0
    stopped = run.trials[run.trials["status"] == "stopped"]
    for row in stopped.filter(["config", "epoch", "gradient_evaluations"]).to_dict("records"):
        config = configuration(row)
        planned = config.get("epochs", 0) * config.get("bootstrap_rounds", 1)
        ran = row.get("epoch")
        if planned and ran and not math.isnan(row["gradient_evaluations"]):
            total += row["gradient_evaluations"] * (planned / ran - 1)
    return total


def _cost_plot(table: pd.DataFrame) -> go.Figure:
    table = table[table["gradient_evaluations"] > 0]
    if table.empty:
        return message("No trial has used any compute yet.")
    figure = new_figure(height=190, margin={"l": 16, "r": 16, "t": 70, "b": 52})
    for row in table.itertuples():
        legend, colour = _PARTS[row.part]
        figure.add_bar(
            y=[0],
            x=[row.gradient_evaluations],
            orientation="h",
            name=f"{legend}: {number(row.gradient_evaluations)}",
            marker={"color": colour, "pattern": {"shape": "/" if row.part == "saved" else ""}},
            hovertemplate=f"{legend}: {row.trials} trials<br>%{{x:,.0f}} gradient evaluations"
            "<extra></extra>",
        )
    plain_axes(figure)
    figure.update_layout(barmode="stack", legend_traceorder="normal", showlegend=True)
    figure.update_yaxes(visible=False)
    figure.update_xaxes(title_text="gradient evaluations")
    return figure
