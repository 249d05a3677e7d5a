"""Warnings about the data of a run that are valid but make its scores less meaningful."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from tune_robust.config import DataConfig
from tune_robust.data.images import Dataset, LabelledImages, Splits, is_image

_NAMED = 5
"""The largest number of classes that a message names."""


def cautions(config: DataConfig, dataset: Dataset, splits: Splits) -> list[str]:
    """Return a warning (one or two sentences) for each condition that distorts the scores.

    The conditions are label noise above 1 - 1/K, a class without images in a part, and no test set.
    """
    return [*_too_noisy(config, splits), *_missing(splits), *_no_test_set(config, dataset, splits)]


def _too_noisy(config: DataConfig, splits: Splits) -> Iterator[str]:
    """Warn if more than K - 1 of K labels are wrong: random labels would then be better."""
    classes, images = len(splits.classes), len(splits.train)
    wrong = int(splits.train.noisy.sum())
    if config.truth_known and wrong * classes > (classes - 1) * images:
        yield (
            f"{wrong / images:.1%} of the training labels are wrong, which is more than 1 - 1/K = "
            f"{1 - 1 / classes:.1%} with {classes} classes: random labels would be right "
            "more often. Check data.noise, and that the labels belong to these images."
        )


def _missing(splits: Splits) -> Iterator[str]:
    for name, part in (
        ("training", splits.train),
        ("validation", splits.validation),
        ("test", splits.test),
    ):
        absent = [splits.classes[k] for k in _absent(part, len(splits.classes))]
        if absent:
            yield (
                f"The {name} part has no image of {_listed(absent)}: its scores say nothing "
                f"about {'this class' if len(absent) == 1 else 'these classes'}."
            )


def _absent(part: LabelledImages, classes: int) -> list[int]:
    """Return the classes without an image; by the true labels if they are known."""
    known = bool(part.clean.any() or part.noisy.any())
    labels: Tensor = part.true_labels[part.true_labels >= 0] if known else part.labels
    return torch.nonzero(torch.bincount(labels, minlength=classes) == 0).flatten().tolist()


def _listed(names: Sequence[str]) -> str:
    if len(names) == 1:
        return f"the class {names[0]}"
    some = ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
    return f"{len(names)} classes ({some})"


def _no_test_set(config: DataConfig, dataset: Dataset, splits: Splits) -> Iterator[str]:
    if len(dataset.test.labels):
        return
    labels = "" if config.truth_known else ", with labels that may be wrong"
    what = "images" if is_image(dataset.train.images) else "samples"
    yield (
        f"The data have no test set: {len(splits.test):,} of the training {what} are held out as "
        f"one{labels} (data.test_size)."
    )
