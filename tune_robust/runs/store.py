"""The run store: one folder per run, and the only truth about it.

``events.jsonl`` is append-only, with one writer; everything else (the tables, the sampler's
history, the rungs) is derived from it. A line torn by a crash is dropped when the run is next
opened.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, TextIO

from pydantic_core import from_json

from tune_robust.errors import UserError
from tune_robust.files import write_aside

FORMAT = 1

Status = Literal["pending", "running", "interrupted", "stopped", "done", "failed"]
Origin = Literal["baseline", "known", "sampled", "confirmation"]
REFERENCES: frozenset[Origin] = frozenset({"baseline", "confirmation"})
"""Trials that no sampler sees and no scheduler stops."""
ENDED = frozenset({"stopped", "done", "failed"})


@dataclass
class Trial:
    """One trial as the events tell it. ``epochs`` maps an epoch (from 1) to its metrics.

    A ``sentinel`` is never stopped early. ``confirms``: in a confirmation, the trial of the search
    that it trains again.
    """

    name: str
    origin: Origin
    values: dict[str, Any]
    config: dict[str, Any]
    sentinel: bool = False
    status: Status = "pending"
    epochs: dict[int, dict[str, float | None]] = field(default_factory=dict)
    error: str | None = None
    retried: list[str] = field(default_factory=list)
    """Why it was interrupted and went on from its last checkpoint, each time."""
    confirms: str | None = None
    reliability: list[list[float]] | None = None
    """Of the last epoch, as in ``training.evaluation``: share, confidence, accuracy by bin."""

    @property
    def number(self) -> int:
        """Position in the run, from 0; t0001 is number 0."""
        return int(self.name[1:]) - 1

    @property
    def total_epochs(self) -> int:
        """How many epochs it has when it is done, all bootstrap rounds together."""
        return self.config["epochs"] * self.config.get("bootstrap_rounds", 1)

    @property
    def last(self) -> dict[str, float | None]:
        """Metrics of the last epoch; empty before the first."""
        return self.epochs[max(self.epochs)] if self.epochs else {}


class Carrier(Protocol):
    """Carries a run to where it lies, for as long as it is open."""

    def nudge(self) -> None:
        """Something of weight has been written."""

    def close(self) -> None:
        """Carry over what is left."""


def name_of(number: int) -> str:
    """The name of trial ``number``: t0001 is number 0."""
    return f"t{number + 1:04d}"


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

    def carrier(self) -> Carrier | None:
        """What carries the run to where it lies, if that is elsewhere."""
        return None

    def carry_over(self) -> None:
        """Nothing to do: the run lies here."""

    def checkpoints(self, trial: str) -> str:
        """Where one trial's checkpoints lie, a path or a URI."""
        return str(self._checkpoints(trial).resolve())

    def has_checkpoint(self, trial: str) -> bool:
        """Whether a trial's last checkpoint is kept."""
        return (self._checkpoints(trial) / "last.pt").exists()

    def drop_checkpoints(self, trial: str) -> None:
        """Delete a trial's checkpoints."""
        shutil.rmtree(self._checkpoints(trial), ignore_errors=True)

    def drop_unknown_checkpoints(self, trials: Collection[str]) -> None:
        """Delete those of trials other than ``trials``, whose events were lost with a machine.

        The trial that will have such a name next may be another one.
        """
        if (self.path / "checkpoints").exists():
            for folder in (self.path / "checkpoints").iterdir():
                if folder.name not in trials:
                    self.drop_checkpoints(folder.name)

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
        shutil.rmtree(self._predictions / trial, ignore_errors=True)

    def drop_unknown_predictions(self, trials: Collection[str]) -> None:
        """Delete those of trials other than ``trials``, as ``drop_unknown_checkpoints`` does."""
        for folder in self._predictions.glob("t*/"):
            if folder.name not in trials:
                self.drop_predictions(folder.name)

    @property
    def _predictions(self) -> Path:
        return self.path / "predictions"

    def read_meta(self) -> dict[str, Any]:
        """run.json, as written when the run was created."""
        return json.loads(self.meta.read_text())

    def write_meta(self, meta: Mapping[str, Any]) -> None:
        """Write run.json."""
        write_aside(self.meta, json.dumps(meta, indent=2).encode())

    @contextmanager
    def noting(self, **facts: Any) -> Iterator[None]:
        """Keep in run.json what is so for the time being; null afterwards."""
        self.write_meta({**self.read_meta(), **facts})
        yield
        self.write_meta({**self.read_meta(), **dict.fromkeys(facts)})

    def is_live(self) -> bool:
        """Whether some process holds the run open for writing."""
        if not self.lock.exists():
            return False
        with self.lock.open() as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False


class EventLog:
    """The events of a run, read on from where the last reading ended.

    Raises:
        UserError: from ``new``, at a line that is no event.
    """

    def __init__(self, path: Path):
        self._path, self._offset, self._line = path, 0, 0

    def new(self) -> Iterator[dict[str, Any]]:
        """What was written since the last call; a line still being written is left for later."""
        if not self._path.exists():
            return
        with self._path.open("rb") as handle:
            handle.seek(self._offset)
            for line in handle:
                if not line.endswith(b"\n"):
                    return
                self._offset += len(line)
                self._line += 1
                yield self._parsed(line)

    def _parsed(self, line: bytes) -> dict[str, Any]:
        try:
            # More than twice as fast as the standard library's, and runs have many events.
            return from_json(line)
        except ValueError as error:
            raise UserError(
                f"{self._path}, line {self._line}: not an event ({error}). The file was changed by "
                "something else; restore it, or delete from that line on."
            ) from error


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


