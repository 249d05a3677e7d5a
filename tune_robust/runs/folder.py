"""Where things lie in a run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tune_robust.errors import UserError
from tune_robust.files import lies_in
from tune_robust.runs.documents import read_document, write_document
from tune_robust.runs.lock import is_locked
from tune_robust.runs.meta import RunMeta
from tune_robust.runs.trial import is_trial_name


class Uploader(Protocol):
    """Carries a run to where it lies, for as long as it is open."""

    def upload_soon(self) -> None:
        """Something of weight has been written."""

    def close(self) -> None:
        """Carry over what is left."""


class RunFolder:
    """Where things lie in a run's folder."""

    def __init__(self, path: Path):
        self.path = path
        self.meta = path / "run.json"
        self.events = path / "events.jsonl"
        self.journal = path / "study.journal"
        self.trials = path / "trials.parquet"
        self.epochs = path / "epochs.parquet"
        self.lock = path / "run.lock"
        self.tensorboard = path / "tensorboard"

    @property
    def place(self) -> str:
        """Where the run lies, as a user names it."""
        return str(self.path)

    @property
    def storage(self) -> str:
        """The folder that the run lies in."""
        return str(self.path.parent)

    @property
    def checkpoints_are_here(self) -> bool:
        """Whether checkpoints lie on this machine's disk."""
        return True

    def exists(self) -> bool:
        """Whether there is anything but what a creation that was cut short leaves."""
        if not self.path.is_dir():
            return self.path.exists()
        left = {self.lock.name, self.events.name}
        return any(p.name not in left and p.name[0] != "." for p in self.path.iterdir())

    def make(self) -> None:
        """Make the folder that a new run lies in.

        Raises:
            UserError: the storage cannot be written.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"cannot create {self.path.parent}: {error.strerror}. Choose a writable --storage."
            ) from error

    def inside(self, name: str) -> RunFolder:
        """A run that lies within this one."""
        return RunFolder(self.path / name)

    def outside(self) -> RunFolder:
        """The run that this one lies in."""
        return RunFolder(self.path.resolve().parent)

    def uploader(self) -> Uploader | None:
        """What uploads the run to where it lies, if that is elsewhere."""
        return None

    def upload(self) -> None:
        """Nothing to do: the run lies here."""

    def checkpoints(self, trial: str) -> str:
        """Where one trial's checkpoints lie, a path or a URI."""
        return str(self._checkpoints(trial).resolve())

    def has_checkpoint(self, trial: str) -> bool:
        """Whether a trial's last checkpoint is kept."""
        return (self._checkpoints(trial) / "last.pt").exists()

    def drop_checkpoints(self, trial: str) -> None:
        """Delete a trial's checkpoints."""
        self._drop(trial, self._checkpoints(trial))

    def drop_unknown_checkpoints(self, trials: Collection[str]) -> None:
        """Delete those of trials other than ``trials``, whose events were lost with a machine.

        The trial that will have such a name next may be another one.
        """
        if (self.path / "checkpoints").is_dir():
            for folder in (self.path / "checkpoints").iterdir():
                if folder.name not in trials:
                    self.drop_checkpoints(folder.name)

    def _drop(self, trial: str, folder: Path) -> None:
        """Delete a trial's ``folder``, unless a link leads out of the run to it."""
        if is_trial_name(trial) and not folder.is_symlink() and lies_in(folder, self.path):
            shutil.rmtree(folder, ignore_errors=True)

    def fetch_checkpoint(self, trial: str, name: str) -> Path | None:
        """The file of one checkpoint; None where there is none."""
        path = self._checkpoints(trial) / name
        return path if path.exists() else None

    def _checkpoints(self, trial: str) -> Path:
        return self.path / "checkpoints" / trial

    @property
    def predictions(self) -> str:
        """Where the trials' predictions lie, a path or a URI."""
        return str(self._predictions.resolve())

    def drop_predictions(self, trial: str) -> None:
        """Delete a trial's predictions."""
        self._drop(trial, self._predictions / trial)

    def drop_unknown_predictions(self, trials: Collection[str]) -> None:
        """Delete those of trials other than ``trials``, as ``drop_unknown_checkpoints`` does."""
        for folder in self._predictions.glob("t*/"):
            if folder.name not in trials:
                self.drop_predictions(folder.name)

    @property
    def _predictions(self) -> Path:
        return self.path / "predictions"

    def read_meta(self) -> dict[str, Any]:
        """run.json, which is described by ``RunMeta``.

        Raises:
            UserError: it is damaged, or was written by a newer version.
        """
        remedy = "The run cannot be read without it: restore it from a copy."
        return read_document(self.meta, RunMeta, remedy)

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Write run.json."""
        write_document(self.meta, meta)

    @property
    def id(self) -> str | None:
        """What tells the run from all others; None for those of earlier versions."""
        return self.read_meta().get("id") if self.meta.exists() else None

    @contextmanager
    def noting(self, **facts: Any) -> Iterator[None]:
        """Keep in run.json what is so for the time being; null afterwards."""
        self.write_meta({**self.read_meta(), **facts})
        yield
        self.write_meta({**self.read_meta(), **dict.fromkeys(facts)})

    def is_live(self) -> bool:
        """Whether some process holds the run open for writing."""
        return is_locked(self.lock) or is_locked(self.events)
