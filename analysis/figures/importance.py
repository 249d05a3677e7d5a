"""Importance: the searched settings that the score depends on, overall and among the best."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from analysis.figures.style import BASELINE, GREY, PERCENT, WINNER, message, new_figure, plain_axes
from analysis.formatting import plain
from analysis.stored.run import Run
from analysis.surrogate.importance import ImportanceInfo, importance_info
from tune_robust.formatting import count

_MEASURES = {
    # column: legend, colour
    "overall": ("fraction of the variance", WINNER),
    "to_the_top": ("to be among the best", BASELINE),
    "at_the_top": ("to be so within the better half", GREY),
}


def importance(run: Run) -> go.Figure:
    """Plot how much of the objective each searched dimension explains.

    Overall: the fraction of the objective's variance that a dimension accounts for by itself
    (fANOVA, Hutter et al. 2014), among the trials it applies to. To the top: its influence on
    whether a trial is among the best tenth (at least five trials), out of all trials and out of the
    better half (PED-ANOVA, Watanabe et al. 2023); each of these two adds up to 1 over the
    dimensions. A trial that was stopped early is credited with the mean gain of the finished
    trials.
    """
    return _importance_plot(importance_info(run))


def importance_data(run: Run) -> pd.DataFrame:
    """Return the data of ``importance``: path, trials, overall, to_the_top, at_the_top."""
    return importance_info(run).table


def _importance_plot(info: ImportanceInfo) -> go.Figure:
    if info.problem:
        return message(info.problem)
    told = info.table[list(_MEASURES)].notna().any(axis=1)
    table = info.table[told].iloc[::-1]
    rows = np.arange(len(table))
    figure = new_figure(height=110 + 74 * len(table), margin={"l": 16, "r": 24, "t": 60, "b": 52})
    for place, (name, (legend, colour)) in enumerate(_MEASURES.items()):
        if table[name].isna().all():
            continue
        figure.add_bar(
            y=rows - 0.2 * place + 0.12,
            x=table[name],
            width=0.17,
            orientation="h",
            name=legend,
            marker={"color": colour},
            text=[plain(path) for path in table["path"]],
            textposition="none",
            hovertemplate=f"%{{text}}<br>%{{x:.0%}} {legend}<extra></extra>",
        )
    for row, (_, entry) in zip(rows, table.iterrows(), strict=True):
        few = int(table["trials"].max())
        note = f" in {count(entry['trials'], 'trial')}" if entry["trials"] < few else ""
        figure.add_annotation(
            text=f"<b>{plain(entry['path'])}</b>{note}",
            x=0,
            y=row + 0.36,
            xanchor="left",
            showarrow=False,
            font_size=13,
        )
    plain_axes(figure)
    figure.update_yaxes(visible=False, range=[-0.5, len(table) - 0.4])
    figure.update_xaxes(tickformat=PERCENT, rangemode="tozero", title_text="importance")
    return figure
