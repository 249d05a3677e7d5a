"""Sources of images.

A source is a set of functions. ``locate(config)`` returns the files that hold the data set, after
downloading them if that is possible and allowed. ``decode(config, files)`` makes a Dataset of them.
``read_column(files, column, classes)``, for sources with columns, returns a column of labels of the
training images as class indices. ``read_names(config, files)``, for images with names, returns
those of the training images. All raise UserError if the files are not as expected. Libraries that
only one source needs (scikit-learn, torchvision) are imported by its functions: importing one takes
a second, which processes that do not need it should not spend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tune_robust.config import DataConfig
from tune_robust.data.images import Dataset
from tune_robust.data.sources import cifar, digits, folder, npz, parquet


class Source(NamedTuple):
    """The functions of a source; ``about`` and ``needs`` describe it and its files in one line."""

    locate: Callable[[DataConfig], Sequence[Path]]
    decode: Callable[[DataConfig, Sequence[Path]], Dataset]
    about: str
    needs: str
    read_column: Callable[[Sequence[Path], str, Sequence[str]], np.ndarray] | None = None
    read_names: Callable[[DataConfig, Sequence[Path]], list[str]] | None = None


SOURCES = {
    "digits": Source(
        digits.locate,
        digits.decode,
        "1,797 handwritten digits, 8x8, 10 classes",
        "nothing: comes with scikit-learn",
    ),
    "cifar10": Source(
        cifar.locate_cifar10,
        cifar.decode_cifar10,
        "60,000 colour images, 32x32, 10 classes",
        "cifar-10-batches-py/ or its archive, in --data-dir; downloaded otherwise (163 MB)",
    ),
    "cifar100": Source(
        cifar.locate_cifar100,
        cifar.decode_cifar100,
        "60,000 colour images, 32x32, 100 classes or 20 superclasses",
        "cifar-100-python/ or its archive, in --data-dir; downloaded otherwise (161 MB)",
    ),
    "parquet": Source(
        parquet.locate,
        parquet.decode,
        "images in the Hugging Face layout",
        "train-*.parquet, and test-*.parquet if any, in --data-dir",
        parquet.read_column,
        parquet.read_names,
    ),
    "folder": Source(
        folder.locate,
        folder.decode,
        "images in folders, one per class",
        "train/CLASS/*.jpg, and test/CLASS/*.jpg if any, in --data-dir",
        read_names=folder.read_names,
    ),
    "npz": Source(
        npz.locate,
        npz.decode,
        "arrays of images and labels",
        "an .npz with train_images, train_labels (test_images, test_labels), as --data-dir",
        npz.read_column,
    ),
}
"""The sources by the name that ``data.dataset`` gives them."""
