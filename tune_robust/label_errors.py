"""Which labels are wrong: the posterior of the true labels, by predictions and given labels.

The given label of an image is drawn by its true label alone, from a row of a transition matrix
(class-conditional noise). The networks' predictions for images that they were not trained on are
the prior of the true label. The matrix and the posterior are found by expectation maximisation, as
Dawid and Skene (1979) do with annotators.

A network trained on wrong labels reserves probability for them, so that its predictions explain the
noise a second time. They are therefore sharpened: raised to a power, and normalised again.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

_POWER = 5.0
"""Chosen on the populations marked ``develop`` (benchmarks/audit.py)."""
_LEAST = 0.005
"""The smallest prior probability of a class, before it is normalised."""
_ROUNDS = 100
_UNCHANGED = 1e-6
_Z = 1.959964  # of a 95 % interval


class LabelErrors(NamedTuple):
    """What predictions say about N given labels of K classes.

    ``wrong`` (N,): the probability that the given label is wrong, in [0, 1]. ``likely`` int (N,):
    the most probable class. ``transition`` (K, K): the probability of each given label (columns) by
    true class (rows). ``rate``: the estimated fraction of wrong labels, and its 95 % interval
    ``low`` to ``high`` (Wilson's), which covers the number of images but not a wrong model.
    """

    wrong: np.ndarray
    likely: np.ndarray
    transition: np.ndarray
    rate: float
    low: float
    high: float


def label_errors(probabilities: np.ndarray, given: np.ndarray) -> LabelErrors:
    """Estimate which of the ``given`` labels are wrong.

    Args:
        probabilities: (T, N, K), predictions of one or more networks for N images that none of them
            was trained on; rows sum to 1. Their geometric mean is used.
        given: int (N,), the given labels.

    Raises:
        ValueError: there are no images.
    """
    if not len(given):
        raise ValueError("there are no images")
    prior = _prior(probabilities)
    posterior = prior
    transition = _transition(posterior, given)
    for _ in range(_ROUNDS):
        posterior = _normalised(prior * transition[:, given].T)
        before, transition = transition, _transition(posterior, given)
        if np.abs(transition - before).max() < _UNCHANGED:
            break
    wrong = 1 - posterior[np.arange(len(given)), given]
    rate = float(wrong.mean())
    low, high = _interval(rate, len(given))
    return LabelErrors(wrong, posterior.argmax(axis=1), transition, rate, low, high)


def average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    """Return the mean precision over the positives, found in the order of their scores.

    Args:
        scores: (N,), the highest first; equal scores count as found together.
        positive: bool (N,).

    Returns:
        A number in [0, 1]; NaN without positives.
    """
    if not positive.any():
        return math.nan
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    found = np.cumsum(positive[order])[ends]
    precision = found / (ends + 1)
    return float((precision * np.diff(found, prepend=0)).sum() / found[-1])


def _prior(probabilities: np.ndarray) -> np.ndarray:
    """(N, K): the sharpened geometric mean."""
    logs = np.log(np.clip(np.asarray(probabilities, dtype=np.float64), 1e-6, None)).mean(axis=0)
    logs = _POWER * (logs - logs.max(axis=1, keepdims=True))
    return _normalised(_normalised(np.exp(logs)) + _LEAST)


def _transition(posterior: np.ndarray, given: np.ndarray) -> np.ndarray:
    """(K, K): the frequencies of the given labels by true class, smoothed by one image a class."""
    classes = posterior.shape[1]
    counts = np.stack([posterior[given == label].sum(axis=0) for label in range(classes)], axis=1)
    return _normalised(counts + 1 / classes)


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(axis=1, keepdims=True)


def _interval(rate: float, images: int) -> tuple[float, float]:
    scale = 1 + _Z**2 / images
    middle = (rate + _Z**2 / (2 * images)) / scale
    half = _Z * math.sqrt(rate * (1 - rate) / images + _Z**2 / (4 * images**2)) / scale
    return max(0.0, middle - half), min(1.0, middle + half)
