"""The checkpoints of a trial, in the run's folder or on a remote file system."""

from __future__ import annotations

import errno
import math
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from tune_robust.config import TrainConfig
from tune_robust.errors import UserError
from tune_robust.files import is_uri, link_aside, make_two_levels, sync_folder
from tune_robust.loops import LoopCheckpoint, LoopEpoch, read_loop_checkpoint
from tune_robust.loops.running import check_continues
from tune_robust.runs.remote.objects import Remote
from tune_robust.spaces.objective import Objective

if TYPE_CHECKING:
    from tune_robust.training import Checkpoint, EpochResult

AnyCheckpoint: TypeAlias = "Checkpoint | LoopCheckpoint"
AnyEpoch: TypeAlias = "EpochResult | LoopEpoch"


class Owner(NamedTuple):
    """The owner of checkpoints: the run's id (None for runs of earlier versions) and the trial.

    ``continues`` is the trial, and the epoch, whose checkpoint it begins with.
    """

    run: str | None
    trial: str
    config: TrainConfig
    continues: tuple[str, int] | None = None


def read_own_checkpoint(path: Path, owner: Owner) -> AnyCheckpoint:
    """Read a checkpoint of ``owner``; checkpoints of earlier versions do not name their owner.

    Raises:
        UserError: it is missing, damaged, or belongs to another trial; the message says which.
    """
    checkpoint = _read(path, owner)
    named = checkpoint.owner or {}
    trial, run = named.get("trial", owner.trial), named.get("run")
    inherited = (trial, checkpoint.epoch) == owner.continues
    if (trial != owner.trial and not inherited) or (
        run is not None and owner.run is not None and run != owner.run
    ):
        raise UserError(f"{path} belongs to {trial} of {_same_or_another(run, owner)} run.")
    if isinstance(checkpoint, LoopCheckpoint):
        check_continues(checkpoint, owner.config, path)
    else:
        from tune_robust.training import continued_config

        continued_config(checkpoint, owner.config, path)
    return checkpoint


def _read(path: Path, owner: Owner) -> AnyCheckpoint:
    if owner.config.loop is not None:
        return read_loop_checkpoint(path)
    # Only here: PyTorch, which loops of the user's own may do without.
    from tune_robust.training import read_checkpoint

    return read_checkpoint(path)


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
        self.notes: list[str] = []

    def newest(self) -> tuple[Path, AnyCheckpoint] | None:
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

    def save(self, result: AnyEpoch) -> bool:
        """Save this epoch's state, also as the best one if it is; return whether it is.

        Raises:
            OSError: it cannot be written.
        """
        make_two_levels(self._folder)
        if self._last.exists():
            link_aside(self._last, self._previous)
        result.save(self._last, {"run": self._owner.run, "trial": self._owner.trial})
        best = self._is_best(result.metrics[self._objective.metric])
        if best:
            link_aside(self._last, self._best)
            sync_folder(self._folder)
        return best

    def _set_aside(self, path: Path, error: Exception) -> None:
        kept = path.with_name(f"{path.name}.damaged")
        path.replace(kept)
        why = str(error).rstrip(".")
        self.notes.append(f"{path.name} could not be used and is kept as {kept.name}: {why}.")

    def _tell_where_from(self, place: str) -> None:
        if self.notes:
            self.notes.append(f"Training continued from {place}.")

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

    def save(self, result: AnyEpoch) -> bool:
        """Save this epoch's state; the previous one is kept until the upload has finished."""
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
