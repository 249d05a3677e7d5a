"""Optuna's journal as a file derived from the run store."""

from __future__ import annotations

import json
from collections.abc import Container
from pathlib import Path
from typing import Any

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState


class DerivedJournal(JournalFileBackend):
    """Optuna's file format, without waiting for the disk after each line.

    Waiting (3 ms at each epoch) would take most of the time of a decision, for a file that is
    rewritten whenever the run is opened. Each append is one write at the end of the file, so that
    ``optuna-dashboard`` can read it, and add its notes, at the same time.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations, each as a line of JSON."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._path.open("ab", buffering=0) as file:
            file.write(lines.encode())


class DerivedStorage(JournalStorage):
    """Optuna's storage with a list of the enqueued trials.

    At each proposal, Optuna searches all trials for enqueued ones. Only the study enqueues trials,
    and asks for them at once; trials that others enqueue in the journal are ignored.
    """

    def __init__(self, path: Path):
        super().__init__(DerivedJournal(path))
        self._waiting: list[int] = []

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """Do the same as in Optuna."""
        trial_id = super().create_new_trial(study_id, template_trial)
        if template_trial is not None and template_trial.state == TrialState.WAITING:
            self._waiting.append(trial_id)
        return trial_id

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """Do the same as in Optuna."""
        if states != (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        waiting = [t for t in map(self.get_trial, self._waiting) if t.state in states]
        self._waiting = [trial._trial_id for trial in waiting]
        return waiting
