"""Logs trials in a thread of its own: a slow or lost server neither delays nor stops a search."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pydantic import BaseModel

from tune_robust.runs.documents import read_document, write_document
from tune_robust.runs.trial import ENDED, Status, Trial
from tune_robust.tracking.tracker import Tracker

PATIENCE = 60.0
"""How many seconds the end of a search waits for the tracker to take what is left."""


class Logged(BaseModel):
    """The tracker's run of a trial; ``ended``: the status with which it was logged to its end."""

    id: str
    ended: Status | None = None


class _State(BaseModel):
    """The content of ``wandb.json`` or ``mlflow.json`` in a run's folder."""

    trials: dict[str, Logged]


class Tracking:
    """A watcher that hands trials to a tracker in the background.

    What the tracker has is recorded in the run's folder. A search that continues therefore
    continues the same runs of the tracker; a trial that is trained again gets a new one.

    Args:
        tracker: where to log.
        state: the file that records which runs the tracker has.
        warn: called with one sentence, in the thread of ``update`` or ``close``, if the tracker
            fails. Nothing is logged after that.
        patience: how many seconds ``close`` waits.
    """

    def __init__(
        self,
        tracker: Tracker,
        state: Path,
        warn: Callable[[str], None],
        *,
        patience: float = PATIENCE,
    ):
        self._tracker, self._state, self._warn = tracker, state, warn
        self._patience = patience
        self._logged: dict[str, Logged] = {}
        self._epochs: dict[str, int] = {}
        self._queue: SimpleQueue[Trial | None] = SimpleQueue()
        self._problem: str | None = None
        self._told = False
        self._thread = threading.Thread(target=self._work, name=tracker.title, daemon=True)

    def open(self, trials: Iterable[Trial]) -> None:
        """Start with everything that the run has so far."""
        self._thread.start()
        for trial in trials:
            self.update(trial)

    def update(self, trial: Trial) -> None:
        """Hand over a trial as it is now."""
        if self._problem is None:
            self._queue.put(replace(trial, epochs=dict(trial.epochs)))
        self._tell()

    def close(self) -> None:
        """Wait until everything is logged, but no longer than ``patience``."""
        self._queue.put(None)
        self._thread.join(self._patience)
        if self._thread.is_alive() and self._problem is None:
            self._problem = f"it has not taken everything within {self._patience:g} s"
        self._tell()

    def _tell(self) -> None:
        if self._problem is not None and not self._told:
            self._told = True
            run = self._state.parent
            self._warn(
                f"Logging to {self._tracker.title} has failed, and the search goes on without it: "
                f"{self._problem}. Nothing of the search is lost; once the cause is removed, "
                f"`tune-robust resume {run}` logs what is missing."
            )

    def _work(self) -> None:
        try:
            self._read()
            while (trial := self._queue.get()) is not None:
                self._take(trial)
            self._tracker.close()
        except Exception as error:
            first = str(error).strip().partition("\n")[0].rstrip(".")
            self._problem = f"{type(error).__name__}: {first}"

    def _take(self, trial: Trial) -> None:
        """Log what is new of a trial that runs or has ended."""
        logged = self._logged.get(trial.name)
        if trial.status not in ENDED and trial.status != "running":
            return
        if logged is not None and logged.ended == trial.status:
            return
        if trial.name not in self._epochs:
            known = logged.id if logged is not None and not logged.ended else None
            number, self._epochs[trial.name] = self._tracker.start(trial, known)
            self._write(trial.name, Logged(id=number))
        for epoch in sorted(e for e in trial.epochs if e > self._epochs[trial.name]):
            self._tracker.log(trial, epoch)
            self._epochs[trial.name] = epoch
        if trial.status in ENDED:
            self._tracker.end(trial)
            del self._epochs[trial.name]
            self._write(trial.name, Logged(id=self._logged[trial.name].id, ended=trial.status))

    def _read(self) -> None:
        if self._state.exists():
            remedy = "Delete it to log all trials again."
            found: dict[str, Any] = read_document(self._state, _State, remedy)
            self._logged = _State.model_validate(found).trials
        else:
            self._save()

    def _write(self, name: str, logged: Logged) -> None:
        self._logged[name] = logged
        self._save()

    def _save(self) -> None:
        write_document(self._state, _State(trials=self._logged).model_dump())
