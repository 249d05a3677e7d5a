"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from the files that torchvision reads.

These files are pickles; torchvision opens them only if their checksums are the published ones.
"""

from __future__ import annotations

import tarfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from tune_robust.config import DEFAULT_DATA_DIR, DataConfig
from tune_robust.data.cifar_classes import CIFAR100_SUPERCLASSES
from tune_robust.data.download import download, has_md5
from tune_robust.data.images import Dataset, Images
from tune_robust.data.locking import one_at_a_time
from tune_robust.data.naming import data_dir
from tune_robust.data.pickles import quiet_old_pickles
from tune_robust.errors import UserError

if TYPE_CHECKING:
    from torchvision.datasets import CIFAR10


def _archive(name: str) -> type[CIFAR10]:
    """Return torchvision's description of an archive: CIFAR10 or its subclass CIFAR100."""
    from torchvision import datasets

    return getattr(datasets, name)


def _locate(name: str, config: DataConfig) -> Sequence[Path]:
    """Return the batch files below ``config.dir`` (by default ~/data).

    Missing files are unpacked or downloaded, by one process at a time.
    """
    archive, directory = _archive(name), data_dir(config)
    folder = directory / archive.base_folder
    files = [folder / file for file, _ in _checksums(archive)]
    if not all(file.is_file() for file in files):
        with one_at_a_time(folder):
            if not all(file.is_file() for file in files):
                _unpack(archive, directory, files, config.download)
    return files


def _unpack(
    archive: type[CIFAR10], directory: Path, files: Sequence[Path], may_download: bool
) -> None:
    packed = directory / archive.filename
    try:
        if not has_md5(packed, archive.tgz_md5):
            if not may_download:
                reason = "downloading is off (--no-download, data.download)"
                if packed.is_file():
                    reason = f"{packed} is damaged or truncated (wrong checksum), and {reason}"
                raise UserError(_missing(archive, directory, files, reason))
            download(archive.url, packed, archive.tgz_md5)
        with tarfile.open(packed) as opened:
            opened.extractall(directory, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise UserError(_missing(archive, directory, files, str(error))) from error


def _decode(name: str, config: DataConfig, files: Sequence[Path]) -> Dataset:
    """Return 50,000 training and 10,000 test images with 3 channels of 32x32 pixels."""
    archive, root = _archive(name), str(files[0].parents[1])
    try:
        with quiet_old_pickles():
            train, test = archive(root, train=True), archive(root, train=False)
    except RuntimeError as error:
        raise UserError(_damaged(archive, files)) from error
    dataset = Dataset(_images(train), _images(test), tuple(train.classes))
    return _coarse(dataset) if config.label_column == "coarse_label" else dataset


def _images(part: CIFAR10) -> Images:
    pixels = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
    return Images(torch.from_numpy(pixels), torch.tensor(part.targets))


def _coarse(dataset: Dataset) -> Dataset:
    """Return CIFAR-100 with the 20 superclasses as labels."""
    of = {name: k for k, names in enumerate(CIFAR100_SUPERCLASSES.values()) for name in names}
    superclass = torch.tensor([of[name] for name in dataset.classes])
    train, test = (
        part._replace(labels=superclass[part.labels]) for part in (dataset.train, dataset.test)
    )
    return Dataset(train, test, tuple(CIFAR100_SUPERCLASSES))


def _checksums(archive: type[CIFAR10]) -> list[tuple[str, str]]:
    """Return the name and the MD5 sum of each file."""
    meta = (archive.meta["filename"], archive.meta["md5"])
    return [(name, md5) for name, md5 in [*archive.train_list, *archive.test_list, meta]]


def _missing(archive: type[CIFAR10], directory: Path, files: Sequence[Path], reason: str) -> str:
    absent = [file.name for file in files if not file.is_file()]
    return (
        f"{archive.__name__}: there is no {', '.join(absent)} in {files[0].parent}, and {reason}. "
        f"Expected there: {', '.join(file.name for file in files)}. Put {archive.filename} from "
        f"{archive.url} into {directory}, packed or unpacked, or name the directory that holds "
        f"{archive.base_folder}/ with --data-dir (data.dir; by default {DEFAULT_DATA_DIR})."
    )


def _damaged(archive: type[CIFAR10], files: Sequence[Path]) -> str:
    sums = zip(files, _checksums(archive), strict=True)
    damaged = [str(file) for file, (_, md5) in sums if not has_md5(file, md5)]
    return (
        f"{archive.__name__}: {', '.join(damaged)} does not have the published checksum, so it "
        f"was not opened. Delete {files[0].parent} and unpack {archive.filename} from "
        f"{archive.url} again."
    )


locate_cifar10, decode_cifar10 = partial(_locate, "CIFAR10"), partial(_decode, "CIFAR10")
locate_cifar100, decode_cifar100 = partial(_locate, "CIFAR100"), partial(_decode, "CIFAR100")
