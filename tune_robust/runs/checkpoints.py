"""The checkpoints that a trial leaves, in the run's folder or on a remote file system."""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from tune_robust.errors import UserError
from tune_robust.files import is_uri
from tune_robust.runs.remote.objects import Remote
from tune_robust.spaces.objective import Objective
from tune_robust.training import EpochResult, read_checkpoint


def open_checkpoints(place: str, objective: Objective) -> Checkpoints:
    """Those at ``place``, a path or a URI."""
    if is_uri(place):
        return RemoteCheckpoints(Remote(place), objective)
    return Checkpoints(Path(place), objective)


class Checkpoints:
    """The newest two checkpoints of a trial, and the best by the objective."""

    def __init__(self, folder: Path, objective: Objective):
        self._folder, self._objective = folder, objective
        self._last, self._previous = folder / "last.pt", folder / "previous.pt"
        self._best = folder / "best.pt"
        self._best_value: float | None = None

    def newest(self) -> Path | None:
        """The newest checkpoint that can be read; a damaged one gives way to the one before."""
        for path in (self._last, self._previous):
            try:
                read_checkpoint(path)
            except UserError:
                path.unlink(missing_ok=True)
            else:
                return path
        return None

    def save(self, result: EpochResult) -> bool:
        """Keep this epoch's state, and as the best if it is; whether it is.

        Raises:
            OSError: it cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._last.exists():
            _share(self._last, self._previous)
        result.save(self._last)
        best = self._is_best(result.metrics[self._objective.metric])
        if best:
            _share(self._last, self._best)
        return best

    def _is_best(self, value: float) -> bool:
        if self._best_value is None:
            with suppress(UserError):
                self._best_value = read_checkpoint(self._best).metrics[self._objective.metric]
        best = math.isfinite(value) and (
            self._best_value is None or self._objective.better(value, self._best_value)
        )
        if best:
            self._best_value = value
        return best


def _share(path: Path, other: Path) -> None:
    """Give ``other`` what ``path`` is now; both are there at every moment."""
    aside = other.with_suffix(".aside")
    aside.unlink(missing_ok=True)
    try:
        os.link(path, aside)
    except OSError:  # not every file system has links
        shutil.copyfile(path, aside)
    aside.replace(other)


class RemoteCheckpoints(Checkpoints):
    """The same on a remote file system, written through a folder of this process's own."""

    def __init__(self, remote: Remote, objective: Objective):
        self._own = tempfile.TemporaryDirectory(prefix="tune-robust-")
        super().__init__(Path(self._own.name), objective)
        self._remote = remote
        for path in (self._last, self._previous, self._best):
            remote.fetch(path.name, path)

    def save(self, result: EpochResult) -> bool:
        """Keep this epoch's state on both sides; the one before stays until it is over there."""
        had = self._last.exists()
        best = super().save(result)
        try:
            if had:
                self._remote.copy(self._last.name, self._previous.name)
            self._remote.store(self._last, self._last.name)
            if best:
                self._remote.copy(self._last.name, self._best.name)
        except UserError as error:
            raise OSError(errno.EIO, str(error), self._remote.uri) from error
        return best
