"""Label information: what predictions say about the given labels, a score that survives wrong ones.

Accuracy on wrong labels rewards a network that has learned which wrong label a class is usually
given. The mutual information of predicted classes and given labels does not: if the given label
depends on the image only through its true label, no prediction has more information about the given
label than the true label itself (the data processing inequality), however the classes are confused
(Kong and Schoenebeck 2019; Xu et al. 2019, L_DMI). Its plug-in estimate, however, counts as
information what is chance, about ``(K - 1) ** 2 / (2 N)`` nats for K classes and N images, and that
exceeds the information of heavily corrupted labels.

The estimate here is the evidence of a Bayesian model, which has to pay for each confusion that it
claims. The given labels of the images of one predicted class follow a categorical distribution of
their own. Its prior is a Dirichlet distribution around the symmetric noise of the network's
accuracy, and the prior's strength is averaged out. Where the confusions do not depend on the class,
the score orders networks as accuracy does; where they evidently do, as mutual information does.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, logsumexp

_STRENGTHS = np.array([1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0])
"""Of the prior, in images of a predicted class; equally probable."""


def label_information(counts: np.ndarray) -> np.ndarray:
    """Return by how much predictions explain the given labels better than the labels' frequencies.

    It is near 0 for a constant prediction, at most ``log(K)``, and may be a little below 0.

    Args:
        counts: (..., K, K), the number of images by predicted class (rows) and given label.

    Returns:
        (...): nats per image; NaN where there are no images.
    """
    counts = np.asarray(counts, dtype=np.float64)
    images = counts.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        frequencies = counts.sum(axis=-2) / images[..., None]
        logs = np.log(frequencies, where=frequencies > 0, out=np.zeros_like(frequencies))
        return _log_evidence(counts) / images - (frequencies * logs).sum(axis=-1)


def information_error(counts: np.ndarray) -> np.ndarray:
    """Return the standard error of the information, due to the number of images.

    It is that of the mean over images of ``log p(label | prediction) / p(label)``, with the
    frequencies as probabilities.

    Args:
        counts: (..., K, K), as in ``label_information``.

    Returns:
        (...): nats per image; NaN where there are no images.
    """
    counts = np.asarray(counts, dtype=np.float64)
    images = counts.sum(axis=(-2, -1))
    by_chance = counts.sum(axis=-1, keepdims=True) * counts.sum(axis=-2, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        joint = counts / images[..., None, None]
        ratio = counts * images[..., None, None] / by_chance
        logs = np.log(ratio, where=counts > 0, out=np.zeros_like(counts))
        mean = (joint * logs).sum(axis=(-2, -1))
        spread = (joint * (logs - mean[..., None, None]) ** 2).sum(axis=(-2, -1))
        return np.sqrt(spread / images)


def _log_evidence(counts: np.ndarray) -> np.ndarray:
    """(...): the log-probability of the given labels given the predictions, in nats."""
    strengths = _STRENGTHS.reshape(-1, *(1 for _ in counts.shape))
    prior = strengths * _symmetric(counts)
    terms, seen = np.zeros_like(prior), counts > 0  # of many classes, most pairs are never seen
    terms[:, seen] = gammaln(prior[:, seen] + counts[seen]) - gammaln(prior[:, seen])
    rows = terms.sum(axis=-1)
    totals = gammaln(strengths[..., 0] + counts.sum(axis=-1)) - gammaln(strengths[..., 0])
    return logsumexp((rows - totals).sum(axis=-1), axis=0) - np.log(len(_STRENGTHS))


def _symmetric(counts: np.ndarray) -> np.ndarray:
    """(..., K, K): the symmetric noise with the accuracy of ``counts``, smoothed by K images."""
    classes = counts.shape[-1]
    hits = np.trace(counts, axis1=-2, axis2=-1)
    accuracy = (hits + 1) / (counts.sum(axis=(-2, -1)) + classes)
    wrong = (1 - accuracy) / (classes - 1)
    same = np.eye(classes)
    return accuracy[..., None, None] * same + wrong[..., None, None] * (1 - same)
