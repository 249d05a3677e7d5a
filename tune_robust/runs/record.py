"""What the events of a run say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune_robust.runs.log import EventLog
from tune_robust.runs.trial import Trial, name_of


class Record:
    """What the events say.

    ``trials`` by name, in the order proposed; ``history`` has as its keys each (trial, epoch) once,
    in the order in which they were first seen; ``restarted`` are the trials whose epochs were
    forgotten at some time.
    """

    def __init__(self) -> None:
        self.trials: dict[str, Trial] = {}
        self.history: dict[tuple[str, int], None] = {}
        self.restarted: set[str] = set()

    def take(self, event: Mapping[str, Any]) -> None:
        """Bring it up to date.

        Raises:
            ValueError: the event cannot follow those before it; says why. Nothing has changed.
        """
        name = event["trial"]
        if event["event"] == "trial":
            self._declare(name, event)
        elif (trial := self.trials.get(name)) is None:
            raise ValueError(f"there is no trial {name!r} before it")
        elif event["event"] == "epoch":
            self._take_epoch(trial, event)
        elif event["event"] == "retry":
            self._forget(trial)
        else:
            _apply(trial, event)

    def interrupt(self) -> None:
        """Nobody is running the trials that were left running."""
        for trial in self.trials.values():
            if trial.status == "running":
                trial.status = "interrupted"

    def _declare(self, name: str, event: Mapping[str, Any]) -> None:
        expected = name_of(len(self.trials))
        if name != expected:
            raise ValueError(f"the next trial is {expected}, found {name[:40]!r}")
        self.trials[name] = Trial(
            name,
            event["origin"],
            event["values"],
            event["config"],
            sentinel=event.get("sentinel", False),
            confirms=event.get("confirms"),
        )

    def _take_epoch(self, trial: Trial, event: Mapping[str, Any]) -> None:
        epoch = event["epoch"]
        if epoch > trial.total_epochs:
            raise ValueError(f"epoch {epoch} of {trial.name}, which has {trial.total_epochs}")
        self.history.setdefault((trial.name, epoch))
        trial.epochs[epoch] = event["metrics"]
        trial.reliability = event.get("reliability")

    def _forget(self, trial: Trial) -> None:
        for epoch in trial.epochs:
            del self.history[trial.name, epoch]
        trial.status = "pending"
        trial.epochs.clear()
        self.restarted.add(trial.name)


def _apply(trial: Trial, event: Mapping[str, Any]) -> None:
    match event["event"]:
        case "start":
            trial.status = "running"
            trial.error = None
        case "note":
            trial.notes.append(event["text"])
        case "end":
            _check_last_epoch(trial, event)
            trial.status = event["status"]
            trial.error = event.get("error")
            if event["status"] == "interrupted" and trial.error:
                trial.retried.append(trial.error)


def _check_last_epoch(trial: Trial, event: Mapping[str, Any]) -> None:
    last = max(trial.epochs, default=0)
    if event.get("epoch", last) != last:
        raise ValueError(f"{trial.name} ended at epoch {event['epoch']}, recorded are {last}")


def take_new(log: EventLog, record: Record) -> None:
    """Bring ``record`` up to date with what ``log`` has to say since it was last asked.

    Raises:
        LogDamaged: a line is not what was written there, or cannot follow the others.
    """
    for event in log.new():
        try:
            record.take(event)
        except ValueError as error:
            raise log.damage(str(error)) from error
