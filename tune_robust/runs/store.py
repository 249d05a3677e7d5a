"""The run store: one folder per run, the single source of truth about it.

``events.jsonl`` is append-only, with one writer; everything else (the tables, the sampler's
history, the rungs) is derived from it. A line that a crash left incomplete is dropped when the run
is opened next.
"""

from __future__ import annotations

import os
import shutil
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from tune_robust.errors import UserError
from tune_robust.files import is_aside, lies_in, sync_folder
from tune_robust.runs.completeness import check_complete, read_ends
from tune_robust.runs.folder import RunFolder
from tune_robust.runs.lock import lock
from tune_robust.runs.log import EventLog, LogDamaged, LogWriter, mark_of
from tune_robust.runs.meta import FORMAT
from tune_robust.runs.provenance import owner
from tune_robust.runs.record import Record, take_new
from tune_robust.runs.recovery import recover_log
from tune_robust.runs.trial import Status
from tune_robust.runs.trial_store import TrialStore
from tune_robust.runs.upkeep import RunUpkeep
from tune_robust.spaces.space import Space


class RunStore(TrialStore):
    """The only writer of a run, which holds the run's locks until closed.

    Args:
        folder: the folder of the run.
        recover: whether to recover a damaged log from its valid lines and the tables.
        rebuild: whether to write a new log from the tables if it is missing or has less than they.

    ``recovered`` has a sentence on each change or loss of a recovery.

    Raises:
        UserError: another process is writing to the run, its run.json is damaged, or its log is
            damaged or incomplete, without ``recover`` or ``rebuild``.
    """

    def __init__(self, folder: RunFolder, *, recover: bool = False, rebuild: bool = False):
        self.folder = folder
        self.recovered: list[str] = []
        # Damage is reported before anything is changed.
        run_id = folder.id
        self._mark = mark_of(run_id)
        self._lock = _exclusive_lock(folder)
        self._uploader = None
        try:
            self._uploader = folder.uploader()
            self._open(run_id, recover=recover, rebuild=rebuild)
        except BaseException:
            self._release()
            raise

    def _open(self, run_id: str | None, *, recover: bool, rebuild: bool) -> None:
        folder = self.folder
        _drop_torn_line(folder)
        _remove_asides(folder)
        if rebuild:
            self.recovered = recover_log(folder)
        try:
            self._record, checksum = _read(folder, run_id)
        except LogDamaged:
            if not recover:
                raise
            self.recovered = recover_log(folder)
            self._record, checksum = _read(folder, run_id)
        self._record.interrupt()
        new = not folder.events.exists()
        self._log = LogWriter(folder.events, checksum)
        # Deleting the lock file must not let in a second writer.
        if not self._log.lock():
            self._log.close()
            raise _refusal(folder)
        if new:
            sync_folder(folder.path)
        folder.drop_unknown_checkpoints(self.trials)
        folder.drop_unknown_predictions(self.trials)

    @classmethod
    def create(cls, folder: RunFolder, meta: Mapping[str, Any]) -> RunStore:
        """Make the run's folder, write run.json and open the new run."""
        new = not folder.path.exists()
        document = {
            "format": FORMAT,
            "name": folder.path.name,
            "id": uuid.uuid4().hex,
            "owner": owner(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            **meta,
        }
        try:
            folder.path.mkdir(exist_ok=True)
            folder.write_meta(document)
            return cls(folder)
        except OSError as error:
            if new:
                shutil.rmtree(folder.path, ignore_errors=True)
            raise UserError(
                f"cannot create {folder.path}: {error.strerror}. Choose another --storage, or "
                "make space and see that you may write there."
            ) from error

    @property
    def journal(self) -> Path:
        """The path of the study's journal."""
        return self.folder.journal

    @property
    def meta(self) -> dict[str, Any]:
        """run.json, as in ``RunFolder.read_meta``."""
        return self.folder.read_meta()

    def update_meta(self, **facts: Any) -> None:
        """Set these fields of run.json."""
        self.folder.write_meta({**self.meta, **facts})

    def upkeep(self, space: Space) -> RunUpkeep:
        """Return what keeps the tables up to date and deletes checkpoints."""
        return RunUpkeep(self, space)

    def end(self, trial: str, status: Status, error: str | None = None) -> None:
        """Record how a trial ended, and wait until the record is on disk."""
        super().end(trial, status, error)
        self.sync()
        if self._uploader is not None:
            self._uploader.upload_soon()

    def sync(self) -> None:
        """Wait until everything recorded is on disk."""
        self._log.sync()

    def close(self) -> None:
        """Release the run."""
        self._log.close()
        self._release()

    def _release(self) -> None:
        try:
            if self._uploader is not None:
                self._uploader.close()
        finally:
            self._lock.close()

    def _copy_checkpoint(self, trial: str, to: str) -> None:
        self.folder.copy_checkpoint(trial, to)

    def _append(self, event: str, trial: str, **fields: Any) -> None:
        now = round(time.time(), 3)
        record = {"event": event, "trial": trial, **self._mark, "time": now, **fields}
        self._log.append(record)
        self._record.take(record)


def _read(folder: RunFolder, run_id: str | None) -> tuple[Record, int]:
    """Return the record of the log, and the checksum of its last line."""
    record, log = Record(), EventLog(folder.events, run_id)
    take_new(log, record)
    check_complete(folder, record, read_ends(folder))
    return record, log.checksum


def _drop_torn_line(folder: RunFolder) -> None:
    """Remove an incomplete last line that a crash has left."""
    if folder.events.is_symlink() or not folder.events.is_file():
        return
    with folder.events.open("rb+") as handle:
        content = handle.read()
        handle.truncate(content.rfind(b"\n") + 1)


def _remove_asides(folder: RunFolder) -> None:
    """Delete the temporary files of ``write_aside`` from processes that were killed."""
    inside = ("checkpoints", "predictions")
    hidden = (path for name in inside for path in (folder.path / name).glob("*/.*"))
    for path in (*folder.path.glob(".*"), *hidden):
        if is_aside(path) and lies_in(path.parent / path.name, folder.path):
            path.unlink(missing_ok=True)


def _exclusive_lock(folder: RunFolder) -> IO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    handle = os.fdopen(os.open(folder.lock, flags, 0o666), "wb")
    if lock(handle):
        return handle
    handle.close()
    raise _refusal(folder)


def _refusal(folder: RunFolder) -> UserError:
    return UserError(
        f"another process is working on the run {folder.path.name!r}. "
        f"Watch it with `tune-robust status {folder.place}`."
    )
