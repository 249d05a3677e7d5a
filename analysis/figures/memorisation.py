"""Memorisation: the fractions of correct and of wrong labels that a trial has learned."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from analysis.figures.style import (
    PERCENT,
    RIGHT,
    WRONG,
    epoch_axis,
    message,
    new_figure,
    plain_axes,
)
from analysis.formatting import plain
from analysis.stored.ranking import baseline, winner
from analysis.stored.replicates import mean_epochs
from analysis.stored.run import Run, require_epochs

_FITS = {
    "clean_fit": ("correct labels", RIGHT, "solid"),
    "noisy_fit": ("wrong labels", WRONG, "dash"),
}


class Fit(NamedTuple):
    """One trial on its training set, by epoch: the fractions of labels that the model predicts."""

    role: str
    trial: str
    epochs: np.ndarray
    clean_fit: np.ndarray
    noisy_fit: np.ndarray
    seeds: int = 1


class _MemorisationInfo(NamedTuple):
    fits: list[Fit]


def memorisation(run: Run) -> go.Figure:
    """Plot the correct and wrong training labels learned, for the winner and the baseline.

    For settings repeated with several seeds, the means are drawn.

    Learning a wrong label is memorising it: the line of wrong labels should stay low.
    """
    return _memorisation_plot(_memorisation_info(run))


def memorisation_data(run: Run) -> pd.DataFrame:
    """Return the data of ``memorisation``: role, trial, epoch, clean_fit, noisy_fit."""
    parts = [
        pd.DataFrame(
            {
                "role": fit.role,
                "trial": fit.trial,
                "epoch": fit.epochs,
                "clean_fit": fit.clean_fit,
                "noisy_fit": fit.noisy_fit,
            }
        )
        for fit in _memorisation_info(run).fits
    ]
    columns = ["role", "trial", "epoch", *_FITS]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def _memorisation_info(run: Run) -> _MemorisationInfo:
    require_epochs(run)
    best, reference = winner(run), baseline(run)
    shown: dict[str, pd.Series] = {}
    if best is not None:
        shown["winner"] = best
    if reference is not None and (best is None or reference["trial"] != best["trial"]):
        shown["baseline"] = reference
    if not set(_FITS) <= set(run.epochs):
        return _MemorisationInfo([])
    fits = []
    for role, row in shown.items():
        epochs = mean_epochs(run, row["trial"]).dropna(subset=["noisy_fit"])
        if len(epochs):
            epoch, clean, wrong = (epochs[name].to_numpy() for name in ("epoch", *_FITS))
            fits.append(Fit(role, row["trial"], epoch, clean, wrong, int(row.get("seeds", 1))))
    return _MemorisationInfo(fits)


def _memorisation_plot(info: _MemorisationInfo) -> go.Figure:
    if not info.fits:
        return message("No trial with a score has wrong labels to memorise.")
    figure = make_subplots(
        rows=1,
        cols=len(info.fits),
        shared_yaxes=True,
        horizontal_spacing=0.1,
        subplot_titles=[f"<b>{fit.role}</b> {_named(fit)}" for fit in info.fits],
        figure=new_figure(height=360, margin_t=64),
    )
    for column, fit in enumerate(info.fits, 1):
        for name, (label, colour, dash) in _FITS.items():
            _draw(figure, fit.epochs, getattr(fit, name), label, colour, dash, column)
    plain_axes(figure)
    last = max(float(fit.epochs[-1]) for fit in info.fits)
    figure.update_xaxes(nticks=5, **epoch_axis(last))
    figure.update_yaxes(tickformat=PERCENT, range=[-0.02, 1.13], dtick=0.25)
    figure.update_yaxes(title_text="learned by the model", col=1)
    figure.update_layout(legend_y=1.12)
    return figure


def _named(fit: Fit) -> str:
    return plain(fit.trial) if fit.seeds == 1 else f"(mean of {fit.seeds} seeds)"


def _draw(
    figure: go.Figure,
    epochs: np.ndarray,
    values: np.ndarray,
    label: str,
    colour: str,
    dash: str,
    column: int,
) -> None:
    figure.add_scatter(
        x=epochs,
        y=values.astype("float32"),
        mode="lines",
        name=label,
        legendgroup=label,
        showlegend=column == 1,
        line={"color": colour, "width": 2.8, "dash": dash},
        hovertemplate=f"{label} %{{y:.1%}}<br>epoch %{{x}}<extra></extra>",
        row=1,
        col=column,
    )
    figure.add_annotation(
        text=f"<b>{values[-1]:.0%}</b>",
        x=epochs[-1],
        y=values[-1],
        xanchor="right",
        yanchor="top" if dash == "dash" and values[-1] > 0.5 else "bottom",
        showarrow=False,
        font={"color": colour, "size": 14},
        row=1,
        col=column,
    )
