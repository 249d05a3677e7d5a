"""Images in folders: ``train/`` and optionally ``test/`` (or ``val/``), with one folder per class.

Images may lie in nested folders of a class. The classes are the folders of ``train/``, by name.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tune_robust.config import DataConfig
from tune_robust.data.encoded import Encoded, Index
from tune_robust.data.naming import data_dir
from tune_robust.errors import UserError, unknown
from tune_robust.formatting import listed

TEST_NAMES = ("test", "val", "validation")
"""The names of the folder of test images; the first one that exists is used."""

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def locate(config: DataConfig) -> Sequence[Path]:
    """Return every image, the training images first, sorted by class and by name.

    Raises:
        UserError: there is no such folder, or a class has no images.
    """
    if config.dir is None:
        raise UserError(
            "dataset folder needs the directory with train/ (and test/): name it with --data-dir "
            "(data.dir)."
        )
    directory = Path(config.dir).expanduser()
    train = _part(directory, ("train",))
    test = _part(directory, TEST_NAMES) if _has_test(directory) else []
    classes = [folder.name for folder in train]
    for folder in test:
        if folder.name not in classes:
            raise UserError(
                f"{folder}: {unknown('class of that name in train/', folder.name, classes)}"
            )
    return [image for folder in (*train, *test) for image in _images(folder)]


def _has_test(directory: Path) -> bool:
    return any((directory / name).is_dir() for name in TEST_NAMES)


def _part(directory: Path, names: Sequence[str]) -> list[Path]:
    """Return the folders of the classes of one part, sorted by name."""
    part = next((directory / name for name in names if (directory / name).is_dir()), None)
    if part is None:
        raise UserError(
            f"{_without(directory, names)} Expected: train/CLASS/*.jpg, and test/CLASS/*.jpg if "
            "there are test images. Name the folder that has them with --data-dir (data.dir)."
        )
    folders = sorted(
        entry for entry in part.iterdir() if entry.is_dir() and not entry.name.startswith(".")
    )
    if not folders:
        raise UserError(f"{part} has no folders; each class needs one, named after it.")
    return folders


def _without(directory: Path, names: Sequence[str]) -> str:
    """Say why ``directory`` has none of the sub-folders ``names``."""
    if not directory.is_dir():
        return f"there is no folder {directory}."
    found = sorted(entry.name for entry in directory.iterdir())[:5]
    wanted = " or ".join(f"{name}/" for name in names)
    return (
        f"{directory} has no folder {wanted}: it {f'has {listed(found)}' if found else 'is empty'}."
    )


def _images(folder: Path) -> list[Path]:
    found = sorted(
        Path(inside, name)
        for inside, names in _walked(folder)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES and not name.startswith(".")
    )
    if not found:
        raise UserError(
            f"{folder} has no images ({', '.join(sorted(SUFFIXES))}). Remove this class, or give "
            "it some."
        )
    wrong = next((file for file in found if not file.is_file()), None)
    if wrong is not None:
        is_what = "not a regular file" if wrong.exists() else "a broken link"
        raise UserError(f"{wrong} is {is_what}. Repair or remove it.")
    return found


def _walked(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield each folder inside, following links, with the names of its files."""
    for inside, folders, names in os.walk(folder, followlinks=True):
        around = {os.path.realpath(each) for each in (Path(inside), *Path(inside).parents)}
        for name in folders:
            if os.path.realpath(path := os.path.join(inside, name)) in around:
                raise UserError(
                    f"{path} is a link to a folder that it lies in, so that its images would never "
                    "end. Remove it."
                )
        yield inside, names


def read_names(config: DataConfig, files: Sequence[Path]) -> list[str]:
    """Return the paths of the training images inside ``train/``, such as ``cat/a.jpg``."""
    directory = data_dir(config)
    inside = [file.relative_to(directory).parts for file in files]
    return ["/".join(parts[1:]) for parts in inside if parts[0] == "train"]


def index(config: DataConfig, files: Sequence[Path], folder: Path) -> Index:
    """Return the images where they are, with the class of each; the test images may be none."""
    directory = data_dir(config)
    places = [file.relative_to(directory).parts[:2] for file in files]
    classes = sorted({label for part, label in places if part == "train"})
    numbers = {label: number for number, label in enumerate(classes)}
    labels = np.array([numbers[label] for _, label in places])
    ranges = np.zeros((len(files), 3), np.int64)
    ranges[:, 0] = np.arange(len(files))
    ranges[:, 2] = [file.stat().st_size for file in files]
    train = sum(part == "train" for part, _ in places)
    return Index(Encoded.of(files, ranges), labels, train, tuple(classes))
