"""Images in a NumPy archive: ``train_images``, ``train_labels``, ``test_images``, ``test_labels``.

This is the layout of MedMNIST; Keras's ``x_train``, ``y_train``, ``x_test``, ``y_test`` are read as
well. The test images are optional. Images are uint8 (N, H, W), (N, H, W, C) or (N, C, H, W) with 1
or 3 channels C; labels are integers or class names. An optional array ``classes`` has the class
names; without it, class names used as labels are sorted alphabetically. Pickled objects are not
loaded.
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch

from tune_robust.config import DataConfig
from tune_robust.data.images import Dataset, Images
from tune_robust.data.naming import class_index
from tune_robust.data.sources.labels import check_labels, numbered_classes
from tune_robust.errors import UserError, unknown

SPELLINGS = (
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("x_train", "y_train", "x_test", "y_test"),
)


def locate(config: DataConfig) -> Sequence[Path]:
    """Return the file ``config.dir``, or the only npz file in that folder."""
    if config.dir is None:
        raise UserError("dataset npz needs a file: name it with --data-dir (data.dir).")
    path = Path(config.dir).expanduser()
    files = sorted(path.glob("*.npz")) if path.is_dir() else [path]
    if len(files) != 1 or not files[0].is_file():
        found = ", ".join(file.name for file in files) if path.is_dir() else "no such file"
        raise UserError(
            f"{path}: expected one .npz file ({found or 'none is there'}); name it with --data-dir "
            "(data.dir)."
        )
    return files


def decode(config: DataConfig, files: Sequence[Path]) -> Dataset:
    """Return all images and labels.

    Raises:
        UserError: the file is damaged, or an array is missing or not of the expected type.
    """
    (path,) = files
    with _opened(path) as arrays:
        names = next((s for s in SPELLINGS if all(name in arrays for name in s[:2])), None)
        if names is None or _half_a_test_part(arrays, names):
            raise UserError(
                f"{path} has the arrays {', '.join(arrays) or '(none)'}; expected "
                f"{' or '.join(', '.join(spelling) for spelling in SPELLINGS)}. The last two "
                "are optional."
            )
        classes = _classes(path, arrays, names[1])
        train = _part(path, arrays, *names[:2], classes)
        has_test = names[2] in arrays
        test = _part(path, arrays, *names[2:], classes) if has_test else _nothing_like(train)
    if train.images.shape[1:] != test.images.shape[1:]:
        raise UserError(
            f"{path}: training images are {tuple(train.images.shape[1:])}, test images "
            f"{tuple(test.images.shape[1:])} (channels, height, width). They must agree."
        )
    return Dataset(train, test, classes)


def read_column(files: Sequence[Path], column: str, classes: Sequence[str]) -> np.ndarray:
    """Return the array ``column``, (N,): labels of the training images."""
    (path,) = files
    with _opened(path) as arrays:
        if column not in arrays:
            raise UserError(f"{path}: {unknown('array', column, arrays)}")
        return _labels(path, arrays, column, classes)


def _half_a_test_part(arrays: Mapping[str, np.ndarray], names: Sequence[str]) -> bool:
    return (names[2] in arrays) != (names[3] in arrays)


def _nothing_like(part: Images) -> Images:
    return Images(part.images[:0], part.labels[:0])


def _classes(path: Path, arrays: Mapping[str, np.ndarray], labels: str) -> tuple[str, ...]:
    """Return the names in ``classes``, else those used as labels, else "0" to "K - 1"."""
    if "classes" in arrays:
        names = arrays["classes"]
        if names.ndim != 1 or names.dtype.kind not in "iuSU":
            raise UserError(
                f"{path}: classes is {names.dtype} {names.shape}; expected one name per class."
            )
        return tuple(str(name) for name in names)
    given = _flat(path, arrays, labels)
    if given.dtype.kind == "U":
        return tuple(sorted(set(given.tolist())))
    return numbered_classes(given.astype(np.int64), partial("{}: {}[{}]".format, path, labels))


@contextmanager
def _opened(path: Path) -> Iterator[Mapping[str, np.ndarray]]:
    try:
        with open(path, "rb") as file:
            _check_size(path, file)
            with np.load(file, allow_pickle=False) as arrays:
                yield arrays
    except (OSError, ValueError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise UserError(
            f"{path} cannot be read as npz ({error}). It may be truncated: copy it again."
        ) from error


def _check_size(path: Path, file: BinaryIO) -> None:
    """Check that the arrays fit into memory: a small compressed file may hold very large ones."""
    with zipfile.ZipFile(file) as archive:
        size = sum(part.file_size for part in archive.infolist())
    file.seek(0)
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    if size > memory:
        raise UserError(
            f"{path} holds {size / 1e9:.0f} GB of arrays, more than this machine's memory of "
            f"{memory / 1e9:.0f} GB. Give smaller images, or fewer."
        )


def _part(
    path: Path,
    arrays: Mapping[str, np.ndarray],
    images: str,
    labels: str,
    classes: Sequence[str],
) -> Images:
    pixels, indices = _pixels(path, arrays, images), _labels(path, arrays, labels, classes)
    if len(pixels) != len(indices) or not len(pixels):
        raise UserError(
            f"{path}: {images} has {len(pixels)} images and {labels} {len(indices)} labels; each "
            "image needs one, and there must be some."
        )
    check_labels(indices, len(classes), partial("{}: {}[{}]".format, path, labels))
    return Images(torch.from_numpy(pixels), torch.from_numpy(indices))


def _pixels(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return the images as uint8 (N, C, H, W)."""
    array = arrays[name]
    if array.ndim == 3:
        array = array[:, None]
    elif array.ndim == 4 and array.shape[3] in (1, 3):
        array = array.transpose(0, 3, 1, 2)
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[1] not in (1, 3):
        raise UserError(
            f"{path}: {name} is {array.dtype} {arrays[name].shape}; expected uint8, 0 to 255, as "
            "(N, H, W), (N, H, W, C) or (N, C, H, W) with 1 or 3 channels."
        )
    return np.ascontiguousarray(array)


def _flat(path: Path, arrays: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Return integers or text, (N,)."""
    array = arrays[name]
    flat = array.reshape(len(array)) if array.ndim and array.size == len(array) else array
    if flat.ndim != 1 or flat.dtype.kind not in "iuSU":
        raise UserError(
            f"{path}: {name} is {array.dtype} {array.shape}; expected one integer or class name "
            "per image."
        )
    return np.char.decode(flat, "utf-8") if flat.dtype.kind == "S" else flat


def _labels(
    path: Path, arrays: Mapping[str, np.ndarray], name: str, classes: Sequence[str]
) -> np.ndarray:
    """Return int64 (N,); names are looked up in ``classes``."""
    flat = _flat(path, arrays, name)
    if flat.dtype.kind != "U":
        return flat.astype(np.int64)
    names, inverse = np.unique(flat, return_inverse=True)
    indices = [class_index(str(each), classes, f"{path}: {name}") for each in names]
    return np.array(indices, np.int64)[inverse]