class RunStore:
    """The one writer of a run. Holds the run's lock until closed.

    Raises:
        UserError: when another process is writing to the run.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self._lock = _exclusive_lock(folder)
        self._carrier = folder.carrier()
        self._drop_torn_line()
        _remove_asides(folder)
        self._record = Record()
        for event in EventLog(folder.events).new():
            self._record.take(event)
        self._record.interrupt()
        folder.drop_unknown_checkpoints(self.trials)
        folder.drop_unknown_predictions(self.trials)
        self._events = folder.events.open("ab", buffering=0)

    @classmethod
    def create(cls, folder: RunFolder, meta: Mapping[str, Any]) -> RunStore:
        """Make the run's folder, write run.json and open the new run."""
        new = not folder.path.exists()
        created = datetime.now(UTC).isoformat(timespec="seconds")
        document = {"format": FORMAT, "name": folder.path.name, "created": created, **meta}
        try:
            folder.path.mkdir(exist_ok=True)
            store = cls(folder)
            try:
                folder.write_meta(document)
            except OSError:
                store.close()
                raise
        except OSError as error:
            if new:
                shutil.rmtree(folder.path, ignore_errors=True)
            raise UserError(
                f"cannot create {folder.path}: {error.strerror}. Choose another --storage, or "
                "make space and see that you may write there."
            ) from error
        return store

    @property
    def trials(self) -> dict[str, Trial]:
        """As in ``Record``."""
        return self._record.trials

    @property
    def history(self) -> Collection[tuple[str, int]]:
        """As in ``Record``."""
        return self._record.history.keys()

    def add_trial(
        self,
        origin: Origin,
        values: Mapping[str, Any],
        config: Mapping[str, Any],
        *,
        sentinel: bool = False,
        confirms: str | None = None,
    ) -> Trial:
        """Record a new proposal; its name is the next free one."""
        name = name_of(len(self.trials))
        fields = {"origin": origin, "values": dict(values), "config": dict(config)}
        self._append("trial", name, **fields, sentinel=sentinel, confirms=confirms)
        return self.trials[name]

    def start(self, trial: str) -> None:
        """Record that a trial starts, or starts again."""
        self._append("start", trial)

    def add_epoch(
        self,
        trial: str,
        epoch: int,
        metrics: Mapping[str, float | None],
        reliability: list[list[float]] | None = None,
    ) -> None:
        """Record one epoch. Recording it again replaces it: trials resume from checkpoints."""
        fields = {} if reliability is None else {"reliability": reliability}
        self._append("epoch", trial, epoch=epoch, metrics=_finite(metrics), **fields)

    def end(self, trial: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended, and see it safely on disk."""
        self._append("end", trial, status=status, error=error)
        os.fsync(self._events.fileno())
        if self._carrier is not None:
            self._carrier.nudge()

    def retry(self, trial: str) -> None:
        """Forget a failed trial's epochs: it will start again from nothing."""
        self._append("retry", trial)

    def retry_failed(self) -> None:
        """Every failed trial will start again from nothing."""
        for name in [t.name for t in self.trials.values() if t.status == "failed"]:
            self.retry(name)

    def close(self) -> None:
        """Release the run."""
        self._events.close()
        if self._carrier is not None:
            self._carrier.close()
        self._lock.close()

    def _append(self, event: str, trial: str, **fields: Any) -> None:
        record = {"event": event, "trial": trial, "time": round(time.time(), 3), **fields}
        self._write(json.dumps(record, allow_nan=False).encode() + b"\n")
        self._record.take(record)

    def _write(self, line: bytes) -> None:
        """All of it or nothing: no line may follow the half of one that a full disk cut short."""
        size = os.fstat(self._events.fileno()).st_size
        try:
            while line:
                line = line[self._events.write(line) :]
        except OSError:
            os.truncate(self._events.fileno(), size)
            raise

    def _drop_torn_line(self) -> None:
        if not self.folder.events.exists():
            return
        with self.folder.events.open("rb+") as handle:
            content = handle.read()
            handle.truncate(content.rfind(b"\n") + 1)


def _remove_asides(folder: RunFolder) -> None:
    """Delete what ``write_aside`` was writing when its process was killed."""
    inside = ("checkpoints", "predictions")
    hidden = (path for name in inside for path in (folder.path / name).rglob(".*"))
    for path in (*folder.path.glob(".*"), *hidden):
        if path.suffix[1:].isdigit():
            path.unlink(missing_ok=True)


def _exclusive_lock(folder: RunFolder) -> TextIO:
    handle = folder.lock.open("a")
    for _ in range(10):
        with suppress(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        # A reader asking whether the run is live holds the lock for an instant.
        time.sleep(0.02)
    handle.close()
    raise UserError(
        f"another process is working on the run {folder.path.name!r}. "
        f"Watch it with `tune-robust status {folder.place}`."
    )


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """JSON has no NaN: what is not finite is null."""
    return {k: v if v is None or math.isfinite(v) else None for k, v in metrics.items()}
