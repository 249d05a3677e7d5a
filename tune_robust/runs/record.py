"""What the events of a run say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tune_robust.runs.events import EventLog
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.trial import Trial


class Record:
    """What the events say.

    ``trials`` by name, in the order proposed; ``history`` has as its keys each (trial, epoch) once,
    in the order in which they were first seen.
    """

    def __init__(self):
        self.trials: dict[str, Trial] = {}
        self.history: dict[tuple[str, int], None] = {}

    def take(self, event: Mapping[str, Any]) -> None:
        """Bring it up to date."""
        if event["event"] == "retry":
            for epoch in self.trials[event["trial"]].epochs:
                del self.history[event["trial"], epoch]
        if event["event"] == "epoch":
            self.history.setdefault((event["trial"], event["epoch"]))
        _apply(self.trials, event)

    def interrupt(self) -> None:
        """Nobody is running the trials that were left running."""
        for trial in self.trials.values():
            if trial.status == "running":
                trial.status = "interrupted"


class RunReader:
    """A run from outside, as its events tell it so far."""

    def __init__(self, folder: RunFolder):
        self._folder, self._log = folder, EventLog(folder.events)
        self.record = Record()

    def read(self) -> bool:
        """Bring ``record`` up to date; whether the run is live.

        Trials left running by a dead process are interrupted.
        """
        live = self._folder.is_live()
        for event in self._log.new():
            self.record.take(event)
        if not live:
            self.record.interrupt()
        return live


def read_record(folder: RunFolder) -> Record:
    """All that was recorded. Trials left running by a dead process: interrupted."""
    reader = RunReader(folder)
    reader.read()
    return reader.record


def read_trials(folder: RunFolder) -> dict[str, Trial]:
    """The trials of ``read_record``."""
    return read_record(folder).trials


def _apply(trials: dict[str, Trial], event: Mapping[str, Any]) -> None:
    name = event["trial"]
    match event["event"]:
        case "trial":
            given = (event[key] for key in ("origin", "values", "config"))
            sentinel, confirms = event.get("sentinel", False), event.get("confirms")
            trials[name] = Trial(name, *given, sentinel=sentinel, confirms=confirms)
        case "start":
            trials[name].status = "running"
            trials[name].error = None
        case "epoch":
            trials[name].epochs[event["epoch"]] = event["metrics"]
            trials[name].reliability = event.get("reliability")
        case "retry":
            trials[name].status = "pending"
            trials[name].epochs.clear()
        case "end":
            trials[name].status = event["status"]
            trials[name].error = event.get("error")
            if event["status"] == "interrupted" and trials[name].error:
                trials[name].retried.append(trials[name].error)
