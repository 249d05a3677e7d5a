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
    """Optuna's file format, without its wait for the disk after each line.

    That wait (3 ms, at each epoch) would be most of what a decision costs, for a file that is
    written anew whenever the run is opened. Each append is one write at the file's end, so that
    ``optuna-dashboard`` may read, and add its notes, meanwhile.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Append operations, a line of JSON each."""
        lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._path.open("ab", buffering=0) as file:
            file.write(lines.encode())


class DerivedStorage(JournalStorage):
    """Optuna's storage, which knows by heart which trials wait to be asked for.

    At each proposal Optuna goes through all trials to find those. Only the study enqueues some, and
    asks for them at once; what anyone else writes into the journal is not for it.
    """

    def __init__(self, path: Path):
        super().__init__(DerivedJournal(path))
        self._waiting: list[int] = []

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """As in Optuna."""
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
        """As in Optuna."""
        if states != (TrialState.WAITING,):
            return super().get_all_trials(study_id, deepcopy, states)
        waiting = [t for t in map(self.get_trial, self._waiting) if t.state in states]
        self._waiting = [trial._trial_id for trial in waiting]
        return waiting
