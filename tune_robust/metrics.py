"""The metrics that a training run reports for each epoch, and the columns of the tables.

Diagnostic metrics need the true labels or the test set. They must not be used for selection, by
objectives, schedulers, samplers or the choice of the best checkpoint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Mode = Literal["max", "min"]
"""Whether larger (``max``) or smaller (``min``) values of a metric are better."""

Bounds = tuple[float, float]
"""The smallest and the largest possible value; infinite where there is none."""
UNBOUNDED: Bounds = (-math.inf, math.inf)


def sign_of(mode: Mode) -> int:
    """Return the factor by which larger values become better: 1 or -1."""
    return 1 if mode == "max" else -1


@dataclass(frozen=True)
class Metric:
    """A metric's name in the tables, its name in text, and what may be done with it.

    Attributes:
        name: the column of the tables.
        title: the name in figures and text, lower case.
        mode: whether larger or smaller values are better.
        unit: the unit of the values; empty if there is none.
        is_fraction: whether the values are fractions, or differences of two, shown in percent.
        bounds: the smallest and the largest possible value, to which intervals are clipped.
        images: the part of the data (``validation``, ``test``) over whose images it is the mean of
            a value per image; empty if it is not such a mean.
        is_diagnostic: whether it needs the true labels or the test set and must not be used for
            selection.
        is_objective: whether a search may optimise it.
        is_traded: whether it can be a further objective in ``objective.against``.
    """

    name: str
    title: str
    mode: Mode = "max"
    unit: str = ""
    is_fraction: bool = False
    bounds: Bounds = UNBOUNDED
    images: Literal["validation", "test", ""] = ""
    is_diagnostic: bool = False
    is_objective: bool = False
    is_traded: bool = False


_FRACTION: Bounds = (0.0, 1.0)
_GAP: Bounds = (-1.0, 1.0)
_LOSS: Bounds = (0.0, math.inf)


def _diagnostic(
    name: str,
    title: str,
    mode: Mode = "max",
    *,
    bounds: Bounds = _FRACTION,
    images: Literal["validation", "test", ""] = "",
) -> Metric:
    is_fraction = bounds in (_FRACTION, _GAP)
    return Metric(name, title, mode, "", is_fraction, bounds, images, is_diagnostic=True)


def _group(name: str, title: str) -> Metric:
    return Metric(name, title, is_fraction=True, bounds=_FRACTION)


def _loss(name: str, title: str) -> Metric:
    return Metric(name, title, "min", bounds=_LOSS, is_objective=True, is_traded=True)


def _cost(name: str, title: str, mode: Mode = "min", unit: str = "") -> Metric:
    return Metric(name, title, mode, unit, is_traded=True)


_TABLE = (
    _loss("train_loss", "training loss"),
    Metric(
        "val_accuracy",
        "validation accuracy",
        is_fraction=True,
        bounds=_FRACTION,
        images="validation",
        is_objective=True,
        is_traded=True,
    ),
    _loss("val_loss", "validation loss"),
    Metric(
        "val_information",
        "information about the validation labels",
        unit="nats",
        is_objective=True,
        is_traded=True,
    ),
    Metric("val_information_error", "standard error of that information", "min", unit="nats"),
    _diagnostic("val_accuracy_clean", "validation accuracy on true labels", images="validation"),
    _diagnostic("test_accuracy", "test accuracy", images="test"),
    _diagnostic("test_loss", "test loss", "min", bounds=_LOSS, images="test"),
    _diagnostic("test_ece", "test calibration error", "min"),
    _diagnostic("clean_fit", "correct labels learned"),
    _diagnostic("noisy_fit", "wrong labels memorised", "min"),
    _diagnostic("fit_gap", "correct minus wrong labels learned", bounds=_GAP),
    _diagnostic("generalization_gap", "training minus test accuracy", "min", bounds=_GAP),
    _group("group_a", "gradient components in group A"),
    _group("group_b", "gradient components in group B"),
    _group("group_c", "gradient components in group C"),
    _diagnostic("p_r_a", "p_r of group A", bounds=UNBOUNDED),
    _diagnostic("p_r_b", "p_r of group B", bounds=UNBOUNDED),
    _diagnostic("p_r_c", "p_r of group C", bounds=UNBOUNDED),
    _diagnostic("gradient_cosine", "cosine of clean and noisy gradients", bounds=UNBOUNDED),
    _diagnostic("gradient_sign_agreement", "sign agreement of clean and noisy gradients"),
    _cost("grad_norm", "gradient norm"),
    _cost("sharpness", "sharpness"),
    Metric("sals_epsilon", "label smoothing by SALS", is_fraction=True, bounds=_FRACTION),
    Metric("sals_sharpness", "sharpness measured by SALS"),
    Metric("sals_mean_sharpness", "running mean of SALS's sharpness"),
    _diagnostic("law_weight_clean", "LAW's weight of correct labels", bounds=UNBOUNDED),
    _diagnostic("law_weight_noisy", "LAW's weight of wrong labels", "min", bounds=UNBOUNDED),
    Metric("rho", "perturbation radius rho"),
    Metric("alpha", "weight alpha of group B"),
    Metric("lr", "learning rate"),
    Metric("skipped_steps", "skipped steps", "min"),
    _cost("gradient_evaluations", "gradient evaluations", unit="passes over the training set"),
    _cost("seconds", "training time", unit="s"),
    _cost("images_per_second", "training speed", "max", "images/s"),
    _cost("peak_memory_mb", "peak memory", unit="MB"),
)

METRICS: dict[str, Metric] = {metric.name: metric for metric in _TABLE}
"""All the metrics by name, in the order of the tables' columns."""

TIMINGS = ("seconds", "images_per_second", "peak_memory_mb")
"""The metrics that depend on the machine and differ when a run is repeated."""

EPOCH_LINE = ("train_loss", "val_accuracy", "test_accuracy", "clean_fit", "noisy_fit", "seconds")
"""The metrics on the line that ``train`` prints for each epoch."""

GAUGES = ("val_accuracy", "train_loss", "noisy_fit", "rho", "alpha", "gradient_evaluations")
"""The metrics of each trial that Prometheus collects, as ``ray_tune_robust_<name>``."""

HPARAMS = ("val_accuracy", "val_loss", "gradient_evaluations")
"""The metrics by which TensorBoard's HPARAMS tab compares trials."""

DIAGNOSTIC = frozenset(metric.name for metric in _TABLE if metric.is_diagnostic)

OBJECTIVES: dict[str, Mode] = {m.name: m.mode for m in _TABLE if m.is_objective}
"""The metrics that a search can optimise, with their direction."""

AGAINST: dict[str, Mode] = {m.name: m.mode for m in _TABLE if m.is_traded}
"""The metrics that can be further objectives, with their direction."""


def metric(name: str) -> Metric:
    """Return the metric ``name``; an unknown metric gets its own name as title."""
    return METRICS.get(name, Metric(name, name.replace("_", " ")))


def finite_or_none(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """Return metrics for JSON, with None for NaN and infinity."""
    return {k: v if v is None or math.isfinite(v) else None for k, v in metrics.items()}
