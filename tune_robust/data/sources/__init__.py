"""Sources of images.

A source is a set of functions. ``locate(config)`` returns the files that hold the data set, after
downloading them if that is possible and allowed. ``decode(config, files)`` makes a Dataset of them.
Sources of encoded images have ``indexed(config, files, folder)`` instead, which says where each of
the images is, and may write copies of them into ``folder``.
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
from tune_robust.data.encoded import Index
from tune_robust.data.images import Dataset
from tune_robust.data.sources import cifar, digits, folder, npz, parquet, webdataset


class Source(NamedTuple):
    """The functions of a source; ``about`` and ``needs`` describe it and its files in one line."""

    locate: Callable[[DataConfig], Sequence[Path]]
    about: str
    needs: str
    decode: Callable[[DataConfig, Sequence[Path]], Dataset] | None = None
    indexed: Callable[[DataConfig, Sequence[Path], Path], Index] | None = None
    read_column: Callable[[Sequence[Path], str, Sequence[str]], np.ndarray] | None = None
    read_names: Callable[[DataConfig, Sequence[Path]], list[str]] | None = None


SOURCES = {
    "digits": Source(
        digits.locate,
        "1,797 handwritten digits, 8x8, 10 classes",
        "nothing: comes with scikit-learn",
        decode=digits.decode,
    ),
    "cifar10": Source(
        cifar.locate_cifar10,
        "60,000 colour images, 32x32, 10 classes",
        "cifar-10-batches-py/ or its archive, in --data-dir; downloaded otherwise (163 MB)",
        decode=cifar.decode_cifar10,
    ),
    "cifar100": Source(
        cifar.locate_cifar100,
        "60,000 colour images, 32x32, 100 classes or 20 superclasses",
        "cifar-100-python/ or its archive, in --data-dir; downloaded otherwise (161 MB)",
        decode=cifar.decode_cifar100,
    ),
    "parquet": Source(
        parquet.locate,
        "images in the Hugging Face layout",
        "train-*.parquet, and test-*.parquet if any, in --data-dir",
        indexed=parquet.index,
        read_column=parquet.read_column,
        read_names=parquet.read_names,
    ),
    "folder": Source(
        folder.locate,
        "images in folders, one per class",
        "train/CLASS/*.jpg, and test/CLASS/*.jpg if any, in --data-dir",
        indexed=folder.index,
        read_names=folder.read_names,
    ),
    "webdataset": Source(
        webdataset.locate,
        "images in tar files (the WebDataset layout)",
        "train-*.tar with NAME.jpg and NAME.cls, and test-*.tar if any, in --data-dir",
        indexed=webdataset.index,
        read_names=webdataset.read_names,
    ),
    "npz": Source(
        npz.locate,
        "arrays of images and labels",
        "an .npz with train_images, train_labels (test_images, test_labels), as --data-dir",
        decode=npz.decode,
        read_column=npz.read_column,
    ),
}
"""The sources by the name that ``data.dataset`` gives them."""
