"""A network's loss, accuracy and calibration on a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.data import UNKNOWN

BINS = 15

Reliability = list[list[float]]
"""For each confidence bin: the fraction of the samples, their mean confidence, their accuracy."""


class Evaluation(NamedTuple):
    """Mean cross-entropy, accuracy against the given and the true labels, calibration against the
    true: ``reliability`` has the confidence bins that ECE sums up, none where it is not finite.
    ``probabilities`` float32 (N, K) are those predicted for each image, in order.
    """

    loss: float
    accuracy: float
    accuracy_true: float
    ece: float
    reliability: Reliability
    probabilities: Tensor


Batches = Iterable[tuple[Tensor, Tensor]]
"""Of inputs (B, C, H, W) and labels (B,)."""

Forward = Callable[[Tensor], Tensor]
"""Inputs (B, C, H, W) -> logits (B, K)."""


def evaluate(
    model: nn.Module, batches: Batches, true_labels: Tensor, forward: Forward
) -> Evaluation:
    """Run ``model`` over ``batches`` (inputs, labels), in order, without gradients.

    Args:
        model: put into evaluation mode here, and back.
        batches: yields (inputs, labels); together as many as ``true_labels`` (N,).
        true_labels: int64 (N,), in the batches' order; figures against them leave out those that
            are UNKNOWN, and are NaN where all are.
        forward: inputs -> logits (B, K), under the run's precision.
    """
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        outputs = [(forward(inputs).float(), labels) for inputs, labels in batches]
        logits = torch.cat([o for o, _ in outputs])
        labels = torch.cat([y for _, y in outputs])
        predicted = logits.argmax(1)
        known = true_labels != UNKNOWN
        probabilities = logits.softmax(1)
        bins = reliability(probabilities[known], true_labels[known])
        figures = torch.stack(
            [
                F.cross_entropy(logits, labels),
                (predicted == labels).float().mean(),
                (predicted == true_labels)[known].float().mean(),
                expected_calibration_error(bins),
            ]
        )
    model.train(was_training)
    known_bins = bins.tolist() if bins.isfinite().all() else []
    loss, accuracy, accuracy_true, ece = figures.tolist()
    return Evaluation(loss, accuracy, accuracy_true, ece, known_bins, probabilities)


def predictions(model: nn.Module, batches: Batches, forward: Forward) -> Tensor:
    """The most probable class of each input of ``batches`` (inputs, labels), int64 (N,), in order.

    ``model`` and ``forward`` as in ``evaluate``. Not under inference mode: the predictions may
    become labels, which autograd keeps.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        predicted = torch.cat([forward(inputs).argmax(1) for inputs, _ in batches])
    model.train(was_training)
    return predicted


def reliability(probabilities: Tensor, labels: Tensor) -> Tensor:
    """What a reliability diagram shows (Guo et al. 2017, arXiv 1706.04599, section 2).

    Args:
        probabilities: (N, K), rows sum to 1.
        labels: int64 (N,).

    Returns:
        (15, 3): for each equal-width bin of confidence, the fraction of the samples, their mean
        confidence and their accuracy, both 0 in an empty bin.
    """
    confidence, predicted = probabilities.max(1)
    correct = (predicted == labels).to(confidence.dtype)
    bins = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
    sums = torch.zeros(BINS, 3, dtype=confidence.dtype, device=confidence.device)
    each = torch.stack([torch.ones_like(confidence), confidence, correct], 1)
    sums.index_add_(0, bins, each)
    means = sums[:, 1:] / sums[:, :1].clamp(min=1)
    return torch.cat([sums[:, :1] / len(labels), means], 1)


def expected_calibration_error(bins: Tensor) -> Tensor:
    """ECE of the bins of ``reliability``: a 0-dim tensor in [0, 1].

    The mean over samples of |accuracy - confidence| of their bin.
    """
    fraction, confidence, accuracy = bins.unbind(1)
    return (fraction * (accuracy - confidence).abs()).sum()
