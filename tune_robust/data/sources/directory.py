"""The directory in which the files of a data set are."""

from __future__ import annotations

from pathlib import Path

from tune_robust.config import DataConfig
from tune_robust.errors import UserError


def directory_of(config: DataConfig, files: str) -> Path:
    """Return ``config.dir``; ``files`` says what should be in it.

    Raises:
        UserError: none was named, or it is not a directory.
    """
    if config.dir is None:
        raise UserError(
            f"dataset {config.dataset} needs the directory of its {files}: name it with --data-dir "
            "(data.dir)."
        )
    directory = Path(config.dir).expanduser()
    if not directory.is_dir():
        raise UserError(f"{directory} is not a directory; name another with --data-dir (data.dir).")
    return directory
