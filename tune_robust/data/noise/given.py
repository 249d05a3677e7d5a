"""Labels that come with the data: in a column next to the true ones, in a CSV, or on their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from tune_robust.config import GivenNoise
from tune_robust.data.images import Images
from tune_robust.data.naming import class_index
from tune_robust.data.noise.replacing import check_order, checked, replaced
from tune_robust.errors import UserError, nearest, unknown

TRUE_COLUMN = "true_label"
"""A column of this name in a CSV must equal the data set's labels, which confirms the order."""

FILE_COLUMNS = ("file", "filename", "path")
"""A column with one of these names in a CSV names the image of each row."""


def given(
    noise: GivenNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """Return the labels in a file, in a column of the data set, or the data set's own labels.

    Raises:
        UserError: there is no such file or column, or its labels do not fit the source.
    """
    if not noise.replaces_labels:
        return source.labels.numpy()
    if noise.file is not None:
        labels = _from_csv(Path(noise.file), noise.key, source, classes)
    elif source.given_labels is not None:
        labels = source.given_labels.numpy()
    else:
        raise UserError(
            f"data.noise.key: this dataset was loaded without its column {noise.key}. Load "
            "it with the configuration that names the column."
        )
    name = noise.file or f"data.noise.key {noise.key}"
    return replaced(source, checked(labels, source, len(classes), name), parts)


def _from_csv(path: Path, column: str | None, source: Images, classes: Sequence[str]) -> np.ndarray:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError:
        raise UserError(f"data.noise.file: there is no {path}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as CSV ({error}).") from error
    files = next((name for name in FILE_COLUMNS if name in table and name != column), None)
    candidates = [name for name in table.columns if name not in (TRUE_COLUMN, files)]
    if column is None and len(candidates) != 1:
        raise UserError(
            f"{path} has the columns {', '.join(table.columns)}: say which has the labels given, "
            "with data.noise.key."
        )
    column = column or candidates[0]
    if column not in table:
        raise UserError(f"{path}: {unknown('column', column, table.columns)}")
    lines = np.arange(len(table)) + 2
    if files is not None:
        rows = _rows_of_images(path, files, table[files], source.names)
        table, lines = table.iloc[rows], lines[rows]
    if TRUE_COLUMN in table:
        name = f"{path} ({TRUE_COLUMN})"
        true = _indices(path, table[TRUE_COLUMN], lines, classes)
        check_order(checked(true, source, len(classes), name), source, name)
    return _indices(path, table[column], lines, classes)


def _rows_of_images(
    path: Path, column: str, files: Sequence[str], names: Sequence[str] | None
) -> list[int]:
    """Return the row of each training image, by the names of the image files.

    Raises:
        UserError: the images have no names, or an image does not have exactly one row.
    """
    if names is None:
        raise UserError(
            f"{path} names files in its column {column}, but the images of this dataset have no "
            "file names. Remove the column if the rows are in the dataset's order."
        )
    places = _places(names)
    rows: dict[int, int] = {}
    for row, file in enumerate(files):
        image = places.get(file, places.get(_plain(file)))
        where = f"{path}, line {row + 2}"
        if image is None:
            raise UserError(
                f"{where}: there is no training image {file!r}.{nearest(_plain(file), names)} "
                f"Images are named as in train/, such as {names[0]!r}."
            )
        if image in rows:
            raise UserError(
                f"{where}: {file!r} is the training image {names[image]!r}, which line "
                f"{rows[image] + 2} is about already. Each image needs one row."
            )
        rows[image] = row
    missing = [name for image, name in enumerate(names) if image not in rows]
    if missing:
        raise UserError(
            f"{path} has no row for {len(missing):,} of the {len(names):,} training images (the "
            f"first is {missing[0]!r}). Each image needs one row."
        )
    return [rows[image] for image in range(len(names))]


def _places(names: Sequence[str]) -> dict[str, int]:
    """Map each path inside train/ to its image, and each file name that only one image has."""
    whole = {name: place for place, name in enumerate(names)}
    alone = [name.rpartition("/")[2] for name in names]
    unique = Counter(alone)
    return {name: p for p, name in enumerate(alone) if unique[name] == 1} | whole


def _plain(file: str) -> str:
    """Return the part of a path that is inside train/."""
    inside = file.strip().replace("\\", "/").removeprefix("./")
    return inside.removeprefix("train/").rpartition("/train/")[2]


def _indices(
    path: Path, names: Sequence[str], lines: Iterable[int], classes: Sequence[str]
) -> np.ndarray:
    """Return the indices of class names or numbers.

    Line numbers in errors count the header as 1.
    """
    indices: dict[str, int] = {}
    for line, name in zip(lines, names, strict=True):
        if name not in indices:
            indices[name] = class_index(name, classes, f"{path}, line {line}")
    return np.array([indices[name] for name in names], np.int64)
