"""The subset, the training and validation parts, and their label noise."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from tune_robust.config import DataConfig, Fold
from tune_robust.data.channels import channel_statistics
from tune_robust.data.drawing import resolve_count, stratified, stream
from tune_robust.data.images import UNKNOWN, Dataset, Images, LabelledImages, Splits, decoded
from tune_robust.data.noise import noisy_labels
from tune_robust.errors import UserError

TEST_SIZE = 0.1
"""The fraction of the training images held out as the test set if there are no test images."""


def make_splits(config: DataConfig, dataset: Dataset) -> Splits:
    """Return the parts of a run, drawn from ``config.seed``; the test set is never made noisy.

    If the data set has no test images, ``config.test_size`` of its training images are held out
    before anything else. This selection is stratified by class and does not depend on the seed.

    The validation part is held out of the training images before the noise is drawn. It is chosen
    uniformly at random and not stratified, since a user with noisy labels could not stratify by the
    true ones. The subset, the split and the noise use separate random streams over the images of
    the source, so that none of them affects the others. With ``config.fold``, the fold is held out
    in place of the validation part once the noise is drawn, so that no label depends on the fold.
    If the source's own labels are noisy and the true labels are not known, true labels are UNKNOWN;
    the labels of the test set always count as true.

    Raises:
        UserError: the subset, the validation part or the noise do not fit the data set.
    """
    source = dataset.train
    held_out = held_out_for_test(config, dataset)
    train, validation = _positions(config, source.labels.numpy(), held_out)
    noisy = [train, validation] if config.validation.labels == "noisy" else [train]
    given = noisy_labels(config, source, dataset.classes, noisy)
    if config.fold is not None:
        train, validation = _fold(config, config.fold, train, validation)
    true = source.labels if config.truth_known else torch.full_like(source.labels, UNKNOWN)

    def part(positions: np.ndarray) -> LabelledImages:
        chosen = torch.from_numpy(positions)
        labels = torch.from_numpy(given[positions])
        return LabelledImages(source.images, labels, true[chosen], chosen, fields=fields)

    fields = source.fields
    if fields is None:
        mean, std = channel_statistics(source.images, torch.from_numpy(train), source.moments)
    else:
        fields = fields.fitted(decoded(source.images), torch.from_numpy(train))
        mean, std = (), ()  # each of the inputs has its own
    training = part(train)
    test = _labelled(dataset.test)
    if len(held_out):
        test = _labelled(source).take(torch.from_numpy(held_out))
    test = replace(test, fields=fields)
    test = _test_part(config, test)
    return Splits(training, part(validation), test, dataset.classes, mean, std)


def _labelled(images: Images) -> LabelledImages:
    """Return images whose labels count as true."""
    return LabelledImages(images.images, images.labels, images.labels)


def held_out_for_test(config: DataConfig, dataset: Dataset) -> np.ndarray:
    """Return sorted positions of the training images held out as the test set, if there is none."""
    labels = dataset.train.labels.numpy()
    if len(dataset.test.labels):
        if config.test_size is not None:
            raise UserError(
                f"data.test_size: the dataset has {len(dataset.test.labels):,} test images, so no "
                "training images are held out as a test set. Leave test_size out; "
                "data.test_subset evaluates on a part of the test images."
            )
        return np.empty(0, np.int64)
    size = TEST_SIZE if config.test_size is None else config.test_size
    count = resolve_count(size, len(labels), "data.test_size", at_most=len(labels) - 2)
    return stratified(labels, count, stream(0, "test_size"))


def _test_part(config: DataConfig, whole: LabelledImages) -> LabelledImages:
    """Return the test images, or a subset of them that does not depend on the seed."""
    if config.test_subset is None:
        return whole
    total = len(whole)
    count = resolve_count(config.test_subset, total, "data.test_subset", total, "test images")
    chosen = stratified(whole.labels.numpy(), count, stream(0, "test_subset"))
    return whole.take(torch.from_numpy(chosen))


def _fold(
    config: DataConfig, fold: Fold, train: np.ndarray, validation: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of the images outside ``fold`` and of those in it.

    Validation images with right labels are not divided if the other labels are noisy.
    """
    pool = np.concatenate([train, validation]) if config.folds_divide_validation else train
    if len(pool) < fold.of:
        raise UserError(f"data.fold.of: {fold.of} folds of {len(pool)} images; use at most that.")
    held_out = np.random.default_rng(config.seed).permutation(len(pool)) % fold.of == fold.index - 1
    return pool[~held_out], pool[held_out]


def validation_size(config: DataConfig, total: int) -> int:
    """Return how many of the ``total`` training images are held out for validation, at most.

    Raises:
        UserError: the subset or the validation part does not fit.
    """
    if config.fold is not None:
        return math.ceil(_pool_size(config, total) / config.fold.of)
    return _held_out(config, total)


def _held_out(config: DataConfig, total: int) -> int:
    """Return how many images are held out for validation without a fold."""
    pool = _pool_size(config, total)
    return resolve_count(config.validation.size, pool, "data.validation.size", at_most=pool - 1)


def _pool_size(config: DataConfig, total: int) -> int:
    """Return how many training images of the source are used."""
    if config.subset is None:
        return total
    return resolve_count(config.subset, total, "data.subset", at_most=total)


def _positions(
    config: DataConfig, labels: np.ndarray, held_out: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return sorted positions of the training images and of the validation images in the source.

    Neither contains the images ``held_out`` for the test.
    """
    pool = np.setdiff1d(np.arange(len(labels)), held_out)
    size = _held_out(config, len(pool))
    if config.subset is not None:
        count = _pool_size(config, len(pool))
        pool = pool[stratified(labels[pool], count, stream(config.seed, "subset"))]
    keys = stream(config.seed, "split").random(len(labels))[pool]
    order = pool[np.argsort(keys, kind="stable")]
    return np.sort(order[size:]), np.sort(order[:size])
