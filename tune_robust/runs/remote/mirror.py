"""A run's folder on this machine, kept up to date on a remote file system.

The search writes to the local folder, and a thread uploads changed files. If the machine is lost,
at most the last few seconds are lost too, or some ten more for a very large run. Trials then
continue from their checkpoints, which are written to the remote side directly.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from tune_robust.errors import UserError
from tune_robust.files import write_aside
from tune_robust.runs.remote.lease import LEASE, RENEWED_EVERY, Lease, TakenOver
from tune_robust.runs.remote.objects import Remote

EVERY = 5.0
"""Seconds between two uploads."""
_RESTS = 4.0
"""The pause after an upload, in multiples of its duration, since large files are uploaded whole.

It is never so long that the lease is lost.
"""
RUN = "run.json"
EVENTS = "events.jsonl"
Uploaded = dict[Path, tuple[int, int]]
"""The files that are equal on both sides, each with its time of change and its size."""
_LOCAL = {"checkpoints", "predictions", "ray", "run.lock", "study.journal", LEASE}


class Mirror:
    """Uploads ``folder`` to ``remote`` until closed, and holds the run's lease.

    ``uploaded``: the files that are equal on both sides; it is kept up to date.
    """

    def __init__(self, folder: Path, remote: Remote, uploaded: Uploaded):
        self._folder, self._remote = folder, remote
        self._lease = Lease(remote)
        # The previous process may have written until now.
        download(remote, folder, uploaded)
        self._uploaded = uploaded
        self._wake, self._closing = threading.Event(), threading.Event()
        self._problem: UserError | None = None
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def upload_soon(self) -> None:
        """Upload soon. Raises TakenOver if another process holds the run."""
        if self._problem is not None:
            raise self._problem
        self._wake.set()

    def close(self) -> None:
        """Upload what is left and release the run.

        Raises:
            UserError: the upload failed; everything is in the local folder, and opening the run
                again uploads it.
        """
        self._closing.set()
        self._wake.set()
        self._thread.join()
        if self._problem is not None:
            raise self._problem
        upload(self._folder, self._remote, self._uploaded)
        self._lease.release()

    def _work(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(EVERY)
            self._wake.clear()
            began = time.monotonic()
            try:
                self._renew()
                upload(self._folder, self._remote, self._uploaded)
            except TakenOver as error:
                self._problem = error
                return
            except (UserError, OSError):
                # The network may be back next time; otherwise ``close`` reports the error.
                continue
            took = time.monotonic() - began
            self._closing.wait(min(_RESTS * took, RENEWED_EVERY))

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEWED_EVERY:
            self._lease.renew()
            self._renewed = time.monotonic()


def upload(folder: Path, remote: Remote, uploaded: Uploaded) -> None:
    """Copy the files of ``folder`` that have changed since the last upload.

    If it is killed, the remote tables never hold more than the remote log.

    Raises:
        UserError: the remote file system cannot be written.
        OSError: a file cannot be read.
    """
    paths = [path for path in folder.rglob("*") if not _stays(path.relative_to(folder).parts)]
    paths = [path for path in sorted(paths, key=_turn) if path.is_file()]
    with ExitStack() as opened:
        # The search may replace a table at any moment. An opened one stays as it was before the
        # log is read.
        tables = {path: opened.enter_context(path.open("rb")) for path in paths if _is_table(path)}
        for path in paths:
            with tables.get(path) or path.open("rb") as file:
                state = _state(file)
                if uploaded.get(path) != state:
                    remote.send(file, path.relative_to(folder).as_posix())
                    uploaded[path] = state


def download(remote: Remote, folder: Path, uploaded: Uploaded) -> None:
    """Update the local folder from the remote one, except for events never uploaded.

    After a kill, the local events may be ahead; they then begin with the remote ones. The log is
    read after the tables, so that it holds what they hold even while a search uploads.
    """
    names = (name for name in remote.names() if not _stays(name.split("/")))
    for path in sorted((folder / name for name in names), key=_turn, reverse=True):
        content = remote.read(path.relative_to(folder).as_posix())
        if content is None or (path.name == EVENTS and _is_ahead(path, content)):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
        with path.open("rb") as file:
            uploaded[path] = _state(file)


def _turn(path: Path) -> tuple[int, Path]:
    """Which file goes first: without run.json there is no run, and tables are made of the log."""
    return {RUN: 0, EVENTS: 1}.get(path.name, 2), path


def _is_table(path: Path) -> bool:
    return path.suffix == ".parquet"


def _is_ahead(events: Path, remote: bytes) -> bool:
    return events.exists() and events.read_bytes().startswith(remote)


def _state(file: BinaryIO) -> tuple[int, int]:
    seen = os.fstat(file.fileno())
    return seen.st_mtime_ns, seen.st_size


def _stays(parts: Sequence[str]) -> bool:
    """Return whether a file is neither uploaded nor downloaded.

    This includes files being written aside, and names that lead out of the run.
    """
    return not _LOCAL.isdisjoint(parts) or parts[-1].startswith(".") or ".." in parts
