"""The paths in a run's folder."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from tune_robust.errors import UserError
from tune_robust.files import lies_in, link_aside, make_two_levels, sync_folder
from tune_robust.runs.documents import read_document, write_document
from tune_robust.runs.lock import is_locked
from tune_robust.runs.meta import RunMeta
from tune_robust.runs.trial import is_trial_name


class Uploader(Protocol):
    """Uploads a run to its storage while it is open."""

    def upload_soon(self) -> None:
        """Upload soon: something important has been written."""

    def close(self) -> None:
        """Upload what is left."""


class RunFolder:
    """The paths in a run's folder."""

    def __init__(self, path: Path):
        self.path = path
        self.meta = path / "run.json"
        self.events = path / "events.jsonl"
        self.journal = path / "study.journal"
        self.trials = path / "trials.parquet"
        self.epochs = path / "epochs.parquet"
        self.lock = path / "run.lock"
        self.tensorboard = path / "tensorboard"

    def tracking(self, tracker: str) -> Path:
        """Return the file with what an experiment tracker (``wandb``, ``mlflow``) has."""
        return self.path / f"{tracker}.json"

    @property
    def place(self) -> str:
        """The path or URI of the run."""
        return str(self.path)

    @property
    def storage(self) -> str:
        """The folder that contains the run."""
        return str(self.path.parent)

    @property
    def checkpoints_are_here(self) -> bool:
        """Whether checkpoints are on this machine's disk."""
        return True

    def exists(self) -> bool:
        """Whether the run exists; the remains of an interrupted creation do not count."""
        if not self.path.is_dir():
            return self.path.exists()
        left = {self.lock.name, self.events.name}
        return any(p.name not in left and p.name[0] != "." for p in self.path.iterdir())

    def make(self) -> None:
        """Create the folder that will contain a new run.

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
        """Return a run inside this one."""
        return RunFolder(self.path / name)

    def outside(self) -> RunFolder:
        """Return the run that contains this one."""
        return RunFolder(self.path.resolve().parent)

    def uploader(self) -> Uploader | None:
        """Return what uploads the run to its storage; None for a run on this machine."""
        return None

    def refresh_log(self) -> None:
        """Download what was added to the log; nothing to do for a run on this machine."""

    def upload(self) -> None:
        """Upload the run; nothing to do for a run on this machine."""

    def checkpoints(self, trial: str) -> str:
        """Return the path or URI of one trial's checkpoints."""
        return str(self._checkpoints(trial).resolve())

    def has_checkpoint(self, trial: str) -> bool:
        """Return whether a trial's last checkpoint is kept."""
        return (self._checkpoints(trial) / "last.pt").exists()

    def copy_checkpoint(self, trial: str, to: str) -> None:
        """Let another trial, which is not recorded yet, begin with a trial's last checkpoint.

        Nothing is copied if it is not there: the other one then trains from the beginning.
        """
        last, other = self._checkpoints(trial) / "last.pt", self._checkpoints(to)
        if last.exists():
            make_two_levels(other)
            link_aside(last, other / last.name)
            sync_folder(other)

    def drop_checkpoints(self, trial: str) -> None:
        """Delete a trial's checkpoints."""
        self._drop(trial, self._checkpoints(trial))

    def drop_unknown_checkpoints(self, trials: Collection[str]) -> None:
        """Delete the checkpoints of trials other than ``trials``, whose events were lost.

        The next trial with such a name may be a different one.
        """
        if (self.path / "checkpoints").is_dir():
            for folder in (self.path / "checkpoints").iterdir():
                if folder.name not in trials:
                    self.drop_checkpoints(folder.name)

    def drop_inside(self, folder: Path) -> None:
        """Delete a folder of the run, unless a link leads out of the run to it."""
        if not folder.is_symlink() and lies_in(folder, self.path):
            shutil.rmtree(folder, ignore_errors=True)

    def _drop(self, trial: str, folder: Path) -> None:
        """Delete a trial's ``folder``, unless a link leads out of the run to it."""
        if is_trial_name(trial):
            self.drop_inside(folder)

    def fetch_checkpoint(self, trial: str, name: str) -> Path | None:
        """Return the file of one checkpoint; None if there is none."""
        path = self._checkpoints(trial) / name
        return path if path.exists() else None

    def _checkpoints(self, trial: str) -> Path:
        return self.path / "checkpoints" / trial

    @property
    def predictions(self) -> str:
        """The path or URI of the trials' predictions."""
        return str(self._predictions.resolve())

    def drop_predictions(self, trial: str) -> None:
        """Delete a trial's predictions."""
        self._drop(trial, self._predictions / trial)

    def drop_unknown_predictions(self, trials: Collection[str]) -> None:
        """Delete the predictions of trials other than ``trials``, whose events were lost."""
        for folder in self._predictions.glob("t*/"):
            if folder.name not in trials:
                self.drop_predictions(folder.name)

    @property
    def _predictions(self) -> Path:
        return self.path / "predictions"

    def read_meta(self) -> dict[str, Any]:
        """Read run.json, which ``RunMeta`` describes.

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
        """The unique identifier of the run; None for runs of earlier versions."""
        return self.read_meta().get("id") if self.meta.exists() else None

    @contextmanager
    def noting(self, **facts: Any) -> Iterator[None]:
        """Record ``facts`` in run.json while inside; they are null afterwards."""
        self.write_meta({**self.read_meta(), **facts})
        yield
        self.write_meta({**self.read_meta(), **dict.fromkeys(facts)})

    def is_live(self) -> bool:
        """Return whether a process has the run open for writing."""
        return is_locked(self.lock) or is_locked(self.events)
