"""Symmetric label noise: each class is equally likely as a wrong label."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tune_robust.config import SymmetricNoise
from tune_robust.data.images import Images
from tune_robust.errors import UserError


def symmetric(
    noise: SymmetricNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Replace exactly int(rate * n) labels of each part of n images by a uniformly drawn class.

    If the true class is excluded, all of these labels are wrong (van Rooyen et al. 2015, arXiv
    1505.07634). If it is included, the replacement may equal the true class, and a fraction of rate
    * (1 - 1/K) is wrong on average (Zhang et al. 2017, arXiv 1611.03530).

    A key and a replacement are drawn for every image of the source; in each part, the labels of the
    int(rate * n) smallest keys are replaced. The wrong label of an image is therefore the same in
    every split, and the labels replaced at one rate are among those replaced at a higher one.
    """
    count = len(classes)
    if count < 2:
        raise UserError(
            f"data.noise: symmetric noise needs at least 2 classes; the dataset has {count}."
        )
    true = source.labels.numpy()
    keys = generator.random(len(true))
    step = generator.integers(1 if noise.true_class == "excluded" else 0, count, len(true))
    labels = true.copy()
    for part in parts:
        smallest = np.argsort(keys[part], kind="stable")[: int(noise.rate * len(part))]
        replaced = part[smallest]
        labels[replaced] = (true[replaced] + step[replaced]) % count
    return labels
