"""The limits of a score: wrong labels bound it from above, and few images make it imprecise."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from analysis.stored.run import Run
from tune_robust.metrics import metric

_CLEARLY = 2  # standard errors


class Limits(NamedTuple):
    """The possible range of a metric, and its resolution on the images.

    ``low`` and ``high``: the possible values. ``images``: the number of images that a fraction is a
    mean over; None if the metric is not such a fraction or the number is unknown. ``typical``: the
    standard error of any other metric, if its trials recorded one, and otherwise 0.
    """

    low: float
    high: float
    images: int | None
    typical: float = 0.0

    def clip(self, values: ArrayLike) -> np.ndarray:
        """Clip values to the possible range."""
        return np.clip(values, self.low, self.high)

    def error(self, values: ArrayLike) -> np.ndarray:
        """Return the standard error of values due to the number of images; 0 if it is unknown.

        That of fractions is sqrt(p (1 - p) / images).
        """
        if not self.images:
            return np.full_like(np.asarray(values, dtype=float), self.typical)
        fractions = np.clip(values, 0, 1)
        return np.sqrt(fractions * (1 - fractions) / self.images)


def noise_rate(run: Run) -> float | None:
    """Return the measured fraction of wrong training labels; None if it is unknown."""
    return _wrong_labels(run, "train")


def is_truth_known(run: Run) -> bool:
    """Return whether wrong labels were counted; True if labels differ between trials."""
    known = run.meta.get("wrong_labels")
    return not known or known.get("validation") is not None


def ceiling(run: Run) -> float | None:
    """Return roughly a perfect model's score on the objective; None if noise does not lower it."""
    return _ceiling(run, run.objective.metric)


def limits(run: Run, name: str) -> Limits:
    """Return the possible range of the metric ``name`` in this run.

    A fraction lies in [0, 1]. Accuracy on noisy validation labels is bounded by the score of a
    perfect model (``ceiling``), unless the best trial exceeds it by two standard errors: then the
    wrong labels themselves are predictable.
    """
    about = metric(name)
    if not about.is_fraction:
        return Limits(-math.inf, math.inf, None, _typical_error(run, name))
    images = (run.meta.get("images") or {}).get(about.images)
    highest = _ceiling(run, name)
    whole = Limits(*about.bounds, images)
    if highest is None:
        return whole
    best = run.epochs[name].max() if name in run.epochs else math.nan
    exceeded = best > highest + _CLEARLY * whole.error(highest)
    return whole if exceeded else whole._replace(high=highest)


def _typical_error(run: Run, name: str) -> float:
    """Return the median of the trials' standard errors of the metric; 0 without any."""
    stored = f"{name}_error"
    error = run.epochs[stored].median() if stored in run.epochs else math.nan
    return 0.0 if math.isnan(error) else float(error)


def _ceiling(run: Run, name: str) -> float | None:
    wrong = _wrong_labels(run, "validation")
    return 1 - wrong if wrong and name == "val_accuracy" else None


def _wrong_labels(run: Run, part: str) -> float | None:
    return (run.meta.get("wrong_labels") or {}).get(part)
