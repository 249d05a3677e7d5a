"""A dataset and its label noise in numbers."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from tune_robust.config import DataConfig
from tune_robust.data.images import Dataset
from tune_robust.data.noise import noisy_labels


class Confusion(NamedTuple):
    """The ``fraction`` of the images of the class ``true`` that are labelled ``given``."""

    true: str
    given: str
    fraction: float


class Summary(NamedTuple):
    """A description of a configuration's data, with noise drawn over all training images at once.

    ``class_counts`` (K,) counts the data set's own training labels. Row i of ``transition_matrix``
    (K, K) has the fractions of the labels given to images of class i; it is NaN if there are none.
    The matrix and ``noise_rate``, the fraction of wrong labels, are None if the true labels are
    unknown.
    """

    dataset: str
    train_images: int
    test_images: int
    image_shape: tuple[int, ...]
    classes: tuple[str, ...]
    class_counts: np.ndarray
    noise_rate: float | None
    transition_matrix: np.ndarray | None

    def confusions(self, most: int) -> list[Confusion]:
        """Return up to ``most`` pairs of classes with wrong labels, the most frequent first.

        The list is empty if the true labels are unknown.
        """
        if self.transition_matrix is None:
            return []
        wrong = np.nan_to_num(self.transition_matrix.copy())
        np.fill_diagonal(wrong, 0)
        pairs = np.argsort(-wrong, axis=None, kind="stable")[:most]
        return [
            Confusion(self.classes[true], self.classes[given], float(wrong[true, given]))
            for true, given in zip(*np.unravel_index(pairs, wrong.shape), strict=True)
            if wrong[true, given]
        ]

    def document(self) -> dict[str, Any]:
        """Return the summary as JSON-compatible data: lists for arrays, None for NaN."""
        matrix = self.transition_matrix
        return self._asdict() | {
            "class_counts": self.class_counts.tolist(),
            "transition_matrix": None
            if matrix is None
            else [
                [None if math.isnan(value) else value for value in row] for row in matrix.tolist()
            ],
        }


def summarise(config: DataConfig, dataset: Dataset) -> Summary:
    """Count the images of each class and the wrong labels.

    Raises:
        UserError: the noise does not fit the data set.
    """
    true, count = dataset.train.labels.numpy(), len(dataset.classes)
    given = noisy_labels(config, dataset.train, dataset.classes, [np.arange(len(true))])
    class_counts = np.bincount(true, minlength=count)
    known = config.truth_known
    return Summary(
        config.dataset,
        len(true),
        len(dataset.test.labels),
        tuple(dataset.train.images.shape[1:]),
        dataset.classes,
        class_counts,
        float(np.mean(given != true)) if known else None,
        _transition_matrix(true, given, count) if known else None,
    )


def _transition_matrix(true: np.ndarray, given: np.ndarray, classes: int) -> np.ndarray:
    counts = np.zeros((classes, classes))
    np.add.at(counts, (true, given), 1)
    with np.errstate(invalid="ignore"):
        return counts / counts.sum(1, keepdims=True)
