"""Asymmetric label noise: the labels of a class are replaced by that of a similar class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tune_robust.config import AsymmetricNoise
from tune_robust.data.cifar_classes import CIFAR10, CIFAR100, CIFAR100_SUPERCLASSES
from tune_robust.data.images import Images
from tune_robust.data.naming import class_index
from tune_robust.data.noise.replacing import replaced
from tune_robust.errors import UserError

CIFAR10_MAP = {
    "truck": "automobile",
    "bird": "airplane",
    "deer": "horse",
    "cat": "dog",
    "dog": "cat",
}
"""Patrini et al. 2017 (arXiv 1609.03683)."""

_MISSPELT = {"cra": "crab"}  # the misspelling in the Hugging Face copy of CIFAR-100


def asymmetric(
    noise: AsymmetricNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Replace labels by ``noise.class_map``, or draw them from ``noise.transition_matrix``.

    A random key is drawn for every image of the source. With a map, the int(rate * n) images with
    the smallest keys are relabelled, of the n images of each mapped class in a part. With a matrix,
    the key is compared with the cumulative row of the image's class, so an image has the same label
    in every split.
    """
    true = source.labels.numpy()
    keys = generator.random(len(true))
    if noise.transition_matrix is not None:
        return replaced(source, _drawn(noise.transition_matrix, true, keys, len(classes)), parts)
    rate = noise.rate or 0.0  # the configuration requires a rate if there is no matrix
    labels = true.copy()
    for origin, target in class_pairs(noise, classes).items():
        for part in parts:
            members = part[true[part] == origin]
            smallest = np.argsort(keys[members], kind="stable")[: int(rate * len(members))]
            labels[members[smallest]] = target
    return labels


def class_pairs(noise: AsymmetricNoise, classes: Sequence[str]) -> dict[int, int]:
    """Return the index of the class that replaces each class.

    Raises:
        UserError: the map names an unknown class, or there is no published map for these classes.
    """
    names = tuple(_MISSPELT.get(name, name) for name in classes)
    if noise.class_map == "next_class":
        return {label: (label + 1) % len(classes) for label in range(len(classes))}
    if noise.class_map is not None:
        return _indexed(noise.class_map, classes)
    if names == CIFAR10:
        return _indexed(CIFAR10_MAP, names)
    if names == CIFAR100:
        superclasses = CIFAR100_SUPERCLASSES.values()
        following = {a: b for s in superclasses for a, b in zip(s, (*s[1:], s[0]), strict=True)}
        return _indexed(following, names)
    raise UserError(
        "data.noise: the classes that asymmetric noise confuses are known for CIFAR-10 and "
        f"CIFAR-100 alone, by their class names; this dataset has {len(classes)} classes: "
        f"{', '.join(classes[:5])}, ... Name the pairs with data.noise.class_map, such as "
        f"{{{classes[-1]}: {classes[0]}}}, or give data.noise.transition_matrix."
    )


def _indexed(pairs: dict[str, str], classes: Sequence[str]) -> dict[int, int]:
    key = "data.noise.class_map"
    return {class_index(a, classes, key): class_index(b, classes, key) for a, b in pairs.items()}


def _drawn(
    matrix: Sequence[Sequence[float]], true: np.ndarray, keys: np.ndarray, classes: int
) -> np.ndarray:
    """Return the first class at which the cumulative row of an image's class exceeds its key."""
    if len(matrix) != classes:
        raise UserError(
            f"data.noise.transition_matrix has {len(matrix)} rows and columns; the dataset has "
            f"{classes} classes."
        )
    cumulated = np.cumsum(matrix, axis=1)
    cumulated /= cumulated[:, -1:]
    labels = true.copy()
    for label in range(classes):
        members = np.flatnonzero(true == label)
        labels[members] = np.searchsorted(cumulated[label], keys[members], side="right")
    return labels
