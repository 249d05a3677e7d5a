"""Where images come from.

A source is a few functions. ``locate(config)`` returns the files that hold the dataset, downloaded
first where that is possible and allowed. ``decode(config, files)`` makes a Dataset of them.
``read_column(files, column, classes)``, where a source has columns, gives a column of the training
images' labels as indices of classes; ``read_names(config, files)``, where images have names, those
of the training images. All raise UserError when the files are not what they should be. Libraries
that only one source needs (scikit-learn, torchvision) are imported by its functions: each takes a
second to import, which the processes that run trials would spend for nothing.
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
    """A way to get a dataset; ``about`` says what it is and ``needs`` what it takes, in a line."""

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
        "nothing: ships inside scikit-learn",
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
"""By the name that ``data.dataset`` gives them."""
