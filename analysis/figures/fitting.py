"""Fitting: how the methods learn correct labels, wrong labels, and the test images."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from analysis.figures.leaders import leaders
from analysis.figures.panels import Panel, metric_panel, panels_data, panels_plot
from analysis.stored.run import Run

_METRICS = ("noisy_fit", "fit_gap", "test_accuracy")


def fitting(run: Run) -> go.Figure:
    """Plot wrong labels learned, the gap to correct ones, and test accuracy over the epochs.

    There is a line per method, for its best trial by the objective, or per cell of a grid (see
    ``leaders``), in the three panels of SANER's figure 1 (Luong et al., arXiv 2411.17132).
    """
    return panels_plot(fitting_panels(run), "No trial recorded what it memorised.")


def fitting_data(run: Run) -> pd.DataFrame:
    """Return the data of ``fitting``: a row per point."""
    return panels_data(fitting_panels(run))


def fitting_panels(run: Run) -> list[Panel]:
    """Return a panel per metric that was recorded."""
    trials = leaders(run)
    panels = (metric_panel(run, name, trials) for name in _METRICS)
    return [panel for panel in panels if panel is not None]
