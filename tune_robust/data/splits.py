"""Subset, training and validation part, and their label noise."""

from __future__ import annotations

import numpy as np
import torch

from tune_robust.config import DataConfig
from tune_robust.data.channels import channel_statistics
from tune_robust.data.drawing import resolve_count, stratified, stream
from tune_robust.data.images import UNKNOWN, Dataset, Images, LabelledImages, Splits
from tune_robust.data.noise import noisy_labels


def make_splits(config: DataConfig, dataset: Dataset) -> Splits:
    """The parts of a run, drawn from ``config.seed``; the test set is the dataset's own and clean.

    The validation part is held out of the training images before noise is drawn. It is chosen
    uniformly at random, not stratified: whoever has only noisy labels could not stratify by the
    true ones. Subset, split and noise draw from streams of their own, per image of the source, so
    none of them moves the others. Where the source's labels are themselves noisy, and nothing says
    what is right, true labels are UNKNOWN; the test set's labels always count as true.

    Raises:
        UserError: when a subset, validation part or noise do not fit the dataset.
    """
    source = dataset.train
    train, validation = _positions(config, source.labels.numpy())
    noisy = [train, validation] if config.validation.labels == "noisy" else [train]
    given = noisy_labels(config, source, dataset.classes, noisy)
    true = source.labels if config.truth_known else torch.full_like(source.labels, UNKNOWN)

    def part(positions: np.ndarray) -> LabelledImages:
        chosen = torch.from_numpy(positions)
        labels = torch.from_numpy(given[positions])
        return LabelledImages(source.images[chosen], labels, true[chosen])

    training = part(train)
    mean, std = channel_statistics(training.images)
    test = _test_part(config, dataset.test)
    return Splits(training, part(validation), test, dataset.classes, mean, std)


def _test_part(config: DataConfig, test: Images) -> LabelledImages:
    """The test images, or a part of them that does not depend on the seed."""
    images, labels = test.images, test.labels
    if config.test_subset is not None:
        total = len(labels)
        count = resolve_count(config.test_subset, total, "data.test_subset", total, "test images")
        chosen = torch.from_numpy(stratified(labels.numpy(), count, stream(0, "test_subset")))
        images, labels = images[chosen], labels[chosen]
    return LabelledImages(images, labels, labels)


def validation_size(config: DataConfig, total: int) -> int:
    """How many of the ``total`` training images of the source are held out for validation.

    Raises:
        UserError: when the subset or the validation part do not fit.
    """
    pool = _pool_size(config, total)
    return resolve_count(config.validation.size, pool, "data.validation.size", at_most=pool - 1)


def _pool_size(config: DataConfig, total: int) -> int:
    """The training images of the source that are used at all."""
    if config.subset is None:
        return total
    return resolve_count(config.subset, total, "data.subset", at_most=total)


def _positions(config: DataConfig, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ascending positions into the source of the training and of the validation images."""
    pool = np.arange(len(labels))
    if config.subset is not None:
        count = _pool_size(config, len(labels))
        pool = stratified(labels, count, stream(config.seed, "subset"))
    held_out = validation_size(config, len(labels))
    keys = stream(config.seed, "split").random(len(labels))[pool]
    order = pool[np.argsort(keys, kind="stable")]
    return np.sort(order[held_out:]), np.sort(order[:held_out])
