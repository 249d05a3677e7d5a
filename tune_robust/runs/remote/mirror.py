"""A run's folder on this machine, kept up to date on a remote file system.

The search writes to the local folder, and a thread uploads changed files. If the machine is lost,
at most the last few seconds are lost too, or some ten more for a very large run. Trials then
continue from their checkpoints, which are written to the remote side directly.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

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
            except UserError:
                # The network may be back next time; otherwise ``close`` reports the error.
                continue
            took = time.monotonic() - began
            self._closing.wait(min(_RESTS * took, RENEWED_EVERY))

    def _renew(self) -> None:
        if time.monotonic() - self._renewed >= RENEWED_EVERY:
            self._lease.renew()
            self._renewed = time.monotonic()


def upload(folder: Path, remote: Remote, uploaded: Uploaded) -> None:
    """Copy the files of ``folder`` that have changed since the last upload."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if _stays(inside.parts) or not path.is_file():
            continue
        state = _state(path)
        if uploaded.get(path) != state:
            remote.store(path, inside.as_posix())
            uploaded[path] = state


def download(remote: Remote, folder: Path, uploaded: Uploaded) -> None:
    """Update the local folder from the remote one, except for events never uploaded.

    After a kill, the local events may be ahead; they then begin with the remote ones.
    """
    events = folder / EVENTS
    ahead = events.read_bytes() if events.exists() else b""
    for name in remote.names():
        if _stays(name.split("/")):
            continue
        path, content = folder / name, remote.read(name)
        if content is None or (name == EVENTS and ahead.startswith(content)):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        write_aside(path, content)
        uploaded[path] = _state(path)


def _state(path: Path) -> tuple[int, int]:
    seen = path.stat()
    return seen.st_mtime_ns, seen.st_size


def _stays(parts: Sequence[str]) -> bool:
    """Return whether a file is not uploaded; this includes files being written aside."""
    return not _LOCAL.isdisjoint(parts) or parts[-1].startswith(".")
