"""Resolve the names that a user gives to classes and files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tune_robust.config import DEFAULT_DATA_DIR, DataConfig
from tune_robust.errors import UserError, nearest


def data_dir(config: DataConfig) -> Path:
    """Return ``config.dir``, by default ~/data."""
    return Path(config.dir or DEFAULT_DATA_DIR).expanduser()


def beside_the_data(config: DataConfig, file: str) -> Path:
    """Return ``file`` in the data folder if it exists there, else unchanged.

    A space can therefore name a file of labels without knowing where the data are.
    """
    beside = data_dir(config) / Path(file).expanduser()
    return beside if beside.exists() else Path(file).expanduser()


def class_index(name: str, classes: Sequence[str], key: str) -> int:
    """Return the index of the class with this name or, if there is none, with this number.

    Raises:
        UserError: there is no such class; the message names the setting or place ``key``.
    """
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < len(classes):
        return int(name)
    some = ", ".join(classes[:10]) + (", ..." if len(classes) > 10 else "")
    raise UserError(
        f"{key}: there is no class {name!r}.{nearest(name, classes)} Allowed: {some}, or 0 to "
        f"{len(classes) - 1}."
    )
