"""Figures of the dynamics of methods during training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from analysis.figures.leaders import is_grid, leaders
from analysis.figures.panels import Panel, metric_panel, panels_data, panels_plot, trial_panel
from analysis.stored.ranking import ranking
from analysis.stored.run import Run


class _Dynamic(NamedTuple):
    title: str
    metrics: Mapping[str, str]
    guide: str


DYNAMICS = {
    "groups": _Dynamic(
        "Fractions of the gradient's components",
        {
            "group_a": "group A",
            "group_b": "group B",
            "group_c": "group C",
        },
        "The groups compare SAM's gradient with SGD's, component by component: in A it is larger, "
        "in B smaller, which SANER reduces further, in C of the opposite sign. 30 to 40% in B is "
        "usual.",
    ),
    "noise-ratios": _Dynamic(
        "p_r of SANER's groups",
        {"p_r_a": "group A", "p_r_b": "group B", "p_r_c": "group C"},
        "p_r is the effect of a group's part of the step on fitting wrong labels, over that on "
        "fitting correct ones. Where group B is above 1, weakening it slows the fitting of wrong "
        "labels more.",
    ),
    "alignment": _Dynamic(
        "Agreement of clean and noisy gradients",
        {"gradient_sign_agreement": "equal signs", "gradient_cosine": "cosine"},
        "The gradients of correctly and of wrongly labelled images are compared: the fraction of "
        "components of equal sign, and the cosine of the angle between them. Near 0.5 and 0, what "
        "is learned from the wrong labels has nothing in common with the rule.",
    ),
    "law-weights": _Dynamic(
        "Mean weight of a sample in the loss",
        {"law_weight_clean": "correct labels", "law_weight_noisy": "wrong labels"},
        "LAW is effective if the line of the wrong labels, their mean weight, is the lower one.",
    ),
    "sals-epsilon": _Dynamic(
        "Label smoothing",
        {"sals_epsilon": "SALS's epsilon"},
        "SALS smooths labels strongly where the loss is sharp: the line should fall as training "
        "reaches flat regions.",
    ),
    "sals-sharpness": _Dynamic(
        "Sharpness measured by SALS",
        {"sals_sharpness": "mean of the epoch's steps", "sals_mean_sharpness": "running mean"},
        "SALS smooths labels more where the sharpness is above its running mean.",
    ),
}


def groups(run: Run) -> go.Figure:
    """Plot the fractions of SANER's gradient groups over the epochs.

    They are those of the best trial that recorded them, or of each cell of a grid.
    """
    return _plot(run, "groups")


def groups_data(run: Run) -> pd.DataFrame:
    """Return the data of ``groups``: a row per point."""
    return panels_data(dynamic_panels(run, "groups"))


def noise_ratios(run: Run) -> go.Figure:
    """Plot ``p_r`` of SANER's gradient groups over the epochs, for the best trial with it."""
    return _plot(run, "noise-ratios")


def noise_ratios_data(run: Run) -> pd.DataFrame:
    """Return the data of ``noise_ratios``: a row per point."""
    return panels_data(dynamic_panels(run, "noise-ratios"))


def alignment(run: Run) -> go.Figure:
    """Plot how well the gradients of correctly and wrongly labelled images agree."""
    return _plot(run, "alignment")


def alignment_data(run: Run) -> pd.DataFrame:
    """Return the data of ``alignment``: a row per point."""
    return panels_data(dynamic_panels(run, "alignment"))


def law_weights(run: Run) -> go.Figure:
    """Plot LAW's mean weight of correctly and of wrongly labelled samples over the epochs.

    They are those of the best trial that recorded them, or of each cell of a grid.
    """
    return _plot(run, "law-weights")


def law_weights_data(run: Run) -> pd.DataFrame:
    """Return the data of ``law_weights``: a row per point."""
    return panels_data(dynamic_panels(run, "law-weights"))


def sals_epsilon(run: Run) -> go.Figure:
    """Plot SALS's label smoothing over the epochs, for the best trial that used it."""
    return _plot(run, "sals-epsilon")


def sals_epsilon_data(run: Run) -> pd.DataFrame:
    """Return the data of ``sals_epsilon``: a row per point."""
    return panels_data(dynamic_panels(run, "sals-epsilon"))


def sals_sharpness(run: Run) -> go.Figure:
    """Plot the sharpness that SALS measures and its running mean, for the best trial using it."""
    return _plot(run, "sals-sharpness")


def sals_sharpness_data(run: Run) -> pd.DataFrame:
    """Return the data of ``sals_sharpness``: a row per point."""
    return panels_data(dynamic_panels(run, "sals-sharpness"))


def calibration(run: Run) -> go.Figure:
    """Plot the expected calibration error on the test set, for the best trial of each method."""
    return panels_plot(calibration_panels(run), "No trial recorded its calibration error.")


def calibration_data(run: Run) -> pd.DataFrame:
    """Return the data of ``calibration``: a row per point."""
    return panels_data(calibration_panels(run))


def calibration_panels(run: Run) -> list[Panel]:
    """Return one panel, or none if no calibration error was recorded."""
    panel = metric_panel(run, "test_ece", leaders(run))
    return [panel] if panel else []


def dynamic_panels(run: Run, name: str) -> list[Panel]:
    """Return the panels of one of ``DYNAMICS``: of the best trial, or of each cell of a grid."""
    title, metrics, _ = DYNAMICS[name]
    recorded = [column for column in metrics if column in run.epochs]
    if not recorded:
        return []
    known = set(run.epochs.dropna(subset=recorded, how="all")["trial"])
    shown = {n: trial for n, trial in leaders(run).items() if trial in known and is_grid(run)}
    if not shown:
        ranked = ranking(run).table["trial"]
        shown = {trial: trial for trial in ranked[ranked.isin(known)].head(1)}
    panels = (trial_panel(run, f"{title}, {n}", trial, metrics) for n, trial in shown.items())
    return [panel for panel in panels if panel is not None]


def _plot(run: Run, name: str) -> go.Figure:
    return panels_plot(dynamic_panels(run, name), "No trial with a score recorded this.")
