"""Judges: scores of trials from their predictions on validation images with wrong labels.

A judge is a function of ``probabilities`` (T, N, K), what T trials predict for N images of K
classes, and the ``given`` labels (N,). It returns scores (T,), higher is better. None of them sees
true labels or test images.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np

from tune_robust.information import label_information as information_of

Judge = Callable[[np.ndarray, np.ndarray], np.ndarray]

LEAST_PROBABILITY = 1e-3
"""The least probability in a geometric mean, so that a single trial cannot exclude a class."""
ROUNDS = 10
"""Iterations of expectation maximisation."""


def noisy_accuracy(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the accuracy on the given labels."""
    return (probabilities.argmax(2) == given).mean(1)


def noisy_loss(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return minus the cross-entropy with the given labels."""
    of_given = probabilities[:, np.arange(len(given)), given]
    return np.log(np.clip(of_given, 1e-6, None)).mean(1)


def peer_accuracy(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the accuracy above that on shuffled labels (peer loss; Liu and Guo 2020)."""
    classes = probabilities.shape[2]
    predicted = _votes(probabilities).mean(1)
    by_chance = predicted @ (np.bincount(given, minlength=classes) / len(given))
    return noisy_accuracy(probabilities, given) - by_chance


def mutual_information(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the plug-in mutual information of predicted classes and given labels in nats."""
    return _plug_in(_confusion(probabilities, given))


def label_information(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the package's estimate of that information, which accounts for chance."""
    return information_of(_confusion(probabilities, given))


def determinant(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the determinant-based mutual information (Xu et al. 2019), on a logarithmic scale."""
    counts = _confusion(probabilities, given) + 0.5
    return np.linalg.slogdet(counts / counts.sum(axis=(1, 2), keepdims=True))[1]


def pooled_channel(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the mean log-likelihood of the given labels under one confusion matrix for all trials.

    It is that of the predictions of the third of the other trials with most mutual information.
    """
    counts = _confusion(probabilities, given) + 0.5
    pooled = np.tensordot(_others(_plug_in(counts)), counts, 1)
    channel = np.log(pooled / pooled.sum(2, keepdims=True))
    predicted = probabilities.argmax(2)
    return channel[np.arange(len(predicted))[:, None], predicted, given].mean(1)


def consensus(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the agreement with the posterior of the geometric mean of the better third by loss."""
    weights = _others(noisy_loss(probabilities, given))
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, None))
    prior = _normalised(np.exp(np.tensordot(weights, logs, 1)))
    return _agreement(probabilities, _posterior(prior, given))


def informed_votes(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the agreement with the posterior of the votes of the third with most information."""
    weights = _others(mutual_information(probabilities, given))
    prior = _normalised(np.tensordot(weights, _votes(probabilities), 1) + 0.01)
    return _agreement(probabilities, _posterior(prior, given, pseudocounts=10.0))


def agreement_of_halves(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the agreement with the mean of random halves of the trials without the judged one."""
    del given
    generator = np.random.default_rng(0)
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, None))
    predicted, scores = probabilities.argmax(2), np.zeros(len(probabilities))
    for _ in range(20):
        first, second = np.array_split(generator.permutation(len(logs)), 2)
        for judges, judged in ((first, second), (second, first)):
            scores[judged] += (predicted[judged] == logs[judges].mean(0).argmax(1)).mean(1)
    return scores / 20


def dawid_skene(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the agreement with Dawid and Skene's (1979) posterior, a confusion matrix per trial.

    The trials and the given labels are the annotators.
    """
    votes = np.concatenate([_votes(probabilities), _one_hot(given, probabilities.shape[2])[None]])
    classes, posterior = votes.shape[2], votes.mean(0)
    for _ in range(2 * ROUNDS):
        confusion = _normalised(np.matmul(posterior.T, votes) + 1 / classes)
        logs = np.einsum("anj,akj->nk", votes, np.log(confusion), optimize=True)
        logs += np.log(posterior.mean(0) + 1e-9)
        posterior = _normalised(np.exp(logs - logs.max(1, keepdims=True)))
    return _agreement(probabilities, posterior)


def one_coin(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the agreement with the posterior of annotators who have only an accuracy each."""
    votes = np.concatenate([_votes(probabilities), _one_hot(given, probabilities.shape[2])[None]])
    _, images, classes = votes.shape
    posterior = votes.mean(0)
    for _ in range(2 * ROUNDS):
        accuracy = ((votes * posterior).sum((1, 2)) + 1) / (images + 2)
        weights = np.log(accuracy * (classes - 1) / (1 - accuracy))
        logs = np.tensordot(weights, votes, 1)
        posterior = _normalised(np.exp(logs - logs.max(1, keepdims=True)))
    return _agreement(probabilities, posterior)


def confirmed_labels(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the accuracy on the images whose given label the consensus predicts too.

    The simplest form of confident learning (Northcutt et al. 2021).
    """
    weights = _others(noisy_loss(probabilities, given))
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, None))
    kept = np.tensordot(weights, logs, 1).argmax(2) == given
    hits = (probabilities.argmax(2) == given) & kept
    return hits.sum(1) / np.maximum(kept.sum(1), 1)


def confident_learning(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the accuracy on the images in which cleanlab finds no label issue.

    It gets the geometric mean of the better third of the other trials by loss (confident learning;
    Northcutt et al. 2021).
    """
    from cleanlab.filter import find_label_issues

    weights = _others(noisy_loss(probabilities, given))
    logs = np.log(np.clip(probabilities, LEAST_PROBABILITY, None))
    scores = np.zeros(len(probabilities))
    crowds, which = np.unique(weights > 0, axis=0, return_inverse=True)
    for place, crowd in enumerate(crowds):  # most trials are judged by the same others
        kept = ~find_label_issues(given, _normalised(np.exp(logs[crowd].mean(0))), n_jobs=1)
        for trial in np.flatnonzero(which.ravel() == place):
            hits = (probabilities[trial].argmax(1) == given) & kept
            scores[trial] = hits.sum() / max(kept.sum(), 1)
    return scores


JUDGES: dict[str, Judge] = {
    "noisy accuracy": noisy_accuracy,
    "noisy loss": noisy_loss,
    "peer accuracy": peer_accuracy,
    "label information": label_information,
    "mutual information": mutual_information,
    "determinant of the confusion": determinant,
    "pooled confusion": pooled_channel,
    "consensus": consensus,
    "votes of the most informative": informed_votes,
    "Dawid-Skene": dawid_skene,
    "Dawid-Skene, one coin": one_coin,
    "agreement between halves": agreement_of_halves,
    "labels confirmed by the consensus": confirmed_labels,
}
if find_spec("cleanlab") is not None:
    JUDGES["confident learning (cleanlab)"] = confident_learning
"""The judges, by their names in the tables; the last one only where cleanlab is installed."""


def _one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.eye(classes)[labels]


def _votes(probabilities: np.ndarray) -> np.ndarray:
    """Return votes (T, N, K): 1 for the predicted class."""
    return _one_hot(probabilities.argmax(2), probabilities.shape[2])


def _confusion(probabilities: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Return the number of images by predicted class and given label, (T, K, K)."""
    labels = _one_hot(given, probabilities.shape[2])
    return np.matmul(_votes(probabilities).transpose(0, 2, 1), labels)


def _plug_in(counts: np.ndarray) -> np.ndarray:
    """Return the mutual information in nats of counts (T, K, K), shape (T,)."""
    joint = counts / counts.sum(axis=(1, 2), keepdims=True)
    independent = joint.sum(axis=2, keepdims=True) * joint.sum(axis=1, keepdims=True)
    ratio = np.divide(joint, independent, where=joint > 0, out=np.ones_like(joint))
    return (joint * np.log(ratio)).sum(axis=(1, 2))


def _normalised(values: np.ndarray) -> np.ndarray:
    return values / values.sum(-1, keepdims=True)


def _others(quality: np.ndarray) -> np.ndarray:
    """Return weights (T, T): for each trial, equal ones on the best third of the other trials.

    The best third has at least two trials.
    """
    trials = len(quality)
    count = min(trials - 1, max(2, round((trials - 1) / 3)))
    order = np.argsort(-quality, kind="stable")
    weights = np.zeros((trials, trials))
    for trial in range(trials):
        weights[trial, order[order != trial][:count]] = 1 / count
    return weights


def _posterior(prior: np.ndarray, given: np.ndarray, pseudocounts: float = 1.0) -> np.ndarray:
    """Return ``prior`` combined with the labels by an estimated transition matrix, (T, N, K)."""
    classes, posterior = prior.shape[2], prior
    labels = _one_hot(given, classes)
    for _ in range(ROUNDS):
        transition = np.matmul(posterior.transpose(0, 2, 1), labels) + pseudocounts / classes
        likelihood = _normalised(transition)[:, :, given].transpose(0, 2, 1)
        posterior = _normalised(prior * likelihood)
    return posterior


def _agreement(probabilities: np.ndarray, posterior: np.ndarray) -> np.ndarray:
    """Return the mean posterior probability of the predicted classes, (T,)."""
    return (_votes(probabilities) * posterior).sum(2).mean(1)
