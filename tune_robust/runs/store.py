"""The run store: one folder per run, and the only truth about it.

``events.jsonl`` is append-only, with one writer; everything else (the tables, the sampler's
history, the rungs) is derived from it. A line torn by a crash is dropped when the run is next
opened.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from tune_robust.errors import UserError
from tune_robust.runs.events import EventLog
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.lock import exclusive_lock
from tune_robust.runs.record import Record
from tune_robust.runs.trial import Origin, Status, Trial, name_of

FORMAT = 1


class RunStore:
    """The one writer of a run. Holds the run's lock until closed.

    Raises:
        UserError: when another process is writing to the run.
    """

    def __init__(self, folder: RunFolder):
        self.folder = folder
        self._lock = exclusive_lock(folder)
        self._uploader = folder.uploader()
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
        if self._uploader is not None:
            self._uploader.upload_soon()

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
        if self._uploader is not None:
            self._uploader.close()
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


def _finite(metrics: Mapping[str, float | None]) -> dict[str, float | None]:
    """JSON has no NaN: what is not finite is null."""
    return {k: v if v is None or math.isfinite(v) else None for k, v in metrics.items()}
