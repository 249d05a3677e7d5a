"""Find and load a run: every command accepts a Run, a name, a path or a URI."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

from tune_robust.runs.find import find_run
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.naming import STORAGE

if TYPE_CHECKING:
    from analysis.stored.run import Run

RunLike: TypeAlias = Union["Run", str, Path]
"""A loaded run, its name in a storage, its path or its URI."""


def folder_of(run: RunLike, storage: str | Path = STORAGE) -> RunFolder:
    """Return the folder of a run.

    Raises:
        UserError: there is no such run; the message names the nearest.
    """
    return find_run(str(getattr(run, "place", run)), str(storage))


def load_run(run: RunLike, *, storage: str | Path = STORAGE) -> Run:
    """Load a run: ``run.trials`` and ``run.epochs`` are its tables as data frames.

    A run can be read while its search is running, from the first second on, and after the search
    was interrupted. Its tables are empty, with all their columns, until an epoch has ended.

    Args:
        run: a name under ``storage``, a path, a URI, or a Run to load again.
        storage: the folder or URI that holds the runs.

    Returns:
        The run, with its tables as data frames.

    Raises:
        UserError: there is no such run, or it is damaged.
    """
    from analysis.stored.run import load_run as read_run

    folder = folder_of(run, storage)
    return read_run(folder.path, place=folder.place)
