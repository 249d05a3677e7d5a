"""The state of a run according to its events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune_robust.runs.log import EventLog
from tune_robust.runs.trial import Continued, Trial, name_of


class Record:
    """The state of a run according to its events.

    ``trials`` are by name, in the order proposed. The keys of ``history`` are each (trial, epoch)
    once, in the order of their first occurrence. ``restarted`` are the trials whose epochs were
    discarded at some time.
    """

    def __init__(self) -> None:
        self.trials: dict[str, Trial] = {}
        self.history: dict[tuple[str, int], None] = {}
        self.restarted: set[str] = set()

    def take(self, event: Mapping[str, Any]) -> None:
        """Update the record with an event.

        Raises:
            ValueError: the event cannot follow those before it; nothing has changed.
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
        """Mark the running trials as interrupted, since no process runs them."""
        for trial in self.trials.values():
            if trial.status == "running":
                trial.status = "interrupted"

    def _declare(self, name: str, event: Mapping[str, Any]) -> None:
        expected = name_of(len(self.trials))
        if name != expected:
            raise ValueError(f"the next trial is {expected}, found {name[:40]!r}")
        continues = event.get("continues")
        self.trials[name] = Trial(
            name,
            event["origin"],
            event["values"],
            event["config"],
            sentinel=event.get("sentinel", False),
            confirms=event.get("confirms"),
            repeats=event.get("repeats"),
            continues=continues and Continued(**{k: continues[k] for k in Continued._fields}),
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
        trial.paused_at = 0
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
            if event["status"] == "paused":
                trial.paused_at = max(trial.epochs, default=0)
            if event["status"] == "interrupted" and trial.error:
                trial.retried.append(trial.error)


def _check_last_epoch(trial: Trial, event: Mapping[str, Any]) -> None:
    last = max(trial.epochs, default=0)
    if event.get("epoch", last) != last:
        raise ValueError(f"{trial.name} ended at epoch {event['epoch']}, recorded are {last}")


def take_new(log: EventLog, record: Record) -> None:
    """Update ``record`` with the events of ``log`` since the last call.

    Raises:
        LogDamaged: a line was changed or cannot follow the others.
    """
    for event in log.new():
        try:
            record.take(event)
        except ValueError as error:
            raise log.damage(str(error)) from error
