"""Medians and means over seeds, each with its 95 % bootstrap interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_DRAWS = 2000


class Mean(NamedTuple):
    """A mean with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


def quantiles(found: Sequence[float]) -> dict[str, float | None]:
    """Return the median, its 95 % bootstrap interval, and the quartiles; None if infinite."""
    values = np.array(found)
    draws = np.random.default_rng(0).integers(len(values), size=(_DRAWS, len(values)))
    quantile = {"method": "inverted_cdf"}
    medians = np.quantile(values[draws], 0.5, axis=1, **quantile)
    median, low, high = np.quantile(values, [0.5, 0.25, 0.75], **quantile)
    first, last = np.quantile(medians, [0.025, 0.975], **quantile)
    numbers = {"median": median, "from": first, "to": last, "low": low, "high": high}
    return {name: float(v) if math.isfinite(v) else None for name, v in numbers.items()}


def mean_of(groups: Sequence[np.ndarray], less: Sequence[np.ndarray] = ()) -> Mean:
    """Return the mean of the means of ``groups``, minus that of ``less``, with its interval.

    Args:
        groups: one array (n,) for each recording, with a value per seed.
        less: as ``groups``. The seeds of both are drawn independently.
    """
    drawn = _drawn_mean(groups, seed=0)
    mean = np.mean([values.mean() for values in groups])
    if less:
        drawn = drawn - _drawn_mean(less, seed=1)
        mean -= np.mean([values.mean() for values in less])
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Mean(float(mean), float(low), float(high))


def _drawn_mean(groups: Sequence[np.ndarray], *, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    sizes = (len(values) for values in groups)
    draws = (random.integers(size, size=(_DRAWS, size)) for size in sizes)
    means = [values[draw].mean(axis=1) for values, draw in zip(groups, draws, strict=True)]
    return np.mean(means, axis=0)
