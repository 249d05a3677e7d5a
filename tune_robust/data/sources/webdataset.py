"""Images in tar files of the WebDataset layout: ``*train*.tar`` and, if there are any, ``*test*``.

A sample is the files of one name next to each other in a tar file, such as ``0007.jpg`` and
``0007.cls``; the latter has the label as text, a number or the name of a class. Other files of a
sample are not read. The images are read where they are in the tar files, which may therefore not be
compressed.
"""

from __future__ import annotations

import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tune_robust.config import DataConfig
from tune_robust.data.encoded import Encoded, Index
from tune_robust.data.naming import class_index
from tune_robust.data.progress import progress
from tune_robust.data.sources.directory import directory_of
from tune_robust.data.sources.folder import SUFFIXES
from tune_robust.data.sources.labels import check_labels, numbered_classes
from tune_robust.errors import UserError

TEST_NAMES = ("test", "val")
"""What the names of tar files with test images contain; the first one that occurs is used."""

_LABEL = "cls"


class _Sample(NamedTuple):
    """An image in a tar file, ``name``, ``start`` and ``size`` of its bytes, and its label."""

    name: str
    start: int
    size: int
    label: str


def locate(config: DataConfig) -> Sequence[Path]:
    """Return the tar files of ``config.dir`` by name: those of training, then those of the test.

    Raises:
        UserError: there is none of training, or they are compressed.
    """
    directory = directory_of(config, "tar files, such as train-000000.tar (and test-000000.tar)")
    train = sorted(directory.glob("*train*.tar"))
    if not train:
        raise UserError(f"{directory} has no *train*.tar.{_hint(directory)}")
    tests = (sorted(directory.glob(f"*{name}*.tar")) for name in TEST_NAMES)
    return [*train, *next((found for found in tests if found), [])]


def _hint(directory: Path) -> str:
    """Say what the folder contains, and what to do about compressed tar files."""
    packed = sorted(file.name for file in directory.glob("*.tar.*"))
    if packed:
        return f" {packed[0]} is compressed: unpack it with gunzip or the like, to plain .tar."
    found = sorted(file.name for file in directory.iterdir())[:5]
    return f" It has: {', '.join(found) or 'nothing'}. Name another with --data-dir (data.dir)."


def index(config: DataConfig, files: Sequence[Path], folder: Path) -> Index:
    """Return the images where they are in the tar files, in their order, and the label of each.

    If all labels are numbers, they are 0 to K - 1, else the classes are the names, sorted.

    Raises:
        UserError: a tar file is damaged, an image has no label, or a label is not as expected; the
            message names the file and the image.
    """
    ranges, texts, train = [], [], 0
    with progress("Reading the contents of tar files", len(files)) as advance:
        for number, file in enumerate(files):
            samples = _samples(file)
            ranges.append([(number, sample.start, sample.size) for sample in samples])
            texts += [sys.intern(sample.label) for sample in samples]
            train = len(texts) if _trains(file) else train
            advance(1)
    images = Encoded.of(files, np.concatenate(ranges, dtype=np.int64), "image")
    labels, classes = _labels(texts, train, images.place)
    return Index(images, labels, train, classes)


def read_names(config: DataConfig, files: Sequence[Path]) -> list[str]:
    """Return the names of the training images in their tar files, such as ``0007.jpg``."""
    return [sample.name for file in files if _trains(file) for sample in _samples(file)]


def _trains(file: Path) -> bool:
    return "train" in file.name


def _samples(path: Path) -> list[_Sample]:
    """Return the samples of a tar file in order."""
    try:
        with tarfile.open(path, "r:") as archive:
            found = [*_joined(path, archive)]
    except (tarfile.TarError, OSError) as error:
        raise UserError(
            f"{path} cannot be read as a tar file ({error}). It may be truncated or compressed: "
            "copy it again, or unpack it to a plain .tar."
        ) from error
    if not found:
        raise UserError(
            f"{path} has no images ({', '.join(sorted(SUFFIXES))}). Remove it, or copy it again."
        )
    return found


def _joined(path: Path, archive: tarfile.TarFile) -> Iterator[_Sample]:
    """Yield each image with the label that stands before or after it."""
    image: tarfile.TarInfo | None = None
    key, label = "", ""
    for member in archive:
        stem, _, suffix = member.name.rpartition(".")
        if not member.isfile():
            continue
        if stem != key:
            if image is not None:
                raise _without_label(path, image)
            key, label = stem, ""
        if suffix == _LABEL:
            label = _text(archive, member)
        elif f".{suffix.lower()}" in SUFFIXES:
            image = member
        if image is not None and label:
            yield _Sample(image.name, image.offset_data, image.size, label)
            image, label = None, ""
    if image is not None:
        raise _without_label(path, image)


def _text(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    opened = archive.extractfile(member)
    return "" if opened is None else opened.read().decode(errors="replace").strip()


def _without_label(path: Path, image: tarfile.TarInfo) -> UserError:
    stem = image.name.rpartition(".")[0]
    return UserError(
        f"{path}: {image.name} has no label. Next to it there must be {stem}.{_LABEL}, whose "
        "text is the number or the name of its class."
    )


def _labels(
    texts: Sequence[str], train: int, place: Callable[[int], str]
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return labels (N,) and the classes, which are those of the first ``train``."""
    if all(text.isdecimal() and len(text) < 10 for text in texts):
        labels = np.array(texts, np.int64)
        classes = numbered_classes(labels[:train], place)
        check_labels(labels, len(classes), place)
        return labels, classes
    classes = tuple(sorted(set(texts[:train])))
    first = {text: row for row, text in reversed([*enumerate(texts)])}
    numbers = {text: class_index(text, classes, place(row)) for text, row in first.items()}
    return np.array([numbers[text] for text in texts]), classes
