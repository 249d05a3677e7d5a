"""Common steps of the noise models: put labels into the parts, and check them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tune_robust.data.images import Images
from tune_robust.errors import UserError


def replaced(source: Images, labels: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return the true labels of the source, int64 (N,), with ``labels`` (N,) inside the parts."""
    result = source.labels.numpy().copy()
    for part in parts:
        result[part] = labels[part]
    return result


def checked(labels: np.ndarray, source: Images, classes: int, name: str) -> np.ndarray:
    """Return ``labels``, which were read from the place ``name``, as int64 (N,).

    Raises:
        UserError: they are not one class in [0, ``classes``) for each image of the source.
    """
    count = len(source.labels)
    if labels.shape != (count,):
        raise UserError(
            f"{name} has {labels.size:,} labels, but the dataset has {count:,} training images. "
            "They must be the same images, in the same order."
        )
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        raise UserError(
            f"{name}: label {labels[wrong[0]]} of image {wrong[0]} is not one of the {classes} "
            f"classes; allowed are 0 to {classes - 1}. Do these labels belong to another dataset?"
        )
    return labels.astype(np.int64)


def check_order(true: np.ndarray, source: Images, name: str) -> None:
    """Refuse labels whose own record of the true labels differs from the data set's labels."""
    expected = source.labels.numpy()
    differing = np.flatnonzero(true != expected)
    if differing.size:
        first = differing[0]
        raise UserError(
            f"{name} says what the true labels are, and {differing.size:,} of its {len(true):,} "
            f"are not the dataset's (the first is image {first}: {true[first]}, here "
            f"{expected[first]}). These are other images, or the same in another order: use the "
            "dataset in its original order."
        )
