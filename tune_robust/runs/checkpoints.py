"""The checkpoints of a trial, in the run's folder or on a remote file system."""

from __future__ import annotations

import errno
import math
import tempfile
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import NamedTuple

from tune_robust.config import TrainConfig
from tune_robust.errors import UserError
from tune_robust.files import is_uri, link_aside, make_two_levels, sync_folder
from tune_robust.runs.background import Background
from tune_robust.runs.remote.objects import Remote
from tune_robust.spaces.objective import Objective
from tune_robust.training import (
    Checkpoint,
    EpochResult,
    continued_config,
    read_checkpoint,
    write_checkpoint,
)


class Owner(NamedTuple):
    """The owner of checkpoints: the run's id (None for runs of earlier versions) and the trial."""

    run: str | None
    trial: str
    config: TrainConfig


def read_own_checkpoint(path: Path, owner: Owner) -> Checkpoint:
    """Read a checkpoint of ``owner``; checkpoints of earlier versions do not name their owner.

    Raises:
        UserError: it is missing, damaged, or belongs to another trial; the message says which.
    """
    checkpoint = read_checkpoint(path)
    named = checkpoint.owner or {}
    trial, run = named.get("trial", owner.trial), named.get("run")
    if trial != owner.trial or (run is not None and owner.run is not None and run != owner.run):
        raise UserError(f"{path} belongs to {trial} of {_same_or_another(run, owner)} run.")
    continued_config(checkpoint, owner.config, path)
    return checkpoint


def _same_or_another(run: str | None, owner: Owner) -> str:
    return "this" if run in (None, owner.run) else "another"


def open_checkpoints(place: str, objective: Objective, owner: Owner) -> Checkpoints:
    """Open the checkpoints at ``place``, a path or a URI."""
    if is_uri(place):
        return RemoteCheckpoints(Remote(place), objective, owner)
    return Checkpoints(Path(place), objective, owner)


class Checkpoints:
    """The newest two checkpoints of a trial, and the best by the objective.

    ``notes`` has a sentence on each checkpoint that could not be used.
    """

    def __init__(self, folder: Path, objective: Objective, owner: Owner):
        self._folder, self._objective, self._owner = folder, objective, owner
        self._last, self._previous = folder / "last.pt", folder / "previous.pt"
        self._best = folder / "best.pt"
        self._best_value: float | None = None
        self._made = False
        self._background = Background()
        self.notes: list[str] = []

    def newest(self) -> tuple[Path, Checkpoint] | None:
        """Return the newest checkpoint that is intact and belongs to the trial.

        Any other one is set aside, and the previous one is used instead.
        """
        for path in (self._last, self._previous):
            if not path.is_symlink() and not path.exists():
                continue
            try:
                checkpoint = read_own_checkpoint(path, self._owner)
            except (UserError, OSError) as error:
                self._set_aside(path, error)
            else:
                self._tell_where_from(f"epoch {checkpoint.epoch}, from {path.name}")
                return path, checkpoint
        self._tell_where_from("nothing")
        return None

    def save(self, result: EpochResult, *, wait: bool = False) -> None:
        """Save this epoch's state, also as the best one if it is.

        The state is copied and then written in the background, while the next epoch is trained. The
        epoch before is on disk when this returns and, with ``wait``, this one too.

        Raises:
            OSError: this one or the one before cannot be written.
        """
        self.wait()
        if not self._made:
            make_two_levels(self._folder)
            self._made = True
        checkpoint = result.snapshot({"run": self._owner.run, "trial": self._owner.trial})
        self._background.start(partial(self._write, checkpoint))
        if wait:
            self.wait()

    def wait(self) -> None:
        """Return when everything saved is on disk.

        Raises:
            OSError: it cannot be written.
        """
        self._background.wait()

    def _write(self, checkpoint: Checkpoint) -> bool:
        """Write a checkpoint and return whether it is the best one."""
        if not self._folder.exists():  # deleted: the trial has ended and is not among the best
            self._folder.parent.stat()  # an error if the whole run is gone
            return False
        if self._last.exists():
            link_aside(self._last, self._previous)
        write_checkpoint(self._last, checkpoint)
        best = self._is_best(checkpoint.metrics[self._objective.metric])
        if best:
            link_aside(self._last, self._best)
            sync_folder(self._folder)
        return best

    def _set_aside(self, path: Path, error: Exception) -> None:
        kept = path.with_name(f"{path.name}.damaged")
        path.replace(kept)
        self.notes.append(f"{path.name} could not be used and is kept as {kept.name}: {error}")

    def _tell_where_from(self, place: str) -> None:
        if self.notes:
            self.notes.append(f"training continued from {place}")

    def _is_best(self, value: float) -> bool:
        if self._best_value is None:
            with suppress(UserError, OSError):
                kept = read_own_checkpoint(self._best, self._owner)
                self._best_value = kept.metrics[self._objective.metric]
        best = math.isfinite(value) and (
            self._best_value is None or self._objective.better(value, self._best_value)
        )
        if best:
            self._best_value = value
        return best


class RemoteCheckpoints(Checkpoints):
    """Checkpoints on a remote file system, written through a temporary local folder."""

    def __init__(self, remote: Remote, objective: Objective, owner: Owner):
        self._own = tempfile.TemporaryDirectory(prefix="tune-robust-")
        super().__init__(Path(self._own.name), objective, owner)
        self._remote = remote
        for path in (self._last, self._previous, self._best):
            remote.fetch(path.name, path)

    def save(self, result: EpochResult, *, wait: bool = False) -> None:
        """Save this epoch's state, complete on return.

        An upload in the background could come after the trial's files were deleted, and stay.
        """
        super().save(result, wait=True)

    def _write(self, checkpoint: Checkpoint) -> bool:
        """Write it locally and upload it; the previous one is kept until that has finished."""
        had = self._last.exists()
        best = super()._write(checkpoint)
        try:
            if had:
                self._remote.copy(self._last.name, self._previous.name)
            self._remote.store(self._last, self._last.name)
            if best:
                self._remote.copy(self._last.name, self._best.name)
        except UserError as error:
            raise OSError(errno.EIO, str(error), self._remote.uri) from error
        return best
