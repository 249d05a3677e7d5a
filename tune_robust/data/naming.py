"""Classes and files as a user names them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tune_robust.config import DEFAULT_DATA_DIR, DataConfig
from tune_robust.errors import UserError, nearest


def data_dir(config: DataConfig) -> Path:
    """``config.dir``, by default ~/data."""
    return Path(config.dir or DEFAULT_DATA_DIR).expanduser()


def beside_the_data(config: DataConfig, file: str) -> Path:
    """``file`` in the data's directory if it is there, else as it is.

    So that a space may name a file of labels that lies with the data, wherever that is.
    """
    beside = data_dir(config) / Path(file).expanduser()
    return beside if beside.exists() else Path(file).expanduser()


def class_index(name: str, classes: Sequence[str], key: str) -> int:
    """The index of the class of that name or, where none has it, of that number.

    Raises:
        UserError: naming the setting or place ``key`` when there is no such class.
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
