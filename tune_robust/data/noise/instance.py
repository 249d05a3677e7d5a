"""Instance-dependent label noise: the probabilities of wrong labels depend on the image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.special import ndtr, ndtri

from tune_robust.config import InstanceNoise
from tune_robust.data.channels import channel_statistics
from tune_robust.data.images import Images, is_image
from tune_robust.data.noise.replacing import replaced
from tune_robust.errors import UserError

DEVIATION = 0.1
"""The standard deviation of the flip rates of the images, as published."""

_PIXELS_AT_ONCE = 2**22


def instance(
    noise: InstanceNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Draw labels by algorithm 2 of Xia et al. 2020 (arXiv 2006.07836), or as SANER's code does.

    For an image with pixels x and class y, class j is drawn with probability softmax(x . W_y)_j.
    The softmax excludes y, and W_y (pixels, K) is standard normal, with one matrix for each class.

    ``variant: xia``: x in [0, 1]; image i flips with probability q_i, drawn from the normal
    distribution N(rate, 0.1^2) truncated to [0, 1]. ``variant: saner`` (Luong et al.,
    arXiv 2411.17132): x is normalised by the mean and standard deviation of each channel over the
    source, and in each part of n images exactly int(rate * n) images, drawn uniformly, flip.

    Random numbers are drawn for every image of the source. An image's label is the same in every
    split, except that the exact count of ``saner`` decides within each part which images flip.
    """
    count = len(classes)
    if not is_image(source.images):
        raise UserError(
            "data.noise: instance noise is drawn from pixels, uint8 (C, H, W) with 1 or 3 "
            f"channels; the inputs are {source.describe()} each. Use symmetric or asymmetric noise."
        )
    if count < 2:
        raise UserError(
            f"data.noise: instance noise needs at least 2 classes; the dataset has {count}."
        )
    true = source.labels.numpy()
    flip_keys, class_keys = generator.random((2, len(true)))
    if noise.variant == "xia":
        rates = _flip_rates(noise.rate, flip_keys)
    else:
        rates = _chosen(noise.rate, flip_keys, parts)
    normalised = _in_unit_range if noise.variant == "xia" else _normaliser(source)
    labels = true.copy()
    for label in range(count):
        weights = _standard_normal(generator, source.images[0].numel(), count)
        members = np.flatnonzero(true == label)
        for chosen in np.array_split(members, _chunks(source, members)):
            pixels = normalised(source.images[torch.from_numpy(chosen)])
            cumulated = _flip_distribution(pixels, weights, label) * rates[chosen, None]
            wrong = (cumulated <= class_keys[chosen, None]).sum(1)
            labels[chosen] = np.where(wrong < count, wrong, label)
    return replaced(source, labels, parts)


def _flip_rates(mean: float, keys: np.ndarray) -> np.ndarray:
    """Return the quantiles ``keys`` of the normal distribution truncated to [0, 1]."""
    low, high = ndtr((torch.tensor([0.0, 1.0], dtype=torch.float64) - mean) / DEVIATION)
    quantiles = ndtri(torch.lerp(low, high, torch.from_numpy(keys)))
    return (mean + DEVIATION * quantiles).clamp(0, 1).numpy()


def _chosen(rate: float, keys: np.ndarray, parts: Sequence[np.ndarray]) -> np.ndarray:
    """Return flip rates: 1 for the int(rate * n) smallest keys of each part of n images, else 0."""
    chosen = np.zeros(len(keys))
    for part in parts:
        chosen[part[np.argsort(keys[part], kind="stable")[: int(rate * len(part))]]] = 1
    return chosen


def _in_unit_range(images: torch.Tensor) -> torch.Tensor:
    return images.float() / 255


def _normaliser(source: Images) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a function that normalises pixels by the source's statistics of each channel."""
    statistics = channel_statistics(source.images, moments=source.moments)
    mean, std = (torch.tensor(values).view(-1, 1, 1) for values in statistics)
    return lambda images: (_in_unit_range(images) - mean) / std


def _standard_normal(generator: np.random.Generator, rows: int, columns: int) -> torch.Tensor:
    return torch.from_numpy(generator.standard_normal((rows, columns), dtype=np.float32))


def _chunks(source: Images, members: np.ndarray) -> int:
    return max(1, len(members) * source.images[0].numel() // _PIXELS_AT_ONCE)


def _flip_distribution(pixels: torch.Tensor, weights: torch.Tensor, label: int) -> np.ndarray:
    """Return the cumulative probabilities (n, K) of the class that each image would flip to."""
    scores = (pixels.flatten(1) @ weights).double()
    scores[:, label] = -torch.inf
    cumulated = scores.softmax(1).cumsum(1).numpy()
    # The last one is 1 except for rounding, which would let an image keep its label.
    cumulated[cumulated >= cumulated[:, -1:]] = 1
    return cumulated
