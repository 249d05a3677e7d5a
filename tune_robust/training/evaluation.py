"""The loss, accuracy and calibration of a network on a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tune_robust.data import UNKNOWN
from tune_robust.information import information_error, label_information

BINS = 15

Reliability = list[list[float]]
"""The fraction of samples, the mean confidence and the accuracy of each confidence bin."""


class Evaluation(NamedTuple):
    """The mean cross-entropy, and the accuracy and calibration of a network.

    The accuracy is measured against the given and against the true labels, and the calibration
    against the true ones. ``reliability`` has the confidence bins of which ECE is the sum; it is
    empty if it is not finite. ``probabilities`` float32 (N, K) are the predictions for the images,
    in order.
    """

    loss: float
    accuracy: float
    accuracy_true: float
    ece: float
    reliability: Reliability
    probabilities: Tensor


Batches = Iterable[tuple[Tensor, Tensor]]
"""Yields inputs (B, C, H, W) and labels (B,)."""

Forward = Callable[[Tensor], Tensor]
"""Maps inputs (B, C, H, W) to logits (B, K)."""


def evaluate(
    model: nn.Module, batches: Batches, true_labels: Tensor, forward: Forward
) -> Evaluation:
    """Run ``model`` over ``batches`` (inputs, labels), in order, without gradients.

    Args:
        model: the network; it is in evaluation mode during the call.
        batches: yields (inputs, labels), in total as many as ``true_labels`` (N,).
        true_labels: int64 (N,), in the order of the batches. Samples with the label UNKNOWN are
            left out of the figures against true labels, which are NaN if all are UNKNOWN.
        forward: maps inputs to logits (B, K) in the precision of the run.
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
    """Return the most probable class of each input of ``batches`` (inputs, labels), int64 (N,).

    ``model`` and ``forward`` are as in ``evaluate``. Inference mode is not used, since the
    predictions may become labels, which autograd stores.
    """
    was_training = model.training
    model.eval()
    with torch.no_grad():
        predicted = torch.cat([forward(inputs).argmax(1) for inputs, _ in batches])
    model.train(was_training)
    return predicted


def information(probabilities: Tensor, labels: Tensor) -> tuple[float, float]:
    """Return the label information of predictions in nats, and its standard error.

    See ``tune_robust.information``.

    Args:
        probabilities: (N, K), of which the most probable class of each row counts.
        labels: int64 (N,), the given labels.
    """
    classes = probabilities.shape[1]
    pairs = probabilities.argmax(1).cpu() * classes + labels.cpu()
    counts = torch.bincount(pairs, minlength=classes**2)
    table = counts.reshape(classes, classes).numpy()
    return float(label_information(table)), float(information_error(table))


def reliability(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Compute the bins of a reliability diagram (Guo et al. 2017, arXiv 1706.04599, section 2).

    Args:
        probabilities: (N, K), rows sum to 1.
        labels: int64 (N,).

    Returns:
        (15, 3): for each bin of confidence, all of the same width, the fraction of samples, their
        mean confidence and their accuracy; the latter two are 0 in an empty bin.
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
    """Return the ECE of the bins of ``reliability``: a 0-dim tensor in [0, 1].

    This is the mean over the samples of |accuracy - confidence| of their bin.
    """
    fraction, confidence, accuracy = bins.unbind(1)
    return (fraction * (accuracy - confidence).abs()).sum()
