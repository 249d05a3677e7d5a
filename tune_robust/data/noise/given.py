"""Wrong labels that come with the data: a column beside the true ones, a CSV, or nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tune_robust.config import GivenNoise
from tune_robust.data.images import Images
from tune_robust.data.naming import class_index
from tune_robust.data.noise.replacing import check_order, checked, replaced
from tune_robust.errors import UserError, unknown

TRUE_COLUMN = "true_label"
"""A column of this name in a CSV must repeat the dataset's labels, which proves the order."""


def given(
    noise: GivenNoise,
    source: Images,
    classes: Sequence[str],
    parts: Sequence[np.ndarray],
    generator: np.random.Generator,
) -> np.ndarray:
    """The labels of a file, of a column of the dataset, or the dataset's own; nothing is drawn.

    Raises:
        UserError: when there is no such file or column, or its labels do not fit the source.
    """
    if not noise.truth_known:
        return source.labels.numpy()
    if noise.file is not None:
        labels = _from_csv(Path(noise.file), noise.column, source, classes)
    elif source.given_labels is not None:
        labels = source.given_labels.numpy()
    else:
        raise UserError(
            f"data.noise.column: this dataset was loaded without its column {noise.column}. Load "
            "it with the configuration that names the column."
        )
    name = noise.file or f"data.noise.column {noise.column}"
    return replaced(source, checked(labels, source, len(classes), name), parts)


def _from_csv(path: Path, column: str | None, source: Images, classes: Sequence[str]) -> np.ndarray:
    import pandas as pd

    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True)
    except FileNotFoundError:
        raise UserError(f"data.noise.file: there is no {path}.") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as CSV ({error}).") from error
    candidates = [name for name in table.columns if name != TRUE_COLUMN]
    if column is None and len(candidates) != 1:
        raise UserError(
            f"{path} has the columns {', '.join(table.columns)}: say which has the labels given, "
            "with data.noise.column."
        )
    column = column or candidates[0]
    if column not in table:
        raise UserError(f"{path}: {unknown('column', column, table.columns)}")
    if TRUE_COLUMN in table:
        name = f"{path} ({TRUE_COLUMN})"
        true = _indices(path, table[TRUE_COLUMN], classes)
        check_order(checked(true, source, len(classes), name), source, name)
    return _indices(path, table[column], classes)


def _indices(path: Path, names: Sequence[str], classes: Sequence[str]) -> np.ndarray:
    """Class names or numbers as indices; lines are counted as an editor does, the heading is 1."""
    indices: dict[str, int] = {}
    for line, name in enumerate(names, start=2):
        if name not in indices:
            indices[name] = class_index(name, classes, f"{path}, line {line}")
    return np.array([indices[name] for name in names], np.int64)
