"""A run's folder on this machine, kept up to date on a remote file system.

The search works on the local folder at its own speed; a thread uploads changed files. The
machine lost, at most the last few seconds are, of a very large run some ten more: trials go on from
their checkpoints, which lie on the remote side from the start.
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
"""Times as long as an upload took: files are uploaded whole, and large ones not at every change.
Never so long that the lease is lost."""
RUN = "run.json"
EVENTS = "events.jsonl"
Uploaded = dict[Path, tuple[int, int]]
"""Files that are the same on both sides, each as it was then: time of change and size."""
_LOCAL = {"checkpoints", "predictions", "ray", "run.lock", "study.journal", LEASE}


class Mirror:
    """Carries ``folder`` over to ``remote`` until closed. Holds the run's lease.

    ``uploaded``: what is the same on both sides; kept up to date.
    """

    def __init__(self, folder: Path, remote: Remote, uploaded: Uploaded):
        self._folder, self._remote = folder, remote
        self._lease = Lease(remote)
        # Whoever had the run before may have written until now.
        download(remote, folder, uploaded)
        self._uploaded = uploaded
        self._wake, self._closing = threading.Event(), threading.Event()
        self._problem: UserError | None = None
        self._renewed = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._thread.start()

    def upload_soon(self) -> None:
        """Carry over soon. Raises TakenOver when another process has the run."""
        if self._problem is not None:
            raise self._problem
        self._wake.set()

    def close(self) -> None:
        """Carry over what is left and give the run free.

        Raises:
            UserError: when that fails; all is in the local folder, and opening the run again
                uploads it.
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
                # A network that fails now may be back next time; closing tells of it if not.
                continue
            took = time.monotonic() - began
            self._closing.wait(min(_RESTS * took, RENEWED_EVERY))

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEWED_EVERY:
            self._lease.renew()
            self._renewed = time.monotonic()


def upload(folder: Path, remote: Remote, uploaded: Uploaded) -> None:
    """Copy the files of ``folder`` that have changed since they were noted in ``uploaded``.

    Killed at any moment, it leaves tables that have no more than the log.

    Raises:
        UserError: the remote side cannot be written.
        OSError: a file cannot be read.
    """
    paths = [path for path in folder.rglob("*") if not _stays(path.relative_to(folder).parts)]
    paths = [path for path in sorted(paths, key=_turn) if path.is_file()]
    with ExitStack() as opened:
        # The search may replace a table at any moment. Opened, each stays what it was before the
        # log was read.
        tables = {path: opened.enter_context(path.open("rb")) for path in paths if _is_table(path)}
        for path in paths:
            with tables.get(path) or path.open("rb") as file:
                state = _state(file)
                if uploaded.get(path) != state:
                    remote.send(file, path.relative_to(folder).as_posix())
                    uploaded[path] = state


def download(remote: Remote, folder: Path, uploaded: Uploaded) -> None:
    """Make the local folder what the remote one is, keeping events that never got there.

    After a kill the local events may be ahead: then they begin with the remote ones. While a search
    uploads, the log is read after the tables, and so has what they have.
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
    """Whether a file is for its own side alone.

    So is one that is being written aside, and an object whose name leads out of the run.
    """
    return not _LOCAL.isdisjoint(parts) or parts[-1].startswith(".") or ".." in parts
